"""What every account reads in place: instruments, quotes, breakers, limits, groups, settings."""

from __future__ import annotations

from typing import Any

from engine.backlog import Backlog
from engine.book import Book
from engine.breakers import BreakerBoard
from engine.facts import GroupMoved, Missing
from engine.gateways import SessionBook
from engine.group_row import GroupRow, GroupState
from engine.groups import GroupTotal, GroupWorth, turnover_of
from engine.high_water import SweepState
from engine.instruments import Instrument
from engine.kinds import Kinds
from engine.limit_book import LimitBook
from engine.limits import (
    FIRM,
    GROUP_MEASURES,
    ResolvedLimit,
    group_limits,
    limits_fills,
)
from engine.margin import MarginTerms
from engine.money import MONEY_SCALE
from engine.move_limits import move_windows_ms, moves_of_all
from engine.outbox import Outbox
from engine.overrides import Overrides
from engine.quotes import QuoteBoard
from engine.rates import Rate
from engine.responses import ResponseBook
from engine.throttle import Window
from riskd.codes import RejectCode
from riskd.messages import (
    AccountSpec,
    GroupSpec,
    InstrumentSpec,
    LimitSet,
    MarginModel,
    Permissions,
    ResponsePolicy,
    RiskSettings,
)


class GroupPlan:
    """A group with limits on its totals, as the orders of one account and symbol meet it."""

    __slots__ = ("_boards", "_settlement", "limits", "name", "total")

    def __init__(self, boards: Boards, name: str, settlement: str) -> None:
        self._boards = boards
        self._settlement = settlement
        self.name = name
        self.total = boards.group_totals[name]
        self.limits = boards.group_limits[name]

    def rate(self) -> Rate | None:
        """Return the rate from the order's settlement to the firm's currency."""
        return self._boards.quotes.exposure_rate(self._settlement, self._boards.settings.fx_pivot)

    def worth(self) -> GroupWorth | Missing:
        """Return what the group comes to now, in the firm's currency."""
        return self._boards.group_worth(self.name)

    def measure(self, key: str) -> int | Missing:
        """Return what the group's accounts lost today, as money, or a drawdown in percent.

        Percent count as money does, rounded down, so that at a limit is exact.
        """
        row = self._boards.group_row(self.name)
        loss, equity = row.loss_money(), row.water.equity_money()
        if loss is None or equity is None:
            return Missing(RejectCode.FX_MISSING, "a mark or a rate of its accounts is missing")
        if key == "daily_loss":
            return loss
        peak = max(row.water.peaks_money()[GROUP_MEASURES.index(key) - 1], equity)
        return (peak - equity) * 100 * MONEY_SCALE // max(1, peak)

    def turnover_money(self) -> int | Missing:
        """Return what the group traded today and has working, in the firm's currency."""
        quotes, pivot = self._boards.quotes, self._boards.settings.fx_pivot
        return turnover_of(self.total, quotes, pivot)


