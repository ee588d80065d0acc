"""What is wrong with a configuration: every problem, with its place and what to do about it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import NamedTuple

UNKNOWN_KEY = "unknown key"
ENVIRONMENT = "environment"  # Stands for a file where a variable is meant.
SIMILARITY_MIN = 0.6  # difflib's own default: two slips in a word of eight letters still match.


class Problem(NamedTuple):
    """One thing that is wrong. `str()` gives the line that a user reads."""

    file: str  # As the user wrote it; `environment` for a variable.
    line: int  # Counted from 1; 0 when the whole file or the environment is meant.
    key: str  # The path of the key, such as `account.A2.order_notional`.
    place: str  # The same for people, such as `[account.A2] order_notional`.
    found: str
    expected: str
    suggestion: str

    def __str__(self) -> str:
        """Return file:line, the key, what was found, what was expected, and what to do."""
        where = f"{self.file}:{self.line}" if self.line else self.file
        said = self.found
        near_miss = self.found == UNKNOWN_KEY and self.suggestion.startswith("Did you mean")
        if self.expected and not near_miss:
            said += f"; expected {self.expected}"
        subject = f"{self.place}: {said}" if self.place else said
        return f"{where}  {subject}. {self.suggestion}".rstrip()


class ConfigError(Exception):
    """A configuration that is refused whole; `problems` has all that was found."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        """Keep the problems, sorted by file and line, the environment last."""
        found = tuple(problems)
        ranks = {file: rank for rank, file in enumerate(dict.fromkeys(p.file for p in found))}
        ranks[ENVIRONMENT] = len(ranks)
        self.problems = tuple(sorted(found, key=lambda p: (ranks[p.file], p.line)))
        super().__init__("\n".join(str(problem) for problem in self.problems))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `Did you mean "x"?` for the nearest of `known`, or nothing when none is near."""
    by_folded = {name.casefold(): name for name in known}
    near = difflib.get_close_matches(word.casefold(), by_folded, n=1, cutoff=SIMILARITY_MIN)
    return f'Did you mean "{by_folded[near[0]]}"?' if near else ""


def one_of(names: Iterable[str]) -> str:
    """Return `one of a, b, c`."""
    return "one of " + ", ".join(names)
