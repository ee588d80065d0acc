"""Finds the line of every key of a TOML document: tomllib reads values without positions."""

from __future__ import annotations

import tomllib
from typing import NamedTuple

KeyPath = tuple[str | int, ...]

_BLANK = " \t"
_SPACE = " \t\n\r"
_SCALAR_END = ",]}#\n"
_KEY_END = " \t\n=.]"


class Lines(NamedTuple):
    """Lines by key path; indexes stand for elements of arrays and arrays of tables."""

    by_path: dict[KeyPath, int]

    def line(self, path: KeyPath) -> int:
        """Return the line of `path`, of the nearest table around it, or 0 for the document."""
        while path and path not in self.by_path:
            path = path[:-1]
        return self.by_path.get(path, 0)


def locate_keys(text: str) -> Lines:
    """Return the line of each key of `text`, which tomllib must have accepted. O(length)."""
    scanner = _Scanner(text.replace("\r\n", "\n"))
    scanner.scan_document()
    return Lines(scanner.by_path)


class _Scanner:
    """Walks valid TOML once. Values are skipped, keys and array elements are noted."""

    def __init__(self, text: str) -> None:
        self.by_path: dict[KeyPath, int] = {}
        self._text = text
        self._at = 0
        self._line = 1
        self._line_counted_at = 0
        self._array_counts: dict[KeyPath, int] = {}

    def scan_document(self) -> None:
        prefix: KeyPath = ()
        while self._skip_space():
            if self._text.startswith("[[", self._at):
                self._at += 2
                prefix = self._array_table(self._key())
                self._at += 2
            elif self._text[self._at] == "[":
                self._at += 1
                prefix = self._resolve(self._key())
                for depth in range(1, len(prefix) + 1):
                    self._note(prefix[:depth])
                self._at += 1
            else:
                self._pair(prefix)

    def _array_table(self, key: tuple[str, ...]) -> KeyPath:
        path = (*self._resolve(key[:-1]), key[-1])
        index = self._array_counts.get(path, 0)
        self._array_counts[path] = index + 1
        self._note(path)
        self._note((*path, index))
        return (*path, index)

    def _resolve(self, key: tuple[str, ...]) -> KeyPath:
        """Return the path of a header: a part that names an array of tables means its last one."""
        path: KeyPath = ()
        for part in key:
            path = (*path, part)
            if path in self._array_counts:
                path = (*path, self._array_counts[path] - 1)
        return path

    def _pair(self, prefix: KeyPath) -> None:
        line = self._current_line()
        path = prefix
        for part in self._key():
            path = (*path, part)
            self.by_path.setdefault(path, line)
        self._at += 1  # The equals sign.
        self._value(path)

    def _key(self) -> tuple[str, ...]:
        """Read a bare, quoted or dotted key and stop at the sign after it."""
        parts: list[str] = []
        while True:
            self._skip(_BLANK)
            start = self._at
            if self._text[start] in "\"'":
                self._string()
                parts.append(_unquoted(self._text[start : self._at]))
            else:
                while self._text[self._at] not in _KEY_END:
                    self._at += 1
                parts.append(self._text[start : self._at])
            self._skip(_BLANK)
            if self._text[self._at] != ".":
                return tuple(parts)
            self._at += 1

    def _value(self, path: KeyPath) -> None:
        self._skip(_BLANK)
        match self._text[self._at]:
            case '"' | "'":
                self._string()
            case "[":
                self._array(path)
            case "{":
                self._inline_table(path)
            case _:
                while self._at < len(self._text) and self._text[self._at] not in _SCALAR_END:
                    self._at += 1

    def _array(self, path: KeyPath) -> None:
        self._at += 1
        index = 0
        while self._skip_space() and self._text[self._at] != "]":
            if self._text[self._at] == ",":
                self._at += 1
                continue
            self._note((*path, index))
            self._value((*path, index))
            index += 1
        self._at += 1

    def _inline_table(self, path: KeyPath) -> None:
        self._at += 1
        while self._skip_space() and self._text[self._at] != "}":
            if self._text[self._at] == ",":
                self._at += 1
            else:
                self._pair(path)
        self._at += 1

    def _string(self) -> None:
        quote = self._text[self._at]
        if self._text.startswith(quote * 3, self._at):
            self._long_string(quote)
            return
        self._at += 1
        while self._text[self._at] != quote:
            self._at += 2 if quote == '"' and self._text[self._at] == "\\" else 1
        self._at += 1

    def _long_string(self, quote: str) -> None:
        self._at += 3
        while not self._text.startswith(quote * 3, self._at):
            self._at += 2 if quote == '"' and self._text[self._at] == "\\" else 1
        self._at += 3
        self._skip(quote)  # Up to two quotation marks may stand before the closing three.

    def _note(self, path: KeyPath) -> None:
        self.by_path.setdefault(path, self._current_line())

    def _current_line(self) -> int:
        self._line += self._text.count("\n", self._line_counted_at, self._at)
        self._line_counted_at = self._at
        return self._line

    def _skip(self, signs: str) -> None:
        while self._at < len(self._text) and self._text[self._at] in signs:
            self._at += 1

    def _skip_space(self) -> bool:
        """Skip blanks, line ends and comments; return whether anything is left."""
        while True:
            self._skip(_SPACE)
            if self._at >= len(self._text):
                return False
            if self._text[self._at] != "#":
                return True
            end = self._text.find("\n", self._at)
            self._at = len(self._text) if end < 0 else end


def _unquoted(quoted: str) -> str:
    """Return the key that a quoted one means; tomllib knows the escapes."""
    (key,) = tomllib.loads(f"{quoted} = 0")
    return key
