"""Kinds: what is the same for orders of one symbol, strategy and trader under equal limits.

Accounts whose limits are equal share them: so what nearly every order asks of its limits is in the
processor's cache, and an account has little of its own.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from engine.bounds import Bounds
from engine.instruments import Instrument
from engine.limits import ResolvedLimit
from engine.quote import Quote

KINDS_MAX = 100_000  # Kept; beyond them all are forgotten and made anew as they are asked for.
Name = tuple[str, str, str]  # Symbol, strategy and trader.


class Rate(NamedTuple):
    """How many orders a second a window takes."""

    window: str
    count_max: int
    is_shared: bool  # By accounts.


class Content(NamedTuple):
    """How often the same order may be sent."""

    name: str  # Of the limit, after what was sent.
    count_max: int
    window_ns: int


class Kind:
    """What an order that is nothing but ordinary is compared with."""

    __slots__ = (
        "bounds",
        "contents",
        "first",
        "initial_margin",
        "instrument",
        "name",
        "quote",
        "rates",
        "session_rate",
        "terms",
    )

    def __init__(self, name: Name, instrument: Instrument, quote: Quote, bounds: Bounds) -> None:
        self.name = name
        self.instrument = instrument
        self.quote = quote
        self.bounds = bounds
        self.initial_margin = (0, 1)  # Numerator and denominator.
        self.rates: tuple[Rate, ...] = ()
        self.session_rate: ResolvedLimit | None = None
        self.contents: tuple[Content, ...] = ()
        self.first: Any = None  # The plan that was first of it: those that follow share with it.
        self.terms: tuple[object, ...] = ()  # What an account's credit follows from, but its money.

    def key(self) -> tuple[object, ...]:
        """Return everything that tells kinds of one version of the boards apart."""
        asked = self.rates, self.session_rate, self.contents, self.terms
        return (self.name, self.bounds.figures(), self.initial_margin, *asked)


class Kinds:
    """Every kind that was asked for, once."""

    __slots__ = ("_kinds", "_terms", "_version")

    def __init__(self) -> None:
        self._version = -1
        self._kinds: dict[tuple[object, ...], Kind] = {}
        self._terms: dict[tuple[object, ...], tuple[object, ...]] = {}

    def shared(self, kind: Kind, version: int) -> Kind:
        """Return the kind that equals `kind` under a version of the boards, maybe itself."""
        if version != self._version or len(self._kinds) >= KINDS_MAX:
            self._kinds.clear()
            self._terms.clear()
            self._version = version
        kind.terms = self._terms.setdefault(kind.terms, kind.terms)
        return self._kinds.setdefault(kind.key(), kind)
