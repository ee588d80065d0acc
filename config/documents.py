"""Reads riskd.toml and the files it includes, each with the lines of its keys."""

from __future__ import annotations

import re
import tomllib
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

from config.errors import ENVIRONMENT, Problem, did_you_mean
from config.locate import KeyPath, Lines, locate_keys

SHIPPED_ROOT = "riskd.toml"
SHIPPED_LABEL = "shipped"
_AT_LINE = re.compile(r" \(at line (\d+), column \d+\)$")
_AT_END = " (at end of document)"


class Document(NamedTuple):
    """One file as tomllib read it, or one environment variable."""

    file: str  # As the user wrote it, or the name of the variable.
    tree: dict[str, Any]
    lines: Lines
    is_shipped: bool = False
    is_environment: bool = False


class Reading(NamedTuple):
    """Every file that could be read, the root first, and what was wrong with the others."""

    documents: list[Document]
    problems: list[Problem]


class _Location(NamedTuple):
    """A file of the user, or, without a path, one in this package."""

    file: str
    path: Path | None

    def sibling(self, name: str) -> _Location:
        if self.path is None:
            return _Location(f"{SHIPPED_LABEL}/{name}", None)
        return _Location(str(self.path.parent / name), self.path.parent / name)

    def identity(self) -> str:
        return self.file if self.path is None else str(self.path.resolve())

    def read_bytes(self) -> bytes:
        if self.path is not None:
            return self.path.read_bytes()
        name = self.file.removeprefix(f"{SHIPPED_LABEL}/")
        return resources.files("config").joinpath(name).read_bytes()


def read_documents(root: Path | None, include: list[str] | None) -> Reading:
    """Read `root`, or the shipped files, and what they include, depth first.

    `include` replaces what the root includes; it is relative to the root's folder, or to the
    folder riskd starts in when there is no root. Nothing is raised: every failure is a problem.
    """
    location = (
        _Location(f"{SHIPPED_LABEL}/{SHIPPED_ROOT}", None)
        if root is None
        else _Location(str(root), root)
    )
    reader = _Reader()
    document = reader.read(location, None)
    if document is None:
        return reader.reading
    if include is None:
        reader.read_included(location, document, (location.identity(),))
    else:
        base = location if root is not None else _Location(SHIPPED_ROOT, Path(SHIPPED_ROOT))
        variable = Document(ENVIRONMENT, {"include": include}, Lines({}), is_environment=True)
        reader.read_included(base, variable, (location.identity(),))
    return reader.reading


class _Reader:
    """Collects documents; remembers what was read, so that a cycle ends."""

    def __init__(self) -> None:
        self.reading = Reading([], [])
        self._read: dict[str, str] = {}

    def read(self, location: _Location, asked: Problem | None) -> Document | None:
        """Read one file; `asked` is the problem to report when it is not there."""
        self._read[location.identity()] = location.file
        try:
            text = location.read_bytes().decode()
        except UnicodeDecodeError as error:
            line = 1 + error.object[: error.start].count(b"\n")
            self._report(location.file, line, "bytes that are not UTF-8", "UTF-8 text")
            return None
        except OSError as error:
            self.reading.problems.append(asked or _unreadable(location, error))
            return None
        return self._parse(location, text)

    def read_included(
        self, location: _Location, document: Document, chain: tuple[str, ...]
    ) -> None:
        names = document.tree.get("include", [])
        if not isinstance(names, list):
            return  # Its shape is reported where all shapes are.
        for index, name in enumerate(names):
            if isinstance(name, str) and name and "\0" not in name:
                target = location.sibling(name)
                self._include(target, _include_problem(document, index, target), chain)

    def _include(self, target: _Location, problem: Problem, chain: tuple[str, ...]) -> None:
        identity = target.identity()
        if identity in chain:
            self.reading.problems.append(
                problem._replace(
                    found=f'"{target.file}" includes itself, at once or by way of others',
                    expected="files that do not lead back to themselves",
                    suggestion="Remove this include.",
                )
            )
        elif identity in self._read:
            self.reading.problems.append(
                problem._replace(
                    found=f'"{target.file}" is included twice',
                    expected="each file once",
                    suggestion="Remove one of the two.",
                )
            )
        else:
            document = self.read(target, problem)
            if document is not None:
                self.read_included(target, document, (*chain, identity))

    def _parse(self, location: _Location, text: str) -> Document | None:
        try:
            tree = tomllib.loads(text)
        except RecursionError:
            self._report(location.file, 0, "values nested too deeply", "a few levels")
            return None
        except ValueError as error:  # TOMLDecodeError, or an integer of thousands of digits.
            self.reading.problems.append(_syntax_problem(location.file, text, str(error)))
            return None
        shipped = location.path is None
        document = Document(location.file, tree, locate_keys(text), is_shipped=shipped)
        self.reading.documents.append(document)
        return document

    def _report(self, file: str, line: int, found: str, expected: str) -> None:
        suggestion = "Write the file again as plain TOML."
        self.reading.problems.append(Problem(file, line, "", "", found, expected, suggestion))


def _include_problem(document: Document, index: int, target: _Location) -> Problem:
    path: KeyPath = ("include", index)
    near = did_you_mean(target.path.name, _names_beside(target.path)) if target.path else ""
    return Problem(
        file=document.file,
        line=document.lines.line(path),
        key="include",
        place="RISKD_INCLUDE" if document.is_environment else "include",
        found=f'"{target.file}" cannot be read',
        expected="a file, with a path relative to the file that includes it",
        suggestion=near or "Make the file, or remove it from the list.",
    )


def _names_beside(path: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in path.parent.iterdir())
    except OSError:
        return []  # Only a suggestion is lost: that the file cannot be read is reported.


def _unreadable(location: _Location, error: OSError) -> Problem:
    return Problem(
        file=location.file,
        line=0,
        key="",
        place="",
        found=f"the file cannot be read ({error.strerror})",
        expected="a TOML file",
        suggestion="Check the path and its rights. Without a file riskd uses its defaults.",
    )


def _syntax_problem(file: str, text: str, message: str) -> Problem:
    line = text.count("\n") + (not text.endswith("\n"))
    match = _AT_LINE.search(message)
    if match is not None:
        line = int(match[1])
        message = message[: match.start()]
    written = text.split("\n")[line - 1].strip() if line <= text.count("\n") + 1 else ""
    suggestion = "Check the quotes, brackets and the equals sign here and on the line before."
    if written.startswith(("[[account]]", "[[group]]")):
        suggestion = (
            "In one file every [[group]] and [[account]] stands before "
            "the limits of [group.ID] and [account.ID]."
        )
    return Problem(
        file=file,
        line=max(line, 1),
        key="",
        place="",
        found=f"not TOML: {message.removesuffix(_AT_END)}",
        expected="TOML 1.0",
        suggestion=suggestion,
    )
