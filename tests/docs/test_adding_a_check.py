"""docs/adding-a-check.md, done word for word on a copy of the tree."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.laws.tree import ROOT

PAGE = (ROOT / "docs" / "adding-a-check.md").read_text()
STEPS = re.findall(r"`([\w/.]+\.py)`(, at the end|, new)?:\n\n```diff\n(.*?)```", PAGE, re.DOTALL)
COPIED = ("riskd", "engine", "config", "actors", "transport", "scripts", "tests", "docs")
TESTS = ("tests/engine/test_wide_spread.py", "tests/engine/test_codes.py")
TIMEOUT_S = 120


def take_step(root: Path, path: str, how: str, block: str) -> None:
    """Change one file as a block says; where it goes must be clear."""
    file, lines = root / path, block.splitlines()
    told = "".join(f"{line[1:]}\n" for line in lines)
    if how == ", new":
        assert not file.exists()
        file.write_text(told)
        return
    text = file.read_text()
    if how == ", at the end":
        file.write_text(f"{text}\n\n{told}")
        return
    (anchor,) = (f"\n{line[1:]}\n" for line in lines if not line.startswith("+"))
    assert text.count(anchor) == 1, f"{path} has not one line {anchor.strip()}"
    file.write_text(text.replace(anchor, f"\n{told}"))


def run(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=root,
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The tree without what git does not know, and nothing installed of it in the way."""
    for name in COPIED:
        ignored = shutil.ignore_patterns("__pycache__", "node_modules")
        shutil.copytree(ROOT / name, tmp_path / name, ignore=ignored)
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def test_page_adds_a_check_that_refuses_and_whose_tests_pass(copy: Path):
    assert len(STEPS) == 10, [path for path, _, _ in STEPS]
    for step in STEPS:
        take_step(copy, *step)
    made = run(copy, "-m", "scripts.documents", "--docs", "docs")
    assert made.returncode == 0, made.stderr
    assert "### WIDE_SPREAD, `spread_pct`" in (copy / "docs" / "checks.md").read_text()
    tested = run(copy, "-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS)
    assert tested.returncode == 0, tested.stdout[-3000:]
    explained = run(copy, "-m", "riskd", "explain", "WIDE_SPREAD")
    assert "The touch is too wide to judge a price by." in explained.stdout
