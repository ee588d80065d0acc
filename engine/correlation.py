"""Return correlations of symbols, exponentially weighted, from marks sampled at a fixed interval.

A sample is taken when the first tick comes at or after its instant, from the marks that stood
before it. A return is the relative change of a mark between two samples, or its absolute change
where an instrument may trade below zero: a correlation knows no units. A pair counts a sample only
if both of its symbols had news since the one before, so that a closed market makes nobody forget.

    products = w * products + r_i * r_j        w = 0.5 ** (1 / half_life_samples)
    squares  = w * squares  + r_i * r_i        of the samples that both symbols share
    correlation = products / sqrt(squares_i * squares_j)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from riskd.messages import CorrelationSettings

SYMBOLS_MAX = 128  # Symbols that are sampled: the first that have a mark.
Matrix = NDArray[np.float64]


class Mark(NamedTuple):
    """A symbol as a sample sees it."""

    symbol: str
    milliticks: int
    version: int  # Changes with every tick.
    may_be_negative: bool


class CorrelationState(Struct):
    """What the samples left behind; matrices are rows of float64, as bytes."""

    next_steady_ns: int = 0  # When the next sample is due.
    sample_ms: int = 0  # The interval they were taken at.
    symbols: list[str] = []
    milliticks: list[int] = []  # Of each symbol, at the last sample.
    versions: list[int] = []
    products: bytes = b""
    squares: bytes = b""  # Of the row's symbol, over what it shares with the column's.
    counts: bytes = b""  # Samples that each pair shares.


class Correlations:
    """The correlations of every pair as of the last sample. A sample costs O(symbols squared)."""

    def __init__(self, settings: CorrelationSettings) -> None:
        self.state = CorrelationState()
        self._settings = settings
        self._products = self._squares = self._counts = _matrix(b"", 0)
        self._peers: dict[str, tuple[str, ...]] = {}

    def configure(self, settings: CorrelationSettings) -> None:
        """Put other settings in force; with another interval everything begins anew."""
        self._settings = settings
        is_other = self.state.sample_ms not in (0, settings.sample_ms)
        self._put(CorrelationState() if is_other else self.state)

    def restore(self, state: CorrelationState) -> None:
        """Go on from what `state` says."""
        self._put(state)

    def is_due(self, steady_ns: int) -> bool:
        """Return whether a sample is to be taken before anything of this instant is applied."""
        return steady_ns >= self.state.next_steady_ns

    def sample(self, marks: Sequence[Mark], steady_ns: int) -> bool:
        """Take one sample of the marks that stand; they come in the same order every time.

        Returns whether other symbols move together than before.
        """
        before = self._peers
        state, interval_ns = self.state, self._settings.sample_ms * 1_000_000
        state.sample_ms = self._settings.sample_ms
        state.next_steady_ns = (steady_ns // interval_ns + 1) * interval_ns
        known = {mark.symbol: mark for mark in marks}
        if state.symbols:
            self._weigh([known[symbol] for symbol in state.symbols])
        for mark in marks:
            if mark.symbol not in state.symbols and len(state.symbols) < SYMBOLS_MAX:
                state.symbols.append(mark.symbol)
                state.milliticks.append(mark.milliticks)
                state.versions.append(mark.version)
        grown = len(state.symbols) - len(self._counts)
        self._products = np.pad(self._products, (0, grown))
        self._squares = np.pad(self._squares, (0, grown))
        self._counts = np.pad(self._counts, (0, grown))
        state.products, state.squares = self._products.tobytes(), self._squares.tobytes()
        state.counts = self._counts.tobytes()
        self._find_peers()
        return self._peers != before

    def symbols(self) -> tuple[str, ...]:
        """Return the symbols of the rows and columns of `matrix`."""
        return tuple(self.state.symbols)

    def matrix(self) -> Matrix:
        """Return the correlation of every pair; not a number where it is not known yet.

        Unknown: fewer samples shared than `samples_min`, or one of both never moved in them.
        """
        size = np.sqrt(self._squares * self._squares.T)
        known = (self._counts >= self._settings.samples_min) & (size > 0)
        found = np.full(size.shape, np.nan)
        np.divide(self._products, size, out=found, where=known)
        return np.clip(found, -1.0, 1.0, out=found)

    def between(self, one: str, other: str) -> float | None:
        """Return the correlation of two symbols, None if it is not known yet."""
        symbols = self.state.symbols
        if one not in symbols or other not in symbols:
            return None
        found = float(self.matrix()[symbols.index(one), symbols.index(other)])
        return None if np.isnan(found) else found

    def peers(self, symbol: str) -> tuple[str, ...]:
        """Return the other symbols whose correlation with `symbol` is at least the threshold."""
        return self._peers.get(symbol, ())

    def together(self, sizes: Mapping[str, int]) -> tuple[tuple[str, ...], int]:
        """Return the largest sum of a symbol and its peers, with those that are in it.

        Only of symbols that have a peer among those of `sizes`: nothing, and zero, if none has.
        """
        names: tuple[str, ...] = ()
        largest = 0
        for symbol, size in sizes.items() if self._peers else ():
            peers = [peer for peer in self.peers(symbol) if sizes.get(peer)]
            total = size + sum(sizes[peer] for peer in peers)
            if size and peers and total > largest:
                names, largest = (symbol, *peers), total
        return names, largest

    def clusters(self, symbols: Sequence[str]) -> list[tuple[str, ...]]:
        """Return `symbols` in clusters: linked by peers among them, directly or by way of others.

        Each symbol is in one cluster, alone if it has no peer; both orders are those of `symbols`.
        """
        cluster_of: dict[str, str] = {}
        for first in symbols:
            reached = [] if first in cluster_of else [first]
            while reached:
                symbol = reached.pop()
                if symbol not in cluster_of:
                    cluster_of[symbol] = first
                    reached += [peer for peer in self.peers(symbol) if peer in symbols]
        found: dict[str, list[str]] = {}
        for symbol in dict.fromkeys(symbols):
            found.setdefault(cluster_of[symbol], []).append(symbol)
        return [tuple(members) for members in found.values()]

    def _put(self, state: CorrelationState) -> None:
        self.state, size = state, len(state.symbols)
        self._products = _matrix(state.products, size)
        self._squares = _matrix(state.squares, size)
        self._counts = _matrix(state.counts, size)
        self._find_peers()

    def _weigh(self, marks: list[Mark]) -> None:
        """Take the returns since the last sample into every pair that had news on both sides."""
        state = self.state
        before = np.array(state.milliticks, dtype=np.float64)
        now = np.array([mark.milliticks for mark in marks], dtype=np.float64)
        scale = np.where([mark.may_be_negative for mark in marks], 1.0, before)
        returns = (now - before) / scale
        versions = [mark.version for mark in marks]
        news = np.array(versions) != np.array(state.versions)
        both = np.outer(news, news)
        weight = 0.5 ** (1 / self._settings.half_life_samples)
        products = weight * self._products + np.outer(returns, returns)
        squares = weight * self._squares + (returns * returns)[:, np.newaxis]
        self._products = np.where(both, products, self._products)
        self._squares = np.where(both, squares, self._squares)
        self._counts = self._counts + both
        state.milliticks, state.versions = [mark.milliticks for mark in marks], versions

    def _find_peers(self) -> None:
        symbols = self.state.symbols
        related = self.matrix() >= self._settings.threshold
        np.fill_diagonal(related, False)
        rows = zip(symbols, related, strict=True)
        self._peers = {
            symbol: tuple(symbols[column] for column in np.flatnonzero(row))
            for symbol, row in rows
            if row.any()
        }


def _matrix(rows: bytes, size: int) -> Matrix:
    return np.frombuffer(rows, dtype=np.float64).reshape(size, size)
