"""The watch over every account: its row of the book follows its ledger, its guards the prices.

Run by the market-data actor, between two ticks: what it reads of an account is what the last input
made of it. An account is looked at exactly, from its ledger, whenever its ledger changed and
whenever prices may have carried one of its measures over a threshold; in between nothing is asked.
A look changes nothing but at a crossing, so it does not matter how often there is one: replays and
restored runs find the same crossings at the same ticks.
"""

from __future__ import annotations

from math import inf

from engine.account import Account
from engine.boards import Boards
from engine.exposure import exposure_of, margin_rate_max
from engine.facts import Facts, Moved, Raised, Resolved, Stamp, Stood
from engine.guards import (
    CLUSTER_KEYS,
    DAY_KEYS,
    LEVELS,
    MARGIN,
    MARGIN_LEVELS,
    WEEK_KEYS,
    Figures,
    Guard,
    Reading,
    guards_of,
    read,
)
from engine.high_water import Standing
from engine.holdings import Holdings
from engine.limits import Owner
from engine.money import MONEY_SCALE
from engine.timers import Timers
from riskd.messages import ResponseEvent, Severity

GOLDEN = 0.6180339887498949  # Multiples of it spread evenly over a unit.
ROUNDED_MONEY = 1000.0  # More than a step through rates can be off, in units of money.
SEVERITIES = (Severity.LOW, Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL)
RESPONSE_EVENTS = {
    "daily_loss": ResponseEvent.DAILY_LOSS,
    "drawdown_day_pct": ResponseEvent.DRAWDOWN,
    "drawdown_week_pct": ResponseEvent.DRAWDOWN,
    "drawdown_max_pct": ResponseEvent.DRAWDOWN,
    "gross_exposure": ResponseEvent.EXPOSURE,
    "net_exposure": ResponseEvent.EXPOSURE,
    "concentration_pct": ResponseEvent.CONCENTRATION,
    "correlated_exposure_pct": ResponseEvent.CORRELATION,
    "correlated_exposure": ResponseEvent.CORRELATION,
    "leverage": ResponseEvent.LEVERAGE,
    MARGIN: ResponseEvent.MARGIN,
}
MARGIN_SEVERITIES = (Severity.LOW, Severity.MEDIUM, Severity.CRITICAL, Severity.EXTREME)


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

    def due_ns(self) -> int | None:
        """Return the steady instant at which something has recovered, None if nothing may."""
        return self._timers.next_ns()

    def take(self, moved: Moved, stamp: Stamp, facts: Facts) -> None:
        """Take a change of one account's ledger, or of what is declared for all."""
        self._wake(self._boards.book.exchange(stamp.recv_ns), stamp, facts)
        if moved.account is None:
            for account in self._accounts.values():
                self._forget_standings(account, facts)
                self.follow(account, moved, stamp, facts)
        else:
            self.follow(self._accounts[moved.account], moved, stamp, facts)

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
        self._wake(self._boards.book.exchange(stamp.recv_ns), stamp, facts)
        for name in self._timers.take_due(stamp.steady_ns):
            account = self._accounts[name]
            standings = account.water.state.standings
            if account.water.is_known() and account.valuation.refresh() is None:
                figures = figures_of(account, self._rates[account.water.row])
                for guard in self._guards_of(account):
                    standing = standings.get(guard.kind.key)
                    if standing is not None and _is_due(standing, stamp):
                        self._recover(account, guard, figures, facts)
            for standing in standings.values():
                if standing.until_ns is not None:
                    self._timers.ask(name, standing.until_ns)

    def _recover(self, account: Account, guard: Guard, figures: Figures, facts: Facts) -> None:
        """Let a measure fall back to where it is, and say so: its alert is milder, or ends."""
        key, standings = guard.kind.key, account.water.state.standings
        level = read(guard, figures).kept
        if level:
            standings[key] = Standing(level)
            facts.append(_crossed(account, guard, level, before=level, figures=figures))
        else:
            del standings[key]
            facts += _recovered(account, key)

    def restore(self) -> None:
        """Take up the accounts of a restored state."""
        for account in self._accounts.values():
            self._owners[account.water.row] = account
            self._holdings.hold(account)
            if account.water.is_known() and account.valuation.refresh() is None:
                self._holdings.size_pockets(account)
                self._rates[account.water.row] = margin_rate_max(account)
            for standing in account.water.state.standings.values():
                if standing.until_ns is not None:
                    self._timers.ask(account.id, standing.until_ns)

    def _wake(self, rows: list[int], stamp: Stamp, facts: Facts) -> None:
        """Look at accounts that prices may have carried over a threshold, or made known.

        In the order of their names: that of the book would tell a restored run from one that was
        not.
        """
        # An account that was rebuilt has another row; its old one has no owner.
        woken = {self._owners[row].id: self._owners[row] for row in rows if row in self._owners}
        for _, account in sorted(woken.items()):
            if not account.water.is_known():
                self.follow(account, Moved(account.id), stamp, facts)
            elif account.valuation.refresh() is None:
                self._look(account, stamp, facts)

    def follow(self, account: Account, moved: Moved, stamp: Stamp, facts: Facts) -> None:
        """Make an account's row what its ledger says now, and look at it."""
        water = account.water
        released = self._holdings.hold(account)
        if released is not None:
            del self._owners[released]
        self._owners[water.row] = account
        for currency, money in moved.transfers:
            water.state.unrated[currency] = water.state.unrated.get(currency, 0) + money
        if moved.began:
            for key in DAY_KEYS + (WEEK_KEYS if moved.began == "week" else ()):
                if water.state.standings.pop(key, None) is not None:
                    facts += _recovered(account, key)
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
        if known:
            self._look(account, stamp, facts)

    def _look(self, account: Account, stamp: Stamp, facts: Facts) -> None:
        """Find where an account's measures stand now, and how far prices may move until then."""
        figures, slack = figures_of(account, self._rates[account.water.row]), inf
        for guard in self._guards_of(account):
            reading = read(guard, figures)
            slack = min(slack, reading.slack)
            self._stand(account, guard, reading, figures=figures, stamp=stamp, facts=facts)
        # Accounts of one kind would all be looked at on one tick, were it not for their rows.
        spread = 0.5 + 0.5 * (account.water.row * GOLDEN % 1.0)
        account.water.arm(slack * spread - ROUNDED_MONEY)

    def _stand(
        self,
        account: Account,
        guard: Guard,
        reading: Reading,
        *,
        figures: Figures,
        stamp: Stamp,
        facts: Facts,
    ) -> None:
        """Enter a worse standing at once; begin to leave one, or go on in it."""
        key, standings = guard.kind.key, account.water.state.standings
        standing = standings.get(key)
        before = standing.level if standing is not None else 0
        if reading.level > before:
            standings[key] = Standing(reading.level)
            crossed = _crossed(account, guard, reading.level, before=before, figures=figures)
            facts += [crossed, _stood(account, key, crossed)]
        elif standing is not None and reading.kept < before:
            if standing.until_ns is None:
                dwell_ns = self._boards.settings.dwell_ms * 1_000_000
                standing.until_ns = stamp.steady_ns + dwell_ns
                self._timers.ask(account.id, standing.until_ns)
        elif standing is not None:
            standing.until_ns = None

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
            facts += _recovered(account, key)

    def _transferred_money(self, account: Account) -> int:
        """Return what was transferred and no span knows of, at the rates of now."""
        waiting, total = account.water.state.unrated, 0
        for currency, money in list(waiting.items()):
            converted = account.convert(money, currency)
            if converted is not None:
                total += converted
                del waiting[currency]
        return total


