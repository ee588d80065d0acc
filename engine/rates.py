"""Exchange rates, made from the quotes of pairs.

A rate stands for `fx_stale_after_ms` after its pair's last price. Then it is old: money is still
worth what it was, told as incomplete, but exposure counts `fx_haircut_pct` more. A currency whose
rate was never known has none: it is never counted as zero.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from engine.instruments import Instrument
from engine.money import divide_half_even, exact_fraction
from engine.quote import Quote
from riskd.messages import RiskSettings


class Rate(NamedTuple):
    """An exchange rate as an exact quotient: money x numerator / denominator."""

    numerator: int
    denominator: int


ONE = Rate(1, 1)


def converted(money: int, rate: Rate) -> int:
    """Return money in another currency, half-even."""
    numerator, denominator = rate
    return money if numerator == denominator else divide_half_even(money * numerator, denominator)


def converted_away(money: int, rate: Rate) -> int:
    """Return money in account currency, rounded away from zero."""
    size = -(-abs(money) * rate.numerator // rate.denominator)
    return size if money >= 0 else -size


def ends_away(upper: int, lower: int, rate: Rate, offset: Rate | None) -> tuple[int, int]:
    """Return both ends of an exposure converted, wide where that makes it larger."""
    assert offset is not None  # Where `rate` is known.
    return (
        converted_away(upper, rate if upper > 0 else offset),
        converted_away(lower, rate if lower < 0 else offset),
    )


class ExchangeRates:
    """The rates of every pair of a board of quotes; `rates_version` changes with each price."""

    __slots__ = (
        "_due_ns",
        "_exposure_rates",
        "_haircut",
        "_instruments",
        "_pairs",
        "_pivot",
        "_rates",
        "_stale_after_ns",
        "quotes",
        "rates_version",
        "renewed",
    )

    def __init__(self, settings: RiskSettings) -> None:
        self.quotes: dict[str, Quote] = {}
        self.rates_version = 0
        self.renewed: list[str] = []  # Pairs whose rate was old until this input.
        self._instruments: dict[str, Instrument] = {}
        self._pairs: dict[tuple[str, str], str] = {}  # (base, quote currency) to symbol.
        self._rates: dict[tuple[str, str], Rate | None] = {}
        self._exposure_rates: dict[tuple[str, str], Rate | None] = {}
        self._due_ns: int | None = None
        self._put_settings(settings)

    def rate(self, source: str, target: str) -> Rate | None:
        """Return what one unit of `source` is worth in `target`, or None if no path was quoted.

        The path is stated and the same on every run: the pair source+target, else the inverse of
        target+source, else the product of both legs through the pivot currency; one without an
        old rate goes before one with. Of several symbols of a pair the first declared counts.
        Mid prices.
        """
        if source == target:
            return ONE
        key = (source, target)
        if key not in self._rates:
            self._find(key)
        return self._rates[key]

    def exposure_rate(self, source: str, target: str) -> Rate | None:
        """Return the rate that exposure counts with: with the haircut, if the rate is old."""
        if source == target:
            return ONE
        key = (source, target)
        if key not in self._exposure_rates:
            self._find(key)
        return self._exposure_rates[key]

    def is_old(self, source: str, target: str) -> bool:
        """Return whether the rate between two currencies is known but old."""
        return self.rate(source, target) != self.exposure_rate(source, target)

    def due_steady_ns(self) -> int | None:
        """Return when a rate may have grown old, None if none can."""
        return self._due_ns

    def grow_old(self, steady_ns: int) -> list[str]:
        """Mark the pairs whose last price is too old by now; return those that just became so."""
        grown = [
            symbol for symbol, at_ns in self._fresh() if steady_ns - at_ns > self._stale_after_ns
        ]
        for symbol in grown:
            self.quotes[symbol].rate_is_old = True
        self.expect_old()
        if grown:
            self._forget_rates()
        return grown

    def expect_old(self) -> None:
        """Find out when the next rate may grow old."""
        oldest_ns = min((at_ns for _, at_ns in self._fresh()), default=None)
        self._due_ns = None if oldest_ns is None else oldest_ns + self._stale_after_ns + 1

    def _fresh(self) -> Iterator[tuple[str, int]]:
        """Yield the pairs with a rate that is not old, and when it came."""
        for symbol in self._pairs.values():
            quote = self.quotes[symbol]
            if not quote.rate_is_old and self._mid(symbol) is not None:
                touched = quote.bid is not None and quote.ask is not None
                yield symbol, quote.touch_steady_ns if touched else quote.last_steady_ns

    def _put_settings(self, settings: RiskSettings) -> None:
        self._pivot = settings.fx_pivot
        self._haircut = 1 + exact_fraction(settings.fx_haircut_pct) / 100
        self._stale_after_ns = settings.fx_stale_after_ms * 1_000_000
        self.expect_old()
        self._forget_rates()

    def _add_pair(self, base: str, currency: str, symbol: str) -> None:
        self._pairs.setdefault((base, currency), symbol)
        self._forget_rates()

    def _refresh_rate(self, quote: Quote, steady_ns: int) -> None:
        if quote.rate_is_old:
            self.renewed.append(quote.symbol)
        quote.rate_is_old = False
        if self._due_ns is None:  # Later prices of others only make it later: it is looked again.
            self._due_ns = steady_ns + self._stale_after_ns + 1
        self._forget_rates()

    def _forget_rates(self) -> None:
        self._rates.clear()
        self._exposure_rates.clear()
        self.rates_version += 1

    def _find(self, key: tuple[str, str]) -> None:
        """Find the rates of two currencies: a path without old rates, else any."""
        found = self._path(*key, old=False)
        self._rates[key] = self._exposure_rates[key] = found
        if found is None:
            found = self._rates[key] = self._path(*key, old=True)
            if found is not None:
                part, whole = self._haircut.as_integer_ratio()
                wider = Rate(found.numerator * part, found.denominator * whole)
                self._exposure_rates[key] = wider

    def _path(self, source: str, target: str, *, old: bool) -> Rate | None:
        found = self._direct(source, target, old=old)
        if found is None and self._pivot not in (source, target):
            first = self._direct(source, self._pivot, old=old)
            second = self._direct(self._pivot, target, old=old)
            if first is not None and second is not None:
                found = Rate(
                    first.numerator * second.numerator, first.denominator * second.denominator
                )
        return found

    def _direct(self, source: str, target: str, *, old: bool) -> Rate | None:
        symbol = self._pairs.get((source, target))
        rate = self._quoted(symbol, old=old) if symbol else None
        if rate is not None:
            return rate
        symbol = self._pairs.get((target, source))
        rate = self._quoted(symbol, old=old) if symbol else None
        return Rate(rate.denominator, rate.numerator) if rate is not None else None

    def _quoted(self, symbol: str, *, old: bool) -> Rate | None:
        return self._mid(symbol) if old or not self.quotes[symbol].rate_is_old else None

    def _mid(self, symbol: str) -> Rate | None:
        quote = self.quotes[symbol]
        if quote.bid is not None and quote.ask is not None:
            twice = quote.bid + quote.ask
        elif quote.last is not None:
            twice = 2 * quote.last
        else:
            return None
        instrument = self._instruments[symbol]
        return Rate(twice * instrument.tick_numerator, 2000 * instrument.tick_denominator)
