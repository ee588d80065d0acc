"""What an installation is made of: the declared packages, the locks and the version agree."""

from __future__ import annotations

import re
import tomllib

import pytest

import riskd
from tests.laws.tree import PACKAGES, ROOT, require_none

LOCKS = ("requirements.lock", "requirements-dev.lock")
EXTRAS = ((), ("web", "tui", "dev"))
PIN = re.compile(r"^([a-z0-9][a-z0-9.-]*)==(\S+)", re.MULTILINE)


def project():
    """The whole of pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def pins(text: str) -> dict[str, list[str]]:
    """Package -> its versions in a lock; there may be one for each range of Pythons."""
    found: dict[str, list[str]] = {}
    for name, version in PIN.findall(text):
        found.setdefault(name, []).append(version)
    return found


def lock_violations(name, text, wanted):
    """Return a sentence for each package that is missing or without a hash, and each address."""
    found = [
        f"{name}:1 does not lock {package}, which pyproject.toml asks for: run scripts/lock."
        for package in wanted
        if package not in pins(text)
    ]
    for number, line in enumerate(text.splitlines(), 1):
        if "://" in line or line.startswith("-"):
            found.append(f"{name}:{number} names an address or an option: run scripts/lock.")
        if PIN.match(line) and not line.endswith("\\"):
            found.append(f"{name}:{number} locks without a hash: run scripts/lock.")
    return found


def wanted_by(extras):
    """The names that pyproject.toml asks for, with these extras."""
    declared = project()["project"]
    asked = [*declared["dependencies"]]
    asked += [x for extra in extras for x in declared["optional-dependencies"][extra]]
    return [re.split(r"[\[<>=]", x)[0] for x in asked if not x.startswith("riskd")]


@pytest.mark.parametrize(("name", "extras"), [*zip(LOCKS, EXTRAS, strict=True)])
def test_lock_holds_what_is_declared_with_hashes_and_without_addresses(name, extras):
    require_none(lock_violations(name, (ROOT / name).read_text(), wanted_by(extras)))


def test_lock_of_tools_holds_the_versions_of_the_lock_of_riskd():
    for_riskd, for_tools = (pins((ROOT / name).read_text()) for name in LOCKS)
    assert {name: for_tools.get(name) for name in for_riskd} == for_riskd


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("b==1 \\\n    --hash=sha256:00", "a.lock:1 does not lock a"),
        ("a==1\n", "a.lock:1 locks without a hash"),
        ("a==1 \\\n    --hash=sha256:00\n-e .", "a.lock:3 names an address"),
        ("a==1 \\\n    # via https" + "://x", "a.lock:2 names an address"),
    ],
)
def test_lock_that_is_wrong_is_found(text, where):
    (sentence,) = lock_violations("a.lock", text, ["a"])
    assert sentence.startswith(where)


def test_version_of_the_package_is_that_of_the_project():
    assert riskd.__version__ == project()["project"]["version"]


def test_wheel_holds_every_package():
    packages = project()["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    assert sorted(packages) == sorted(PACKAGES)


def test_licence_is_the_full_text():
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text