class Boards:
    """Shared read-only views, each written by one owner; `version` changes with what plans use."""

    __slots__ = (
        "_group_rows",
        "_group_worths",
        "_groups_by_row",
        "_margin_terms",
        "_move_windows_ms",
        "backlog",
        "book",
        "breakers",
        "cases",
        "epoch",
        "group_limits",
        "group_states",
        "group_totals",
        "groups",
        "instruments",
        "kinds",
        "limit_book",
        "limits",
        "limits_fills",
        "limits_version",
        "outbox",
        "overrides",
        "permissions",
        "policies",
        "quotes",
        "removed",
        "responses",
        "sessions",
        "settings",
        "sweep",
        "version",
        "windows",
    )

    def __init__(self) -> None:
        self.settings = RiskSettings()
        self.instruments: dict[str, Instrument] = {}
        self._margin_terms: dict[tuple[str, MarginModel, float | None], MarginTerms] = {}
        self.groups: dict[str, GroupSpec] = {}
        self.quotes = QuoteBoard(self.settings)
        self.book = Book(self.quotes)
        self.backlog = Backlog()  # Of the book; written by the market-data actor.
        self.breakers = BreakerBoard()
        self.sessions = SessionBook()
        self.outbox = Outbox()
        self.limit_book = LimitBook()
        self.limits = LimitSet()  # In force: the configuration's, and what people changed since.
        self.limits_version = 0
        self.limits_fills = False  # Some limit counts fills: each has to be looked at.
        self.permissions = Permissions()
        self.policies: tuple[ResponsePolicy, ...] = ()
        self.responses = ResponseBook()
        self.removed: dict[str, int] = {}  # Accounts that are closed for good, and at which seq.
        self.group_states: dict[str, GroupState] = {}
        self._group_rows: dict[str, GroupRow] = {}  # Written by the market-data actor.
        self._groups_by_row: dict[int, str] = {}
        self.sweep = SweepState()  # Of the book; written by the market-data actor.
        self.overrides: Overrides = {}  # Used up in place by the one order that each is for.
        self._move_windows_ms: tuple[int, dict[str, int]] = (0, {})  # Of all symbols, and by each.
        self.version = 0
        self.kinds = Kinds()
        self.cases: dict[bool, Any] = {}  # What an order is judged in, by whether legs are apart.
        self.epoch = 0  # Changes with every input that may change what several accounts have.
        self.group_limits: dict[str, dict[str, ResolvedLimit]] = {}  # Of groups that have any.
        self.group_totals: dict[str, GroupTotal] = {FIRM: GroupTotal()}
        self._group_worths: dict[str, GroupWorth] = {}
        self.windows: dict[str, Window] = {}  # Of rates of scopes wider than an account.

    def put_settings(self, settings: RiskSettings) -> None:
        """Put settings in force; in another currency the rows of groups begin anew."""
        is_other = settings.fx_pivot != self.settings.fx_pivot
        self.settings = settings
        for group in list(self._group_rows) if is_other else ():
            del self.group_states[group]
            self._put_group_row(group, self._group_rows[group])
        self.quotes.configure(settings)
        self.version += 1

    def put_instrument(self, spec: InstrumentSpec) -> Instrument:
        """Add an instrument, or replace the parts of one that do not touch its value."""
        instrument = Instrument(spec, self.settings.stale_after_ms)
        self.instruments[spec.symbol] = instrument
        self._margin_terms.clear()
        self.quotes.add(instrument)
        self._watch_moves(spec.symbol)
        self.version += 1
        return instrument

    def margin_terms(self, spec: AccountSpec, instrument: Instrument) -> MarginTerms:
        """Return what margin of an instrument follows from; accounts with equal models share it."""
        key = (instrument.symbol, spec.margin_model, spec.leverage)
        found = self._margin_terms.get(key)
        if found is None:
            found = self._margin_terms[key] = MarginTerms(spec, instrument)
        return found

    def put_groups(self, groups: tuple[GroupSpec, ...]) -> None:
        """Put the tree of groups in force."""
        self.groups.update({group.id: group for group in groups})
        for group in groups:
            self.group_totals.setdefault(group.id, GroupTotal())
        for name in self.group_totals:
            self.group_row(name)
        self._limit_groups()

    def put_limits(self, limits: LimitSet) -> bool:
        """Put a limit set in force if it is another one; return whether it was."""
        if limits == self.limits and self.limits_version:
            return False
        self.limits = limits
        self.limits_version += 1
        self.limits_fills = limits_fills(limits)
        self._move_windows_ms = move_windows_ms(limits)
        for symbol in self.instruments:
            self._watch_moves(symbol)
        self._limit_groups()
        return True

    def put_permissions(self, permissions: Permissions) -> None:
        """Put other lists of what may be traded in force."""
        self.permissions = permissions
        self.version += 1

    def is_behind(self) -> bool:
        """Return whether accounts or ticks wait for their turn: the next input goes on."""
        return self.backlog.is_behind() or bool(self.responses.rollouts)

    def parent_of(self, group: str) -> str:
        """Return the group above one, the firm at last."""
        spec = self.groups.get(group)
        return spec.parent if spec is not None else FIRM

    def clear_groups(self) -> None:
        """Begin the totals of every group anew; its accounts will tell theirs."""
        for total in self.group_totals.values():
            total.clear()

    def move_groups(self, moved: GroupMoved) -> None:
        """Take the change of one account into every group above it, and the firm."""
        for group in (*self.ancestry(moved.group), FIRM):
            self.group_totals[group].apply(moved)

    def group_row(self, group: str) -> GroupRow:
        """Return the row of a group, or of the firm."""
        row = self._group_rows.get(group)
        return self._put_group_row(group, None) if row is None else row

    def groups_of_calendar(self, calendar: str) -> list[str]:
        """Return the groups whose days begin with a calendar's, the firm among them or not."""
        found = [name for name, group in self.groups.items() if group.calendar == calendar]
        return [*found, FIRM] if self.settings.firm_calendar == calendar else found

    def group_of_row(self, row: int) -> str | None:
        """Return which group a row of the book is of, None if it is an account's."""
        return self._groups_by_row.get(row)

    def _put_group_row(self, group: str, before: GroupRow | None) -> GroupRow:
        state = self.group_states.get(group)
        if state is None:
            state = self.group_states[group] = GroupState(currency=self.settings.fx_pivot)
        row = GroupRow(state, self.book, self.quotes, self.instruments)
        if before is not None:
            del self._groups_by_row[before.water.row]
            row.replace(before)
        self._group_rows[group] = row
        self._groups_by_row[row.water.row] = group
        return row

    def group_worth(self, group: str) -> GroupWorth | Missing:
        """Return what a group comes to now, in the firm's currency."""
        worth = self._group_worths.get(group)
        if worth is None:
            worth = self._group_worths[group] = GroupWorth(self.group_totals[group])
        missing = worth.refresh(self.quotes, self.instruments, self.settings.fx_pivot)
        return worth if missing is None else missing

    def _watch_moves(self, symbol: str) -> None:
        of_all, by_symbol = self._move_windows_ms
        self.quotes.watch_moves(symbol, max(of_all, by_symbol.get(symbol, 0)) * 1_000_000)
        self.quotes.swings.limit(symbol, moves_of_all(self.limits, symbol))

    def _limit_groups(self) -> None:
        found = {group: group_limits(self.limits, group) for group in (FIRM, *self.groups)}
        self.group_limits = {group: limits for group, limits in found.items() if limits}
        self.version += 1

    def ancestry(self, group: str) -> tuple[str, ...]:
        """Return `group` and every group above it, without the firm. Cycles were refused before."""
        found: list[str] = []
        while group != FIRM and group not in found:
            found.append(group)
            spec = self.groups.get(group)
            group = spec.parent if spec is not None else FIRM
        return tuple(found)


VALUE_FIELDS = (
    "currency",
    "kind",
    "tick_size",
    "lot_size",
    "multiplier",
    "base",
    "settlement",
)


def value_changed(old: InstrumentSpec, new: InstrumentSpec) -> str | None:
    """Return the first field that would change what booked lots are worth, None if none would."""
    for name in VALUE_FIELDS:
        if getattr(old, name) != getattr(new, name):
            return name
    return None