def figures_of(account: Account, margin_rate: float) -> Figures:
    """Return what guards look at. Equity is known and its valuation was refreshed."""
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
        used_money=valuation.used_money(),
        margin_rate=margin_rate,
    )


def _stood(account: Account, key: str, crossed: Raised) -> Stood:
    """Return what responses are told when a measure got worse."""
    return Stood(
        account=account.id,
        measure=key,
        event=RESPONSE_EVENTS[key],
        severity=crossed.severity,
        reason=crossed.message,
        value=crossed.value,
        threshold=crossed.threshold,
    )


def _recovered(account: Account, key: str) -> Facts:
    """Return what is said when a measure is safe again."""
    safe = Stood(account.id, key, RESPONSE_EVENTS[key], None, "recovered")
    return [Resolved(_cause(account, key)), safe]


def _is_due(standing: Standing, stamp: Stamp) -> bool:
    return standing.until_ns is not None and standing.until_ns <= stamp.steady_ns


def _crossed(
    account: Account, guard: Guard, level: int, *, before: int, figures: Figures
) -> Raised:
    """Return the one alert of a crossing: the worst level, and the others that it passed with."""
    kind = guard.kind
    margin = kind.key == MARGIN
    names, severities = (MARGIN_LEVELS, MARGIN_SEVERITIES) if margin else (LEVELS, SEVERITIES)
    threshold = next(step.enter for step in guard.steps if step.level == level) / MONEY_SCALE
    value = kind.value(figures)
    told = "all" if value is None else f"{value:,.10g}"
    text = f"account {account.id} {names[level]}: {told} {kind.words}{kind.named(figures)}"
    text += f", threshold {threshold:,.10g}"
    passed = [names[step.level] for step in guard.steps if before < step.level < level]
    if passed:
        text += f"; passed {' and '.join(passed)} with it"
    return Raised(
        severities[level],
        kind.alert_type,
        _cause(account, kind.key),
        text,
        account.id,
        value=value,
        threshold=threshold,
        lasting=True,
    )


def _cause(account: Account, key: str) -> str:
    """Return what all crossings of one measure are one alert by, until it has recovered."""
    return f"{key}:{account.id}"
