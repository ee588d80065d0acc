"""The watch over every account: its row of the book follows its ledger, its guards the prices.

Run by the market-data actor, between two ticks: what it reads of an account is what the last input
made of it. An account is looked at exactly, from its ledger, whenever its ledger changed and
whenever prices may have carried one of its measures over a threshold; in between nothing is asked.
A look changes nothing but at a crossing. Whom a tick wakes is state, to the last bit: so a replay
and a restored run find the same crossings at the same inputs, also where many wait for their turn.
"""

from __future__ import annotations

from math import inf
from typing import Any
from zlib import crc32

from engine.account import Account
from engine.backlog import Backlog, first_of
from engine.boards import Boards
from engine.crossings import fall_back, recovered, stand, subject_of
from engine.exposure import exposure_of, margin_rate_max
from engine.facts import MS_NS, Facts, Moved, Stamp
from engine.group_watch import GroupWatch
from engine.guards import (
    CLUSTER_KEYS,
    DAY_KEYS,
    MARGIN,
    WEEK_KEYS,
    Figures,
    Guard,
    guards_of,
    read,
)
from engine.holdings import Holdings
from engine.limits import Owner
from engine.nothing import forget, own
from engine.timers import Timers, earliest
from riskd.messages import Check

CRC_PARTS = 2.0**34  # Four times as many as there are: a quarter of one.
ROUNDED_MONEY = 1000.0  # More than a step through rates can be off, in units of money.


