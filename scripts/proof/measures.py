"""Prove that every published measure is what the raw file makes of it, on every recorded day.

Hundreds of accounts, netting and hedging, average cost and first-in first-out, in every margin
model, are filled, busted, charged, funded, paid in and out of and rolled at random while the day
is played through the engine. At every row all that has a memory is held against numpy over the raw
file, of every account: equity, peak and its instant, trough, low and deepest fall of the book, the
best and the worst of every open trade of the symbol that moved; and all that is published of every
group and the firm. What has no memory is made from the ledger when it is asked for: it is compared
with all else that is published of `accounts_a_row` accounts, everybody in turn.
"""

from __future__ import annotations

import time
from pathlib import Path
from random import Random
from typing import NamedTuple

import numpy as np

from engine.firm import firm_drawdown, firm_exposure, firm_pnl
from engine.limits import FIRM
from engine.measures import (
    check_view,
    drawdown_update,
    exposure_update,
    margin_update,
    risk_update,
)
from engine.standing import excursion
from engine.views import pnl_update, position_update
from riskd.messages import (
    AccountSpec,
    Configure,
    CostMethod,
    DayBegan,
    GroupSpec,
    MarginModel,
    PositionMode,
    RiskSettings,
    Tick,
    Universe,
    UpdateType,
)
from scripts.proof import told
from scripts.proof.random_bookings import Bookings
from scripts.proof.recordings import DAYS, Day, Row, rows_in
from scripts.proof.sameness import CLOSE, require_told
from scripts.proof.truth import LEGS, MONEY, Numbers, SpanTruth, Truth
from tests.builders import StampedCore

SHARED = Path(__file__).resolve().parents[3] / "shared"
ACCOUNTS = 240
BALANCE = 1_000_000.0
LEVERAGE = 20.0
MODELS = (MarginModel.LEVERAGE, MarginModel.RATE, MarginModel.TIERS)
GROUPS = ("desk", "client", "house")
DATES = (  # A day, the next of the same week, and one of another week and month.
    ("2020-03-02", "2020-03-02", "2020-03-01", ("day", "week", "month")),
    ("2020-03-03", "2020-03-02", "2020-03-01", ("day",)),
    ("2020-04-06", "2020-04-06", "2020-04-01", ("day", "week", "month")),
)


class Size(NamedTuple):
    """How much of a day is played, and how much of it is held against the file."""

    rows_max: int | None = None  # None: all of it.
    accounts_a_row: int = 1  # Everything published of so many is compared at each row, in turn.
    bookings_each: int = 12  # Of an account in a day.


class Tally(NamedTuple):
    """What was compared; a difference ends the proof."""

    rows: int = 0
    bookings: int = 0
    row_figures: int = 0  # Of the book: of every account at every row.
    published: int = 0  # Figures as a subscriber would see them.

    @property
    def is_clean(self) -> bool:
        """Return whether anything was compared: a difference would have been raised."""
        return self.published > 0


def prove_measures(count: int, seed: int) -> Tally:
    """Play every row of every day, comparing `count` accounts whole at each; print the figures."""
    total = Tally()
    for name in DAYS:
        begun_s = time.monotonic()
        tally = play(SHARED, name, Size(accounts_a_row=count), seed)
        print(f"{name}: {figures(tally)}, {time.monotonic() - begun_s:.0f} s", flush=True)
        total = Tally(*(one + other for one, other in zip(total, tally, strict=True)))
    print(f"all: {figures(total)}: every one as the raw file makes it", flush=True)
    return total


def figures(tally: Tally) -> str:
    """Return a tally in words."""
    return (
        f"{tally.rows:,} rows, {tally.bookings:,} bookings, {tally.row_figures:,} figures of the "
        f"book, {tally.published:,} published figures"
    )


def play(shared: Path, name: str, size: Size, seed: int = 1) -> Tally:
    """Play a day and compare; raise AssertionError at the first figure that differs."""
    return Play(DAYS[name], rows_in(shared, name, size.rows_max), size, seed).run()


