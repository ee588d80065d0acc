"""Names: what was probably meant, among names known here or asked of a running riskd."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import replace

from riskd.cli.connection import Connection
from riskd.cli.failure import CommandError
from riskd.messages import Accounts, Instruments

QUESTIONS: dict[str, Accounts | Instruments] = {
    "account": Accounts(),
    "group": Accounts(),  # Of which each says its own.
    "symbol": Instruments(),
}
NEARNESS_MIN = 0.5  # Of 1 for the same: half of the letters in order.
NAMES_MAX = 4
TIMEOUT_MS_MAX = 500  # A suggestion is not worth more of anybody's time.


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `did you mean NAME?` for the known names nearest to `word`, or nothing.

    Names that are equally near are all given: to pick one of A1 and A2 for A9 would mislead.
    """
    nearness = {
        name: difflib.SequenceMatcher(None, word.casefold(), name.casefold()).ratio()
        for name in known
    }
    best = max(nearness.values(), default=0.0)
    near = [name for name, ratio in nearness.items() if ratio == best >= NEARNESS_MIN]
    if not near or len(near) > NAMES_MAX:
        return ""
    return f"did you mean {' or '.join(filter(None, (', '.join(near[:-1]), near[-1])))}?"


def known_names(kind: str, connection: Connection) -> list[str]:
    """Return every name of a kind, as of accounts; nothing if riskd cannot be asked."""
    if kind not in QUESTIONS:
        return []
    quick = replace(connection, timeout_ms=min(connection.timeout_ms, TIMEOUT_MS_MAX))
    try:
        rows = quick.ask(QUESTIONS[kind]).data
    except CommandError:
        return []
    if not isinstance(rows, list):
        return []
    return list(dict.fromkeys(row[kind] for row in rows if isinstance(row, dict) and kind in row))