class Watch:
    """Keeps the rows of all accounts true, and says when a measure crosses a threshold."""

    def __init__(self, boards: Boards, accounts: dict[str, Account]) -> None:
        self._boards = boards
        self._accounts = accounts
        self._owners: dict[int, Account] = {}  # By row.
        self._holdings = Holdings(boards)
        self._guards: dict[str, tuple[Guard, ...]] = {}  # By account with limits of its own.
        self._guards_version = -1
        self._rates: dict[int, float] = {}  # By row: by how much margin changes with exposure.
        self._timers = Timers()  # Of recoveries.
        self.groups = GroupWatch(boards)

    @property
    def backlog(self) -> Backlog:
        """Return who and what waits."""
        return self._boards.backlog

    def due_ns(self) -> int | None:
        """Return the steady instant at which something has recovered, None if nothing may."""
        return earliest(self._timers.next_ns(), self.groups.due_ns())

    def take(self, moved: Moved, stamp: Stamp, facts: Facts) -> None:
        """Take a change of one account's ledger, or of what is declared for all."""
        self._wake(self._boards.book.exchange(stamp.recv_ns), stamp, facts)
        if moved.account is None:
            self.backlog.looks.clear()  # For everybody is looked at.
            for account in self._accounts.values():
                self._forget_standings(account, facts)
                self._follow(account, moved, stamp, facts)
            self._holdings.moved.clear()  # All groups are made anew.
            self.groups.declare(stamp, facts)
        else:
            self.backlog.looks.pop(moved.account, None)
            self.follow(self._accounts[moved.account], moved, stamp, facts)

    def remove(self, name: str, stamp: Stamp, facts: Facts) -> None:
        """Watch an account that is closed no more; its groups go on without it."""
        self._wake(self._boards.book.exchange(stamp.recv_ns), stamp, facts)
        self.backlog.looks.pop(name, None)
        self.backlog.recoveries.pop(name, None)
        self._timers.drop(name)
        row = self._holdings.remove(name)
        del self._owners[row]
        self._rates.pop(row, None)
        self.groups.follow(self._holdings.moved, stamp, facts)

    def price(self, symbol: str, stamp: Stamp, facts: Facts) -> None:
        """Take the newest price of a symbol into every row that it moves."""
        woken = self._boards.book.moved(symbol, stamp.recv_ns)
        if woken:
            self._wake(woken, stamp, facts)

    def correlated(self, stamp: Stamp, facts: Facts) -> None:
        """Look at who is limited in what moves together: other symbols do than before."""
        rows = [
            account.water.row
            for account in self._accounts.values()
            if any(guard.kind.key in CLUSTER_KEYS for guard in self._guards_of(account))
        ]
        self._wake(rows, stamp, facts)

    def elapse(self, stamp: Stamp, facts: Facts) -> None:
        """Let measures fall back that have recovered for long enough; take in rates grown old."""
        for name in self._timers.take_due(stamp.steady_ns):
            standings = self._accounts[name].water.state.standings.values()
            if any(standing.is_due(stamp.steady_ns) for standing in standings):
                self.backlog.recoveries[name] = None
            else:  # What it waited for has become worse again, or something else is later.
                self._await_recovery(self._accounts[name])
        self._wake(self._boards.book.exchange(stamp.recv_ns), stamp, facts)
        self.groups.elapse(stamp, facts)

    def catch_up(self, stamp: Stamp, facts: Facts, *, wholly: bool = False) -> None:
        """Look at who waits, as long as the input has turns; `wholly`: at all of them."""
        backlog = self.backlog
        backlog.begin(stamp.seq)
        while (backlog.looks or backlog.recoveries) and (wholly or backlog.turns > 0):
            before = len(facts)
            if backlog.looks:
                self._look_at(self._accounts[first_of(backlog.looks)], stamp, facts)
            else:
                self._recover_all(self._accounts[first_of(backlog.recoveries)], stamp, facts)
            backlog.took(crossed=len(facts) > before)

    def look_first(self, account: str, message: Any, stamp: Stamp) -> Facts:
        """Look at one account now, if it waits: a message is about to be judged, or to change it.

        Returns what it says. A dry run changes nothing.
        """
        facts: Facts = []
        if account in self.backlog.looks and not (isinstance(message, Check) and message.dry_run):
            del self.backlog.looks[account]
            self._look_at(self._accounts[account], stamp, facts)
            self._accounts[account].forget_credit()
        return facts

    def _recover_all(self, account: Account, stamp: Stamp, facts: Facts) -> None:
        standings = account.water.state.standings
        if account.water.is_known() and account.valuation.refresh() is None:
            figures = figures_of(account, self._rate_of(account))
            for guard in self._guards_of(account):
                standing = standings.get(guard.kind.key)
                if standing is not None and standing.is_due(stamp.steady_ns):
                    fall_back(standings, subject_of(account), guard, figures, facts)
            self._look(account, stamp, facts)  # Other thresholds matter now.
        self._await_recovery(account)

    def _await_recovery(self, account: Account) -> None:
        for standing in account.water.state.standings.values():
            if standing.until_ns is not None:
                self._timers.ask(account.id, standing.until_ns)

    def restore(self) -> None:
        """Take up the accounts of a restored state."""
        self._holdings.take_up(self._accounts.values())
        for account in self._accounts.values():
            self._owners[account.water.row] = account
            if len(account.state.cash) > 1:  # Only then a rate may be awaited.
                is_known = account.water.is_known() and account.valuation.refresh() is None
                if not is_known:
                    self._holdings.await_rates(account)
            self._holdings.count(account)
            if account.id not in self.backlog.recoveries:
                self._await_recovery(account)
        self.groups.restore()

    def _wake(self, rows: list[int], stamp: Stamp, facts: Facts) -> None:
        """Look at accounts that prices may have carried over a threshold, or made known.

        In the order of their names: that of the book would tell a restored run from one that was
        not.
        """
        # An account that was rebuilt has another row; its old one has no owner.
        woken = sorted(self._owners[row].id for row in rows if row in self._owners)
        self.backlog.looks |= dict.fromkeys(woken)
        if len(woken) < len(rows):
            self.groups.wake(rows, stamp, facts)
        self.catch_up(stamp, facts)

    def _look_at(self, account: Account, stamp: Stamp, facts: Facts) -> None:
        if not account.water.is_known():
            self.follow(account, Moved(account.id), stamp, facts)
        elif account.valuation.refresh() is None:
            self._look(account, stamp, facts)

    def follow(self, account: Account, moved: Moved, stamp: Stamp, facts: Facts) -> None:
        """Make an account's row what its ledger says now, and look at it, and at its groups."""
        self._follow(account, moved, stamp, facts)
        if self._holdings.moved:
            self.groups.follow(self._holdings.moved, stamp, facts)

    def _follow(self, account: Account, moved: Moved, stamp: Stamp, facts: Facts) -> None:
        water = account.water
        released = self._holdings.hold(account, moved.transfers)
        if released is not None:
            del self._owners[released]
        self._owners[water.row] = account
        for currency, money in moved.transfers:
            unrated = own(water.state, "unrated")
            unrated[currency] = unrated.get(currency, 0) + money
        if moved.began:
            for key in DAY_KEYS + (WEEK_KEYS if moved.began == "week" else ()):
                if water.state.standings.pop(key, None) is not None:
                    facts += recovered(subject_of(account), key)
        known = account.valuation.refresh() is None
        if known:
            self._holdings.pocket(account)
            self._rates[water.row] = margin_rate_max(account)
            account.open_day()
            transferred = self._transferred_money(account)
            water.anchor(account.valuation.equity_money, stamp.recv_ns, transferred)
        else:
            water.lose()
            self._holdings.await_rates(account)
        if moved.began:
            water.begin(week=moved.began == "week", now_ns=stamp.recv_ns)
        self._holdings.count(account)
        if known:
            self._look(account, stamp, facts)

    def _look(self, account: Account, stamp: Stamp, facts: Facts) -> None:
        """Find where an account's measures stand now, and how far prices may move until then."""
        guards, standings = self._guards_of(account), account.water.state.standings
        slack, has_margin = inf, bool(guards) and guards[-1].kind.key == MARGIN
        figures = figures_of(account, self._rate_of(account), has_margin=has_margin)
        subject = subject_of(account)
        until_ns = stamp.steady_ns + self._boards.settings.dwell_ms * MS_NS
        for guard in guards:
            standing = standings.get(guard.kind.key)
            reading = read(guard, figures, 0 if standing is None else standing.level)
            slack = min(slack, reading.slack)
            if stand(
                standings, subject, guard, reading, figures=figures, until_ns=until_ns, facts=facts
            ):
                self._timers.ask(account.id, until_ns)
        # Accounts of one kind would all be looked at on one tick, were it not for their names.
        spread = 0.75 + crc32(account.id.encode()) / CRC_PARTS
        account.water.arm(slack * spread - ROUNDED_MONEY)

    def _rate_of(self, account: Account) -> float:
        """Return by how much margin changes with exposure: as it did at the last change."""
        row = account.water.row
        rate = self._rates.get(row)
        if rate is None:  # A start from a snapshot leaves it to the first look.
            rate = self._rates[row] = margin_rate_max(account)
        return rate

    def _guards_of(self, account: Account) -> tuple[Guard, ...]:
        boards = self._boards
        if self._guards_version != boards.version:
            self._guards.clear()
            self._guards_version = boards.version
        name = account.id if account.id in boards.limits.account else ""
        found = self._guards.get(name)
        if found is None:
            owner = Owner(name, (), "", "", "")
            found = self._guards[name] = guards_of(boards.limits, owner, boards.settings)
        return found

    def _forget_standings(self, account: Account, facts: Facts) -> None:
        """Drop the standings of measures that no limit asks for any more."""
        kept = [guard.kind.key for guard in self._guards_of(account)]
        for key in [key for key in account.water.state.standings if key not in kept]:
            del account.water.state.standings[key]
            facts += recovered(subject_of(account), key)

    def _transferred_money(self, account: Account) -> int:
        """Return what was transferred and no span knows of, at the rates of now."""
        waiting, total = account.water.state.unrated, 0
        for currency, money in list(waiting.items()):
            converted = account.convert(money, currency)
            if converted is not None:
                total += converted
                forget(waiting, currency)
        return total


def figures_of(account: Account, margin_rate: float, *, has_margin: bool = True) -> Figures:
    """Return what guards look at. Equity is known and its valuation was refreshed.

    Margin is counted where `has_margin` says that a guard looks at it.
    """
    valuation, exposure = account.valuation, exposure_of(account)
    together, together_money = account.boards.quotes.correlations.together(exposure.sizes)
    return Figures(
        equity_money=valuation.equity_money,
        loss_money=-account.day_pnl_money(),
        peaks_money=account.water.peaks_money(),
        gross_money=exposure.gross_money,
        net_money=exposure.net_money,
        top_money=exposure.top_money,
        together_money=together_money,
        names=(exposure.top_symbol, together),
        used_money=valuation.used_money() if has_margin else 0,
        margin_rate=margin_rate,
    )
