"""The project's own files, as the laws see them."""

from __future__ import annotations

import ast
import os
import subprocess
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("riskd", "engine", "config", "actors", "transport")
COMMAND_LINES = "scripts"
TESTS = "tests"
NOT_OURS = {"__pycache__", "node_modules", "dist", "build", "var"}


class Source(NamedTuple):
    """One Python file. `path` is relative to the root, with slashes."""

    path: str
    text: str
    tree: ast.Module

    @property
    def package(self) -> str:
        """The first folder: `engine` of `engine/money.py`."""
        return self.path.partition("/")[0]

    @property
    def module(self) -> str:
        """The dotted name: `engine.checks` of `engine/checks/__init__.py`."""
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    def at(self, node: ast.AST) -> str:
        """The place of a node, as an editor opens it."""
        return f"{self.path}:{getattr(node, 'lineno', 1)}"


def snippet(path: str, text: str) -> Source:
    """A source that is in no file: the bad example that proves that a law can fail."""
    return Source(path, text, ast.parse(text))


@cache
def file_paths() -> tuple[str, ...]:
    """Every file that is or would be tracked; without git, every file that no script made."""
    asked = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(asked, cwd=ROOT, capture_output=True, check=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return tuple(sorted(_walk()))
    return tuple(sorted(path for path in listed.split("\0") if path and (ROOT / path).is_file()))


def _walk() -> list[str]:
    found = []
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [x for x in folders if x not in NOT_OURS and (x == ".ci" or x[0] != ".")]
        found += [(Path(folder) / x).relative_to(ROOT).as_posix() for x in names]
    return [path for path in found if path != ".venv.lock" and not path.endswith(".pyc")]


@cache
def text_of(path: str) -> str | None:
    """The text of a file, or None if it is not text."""
    content = (ROOT / path).read_bytes()
    try:
        return None if b"\0" in content else content.decode()
    except UnicodeDecodeError:
        return None


@cache
def sources(*folders: str) -> tuple[Source, ...]:
    """Every Python file in these top folders, command lines without a suffix included."""
    found = []
    for path in file_paths():
        if path.partition("/")[0] not in folders or "/" not in path:
            continue
        text = text_of(path)
        if text is not None and (path.endswith(".py") or _is_python_command(path, text)):
            found.append(Source(path, text, ast.parse(text, filename=path)))
    return tuple(found)


def _is_python_command(path: str, text: str) -> bool:
    first_line = text.partition("\n")[0]
    return "." not in Path(path).name and first_line.startswith("#!") and "python" in first_line


def require_none(violations: list[str]) -> None:
    """Fail with one sentence a line if a law was broken."""
    if violations:
        pytest.fail("\n".join(violations), pytrace=False)