def declared(day: Day) -> tuple[AccountSpec, ...]:
    """Return accounts of every kind, in turn."""
    return tuple(
        AccountSpec(
            id=f"A{number:03d}",
            group=GROUPS[number % len(GROUPS)],
            balance=BALANCE,
            currency=day.currencies[number % len(day.currencies)],
            position_mode=tuple(PositionMode)[number // 2 % 2],
            cost_method=tuple(CostMethod)[number // 4 % 2],
            margin_model=MODELS[number // 8 % len(MODELS)],
            leverage=LEVERAGE,
        )
        for number in range(ACCOUNTS)
    )


class Play:
    """One day, the engine and the truth side by side."""

    def __init__(self, day: Day, rows: list[Row], size: Size, seed: int) -> None:
        self._day, self._rows, self._size = day, rows, size
        accounts = declared(day)
        house = self._house = StampedCore()
        groups = (
            GroupSpec(id="desk"),
            GroupSpec(id="client", parent="desk"),
            GroupSpec(id="house"),
        )
        universe = Universe(
            settings=RiskSettings(mark=day.mark, fx_stale_after_ms=10**9, reservation_ms=10**9),
            instruments=day.specs,
            groups=groups,
            accounts=accounts,
        )
        house.send(Configure(universe=universe))
        self._engine = [house.core.accounts[one.id] for one in accounts]
        self._places = np.array([one.water.row for one in self._engine])
        own = np.array([GROUPS.index(one.group) for one in accounts])
        self._members = {
            FIRM: np.ones(len(accounts), bool),
            "desk": own <= 1,  # The client is below the desk.
            "client": own == 1,
            "house": own == 2,
        }
        self._truth = Truth(day, accounts, self._members, house.stamp.recv_ns)
        first = max(
            next(number for number, row in enumerate(rows) if row.symbol == one.symbol)
            for one in day.specs
        )
        self._bookings = Bookings(house, self._truth, day, rows, Random(seed))
        self._bookings.spread(first, size.bookings_each * len(accounts))
        self._dates = dict(zip((0, len(rows) // 3, 2 * len(rows) // 3), DATES, strict=True))
        self._first = first
        self._peaks: Numbers = np.zeros(0)

    def run(self) -> Tally:
        """Play every row; return what was compared."""
        looked = published = turn = 0
        for number, row in enumerate(self._rows):
            self._begin_day(number)
            self._tick(row)
            if number < self._first:
                continue
            self._note_peaks()
            self._bookings.of_row(number, row)
            try:
                looked += self._compare_book() + self._compare_excursions(row.symbol)
                for _ in range(self._size.accounts_a_row):
                    published += self._compare_account(turn % ACCOUNTS)
                    turn += 1
                published += self._compare_firm()
            except AssertionError as error:
                raise AssertionError(f"row {number}, {row}: {error}") from error
        return Tally(len(self._rows), self._bookings.count, looked, published)

    def _begin_day(self, number: int) -> None:
        if number in self._dates:
            day, week, month, names = self._dates[number]
            self._house.send(DayBegan(calendar="UTC", day=day, week=week, month=month))
            self._truth.begin_day(names, self._house.stamp.recv_ns)
            self._peaks = self._peaks_now()

    def _tick(self, row: Row) -> None:
        bid, ask = float(row.bid), float(row.ask)
        last = bid if self._day.mark == "last" else None
        self._house.send(Tick(symbol=row.symbol, bid=bid, ask=ask, last=last))
        self._truth.price(row, self._house.stamp.recv_ns)

    def _note_peaks(self) -> None:
        """Require that a tick lifts each peak to exactly the equity that is told, or not at all."""
        book = self._house.core.boards.book
        equity, peak = book.equity.many[self._places], book.peak.many[self._places]
        if self._peaks.size:
            assert np.array_equal(peak, np.maximum(self._peaks, equity)), "a peak missed a tick"

    def _compare_book(self) -> int:
        """Hold every account's row against the truth."""
        book, truth = self._house.core.boards.book, self._truth
        base = np.array([one.water.state.base_money for one in self._engine], np.int64)
        day: SpanTruth = truth.spans["day"]
        deepest = np.maximum(book.fall.many, book.peak.many - book.trough.many)[self._places]
        for name, column, expected in (
            ("equity", book.equity, truth.equity),
            ("peak", book.peak, day.peak),
            (
                "trough",
                book.trough,
                np.where(day.is_tied(), book.trough.many[self._places] + base, day.trough),
            ),
            ("low", book.low, day.low),
        ):
            found = column.many[self._places]
            self._require(name, found.astype(truth.equity.dtype) + base, expected)
        self._require("deepest", deepest.astype(truth.equity.dtype), day.deepest())
        self._peaks = self._peaks_now()
        if not truth.exact:  # A difference of floats says which instant it was.
            return 5 * len(base)
        assert np.array_equal(book.peak_ns.many[self._places], day.peak_ns), "peak_ns of the book"
        return 6 * len(base)

    def _compare_excursions(self, symbol: str) -> int:
        """Hold the best and the worst of everybody's open trades in a symbol against the truth."""
        paper, boards = self._truth.papers[symbol], self._house.core.boards
        quote, instrument = boards.quotes.quotes[symbol], boards.instruments[symbol]
        found = np.zeros((2, len(paper.legs)), np.int64)
        count = 0
        for index, account in enumerate(self._engine):
            position = account.state.positions.get(symbol)
            if position is None:
                continue
            for leg, name in enumerate(LEGS) if position.books.legs else ((0, None),):
                if name is None or name in position.books.legs:
                    seen = excursion(position, quote, instrument, name)
                    if seen is not None:
                        found[:, 2 * index + leg] = seen.best_money, seen.worst_money
                        count += 2
        assert np.array_equal(found[0], paper.best), f"MFE of {symbol}"
        assert np.array_equal(found[1], paper.worst), f"MAE of {symbol}"
        return count

    def _peaks_now(self) -> Numbers:
        found: Numbers = self._house.core.boards.book.peak.many[self._places]
        return found

    def _require(self, name: str, found: Numbers, expected: Numbers) -> None:
        if self._truth.exact:
            assert np.array_equal(found, expected), f"{name} of the book"
        else:
            assert np.abs(found - expected).max() <= CLOSE * BALANCE * MONEY, name

    def _compare_account(self, index: int) -> int:
        """Hold everything that is published of an account against the truth."""
        truth, account, now_ns = self._truth, self._engine[index], self._house.stamp.recv_ns
        expected = told.Account(truth, index)
        scale = 0.0 if truth.exact else max(expected.equity, expected.gross) / MONEY
        drawdown = expected.drawdown(now_ns)
        working = self._bookings.working[index]
        count = 0
        for found, wanted in (
            (pnl_update(account, now_ns), expected.pnl()),
            (exposure_update(account, now_ns), expected.exposure() | {"open_orders": len(working)}),
            (margin_update(account, now_ns), expected.margin()),
            (drawdown_update(account, now_ns), drawdown),
            *(
                (position_update(account, held, now_ns), expected.position(symbol, now_ns))
                for symbol, held in account.state.positions.items()
            ),
            *(
                (risk_update(account, UpdateType(name), now_ns), {"current_value": value})
                for name, value in expected.measures().items()
            ),
        ):
            try:
                count += require_told(found, wanted, scale)
            except AssertionError as error:
                raise AssertionError(f"{account.id} {type(found).__name__} {error}") from error
        assert check_view(account)["drift"] == 0 or not truth.exact
        cash, ledger = account.state.cash, truth.ledgers[index]
        differs = [key for key in cash | ledger if cash.get(key, 0) != ledger.get(key, 0)]
        assert not differs, f"{account.id}: {cash}, to the last unit {ledger}"
        return count

    def _compare_firm(self) -> int:
        """Hold what is published of the firm and its groups against the truth."""
        truth, boards = self._truth, self._house.core.boards
        now_ns, count, rates = self._house.stamp.recv_ns, 0, self._truth.rates()
        scale = 0.0 if truth.exact else float(truth.group_equity.max()) / MONEY
        for number, (group, members) in enumerate(self._members.items()):
            expected = told.firm_exposure(truth, members)
            count += require_told(firm_exposure(boards, group, now_ns), expected, scale)
            expected = told.group_drawdown(truth, number, now_ns)
            count += require_told(firm_drawdown(boards, group, now_ns), expected, scale)
        known = len(self._house.core.accounts)
        worth, earned = (
            sum((figure * rates[truth.own] if not truth.exact else figure).tolist()) / MONEY
            for figure in (truth.equity, truth.earned("day"))
        )
        firm = {"equity": worth, "day": earned, "accounts": known, "unknown": 0}
        return count + require_told(firm_pnl(boards, FIRM, now_ns), firm, scale)
