"""No file names a machine's folders or a package registry: a clone works anywhere."""

from __future__ import annotations

import re

import pytest

from tests.laws.tree import file_paths, require_none, text_of

# Written so that this file does not match itself.
MACHINE_PATH = re.compile(r"(?<![\w.~$}*])/(?:work|tmp|root|home|Users|opt)(?=/|\b)(?!\w)")
REGISTRY_HOST = re.compile(
    r"\b(?:[\w-]+\.)*(?:pypi\.org|pythonhosted\.org|npmjs\.(?:org|com)|yarnpkg\.com|anaconda\.org"
    r"|docker\.io|ghcr\.io|quay\.io|jfrog\.io)\b|--(?:extra-)?index-url|--find[-]links"
)


def address_violations(path: str, text: str) -> list[str]:
    """Return a sentence for each line that is true on one machine only."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        if match := MACHINE_PATH.search(line):
            found.append(
                f"{path}:{number} names the machine path '{match[0]}': take it relative to the "
                "project, from an option, or from tempfile."
            )
        if match := REGISTRY_HOST.search(line):
            found.append(
                f"{path}:{number} names a registry, '{match[0]}': leave it to the configuration of "
                "the machine that installs."
            )
    return found


def test_addresses_are_in_no_file():
    found = []
    for path in file_paths():
        text = text_of(path)
        if text is not None:
            found += address_violations(path, text)
    require_none(found)


@pytest.mark.parametrize(
    "line",
    [
        "path = '" + "/" + "tmp/riskd'",
        "cd " + "/" + "work/main",
        "see " + "/" + "root.",
        "# via https://files.python" + "hosted.org/packages",
        "pip install --index" + "-url x",
        "https://registry.npm" + "js.org/zeromq",
    ],
)
def test_address_in_a_line_is_found(line):
    (sentence,) = address_violations("a.txt", f"first\n{line}\n")
    assert sentence.startswith("a.txt:2 ")


@pytest.mark.parametrize("line", ["tests/tmp/x", "../root", "$HOME/work/x", "a/home", "/workers"])
def test_address_relative_path_passes(line):
    assert address_violations("a.txt", line) == []
