"""All that must not be forgotten, as one tree of structs: snapshot and digest are made of it."""

from __future__ import annotations

from msgspec import Struct, field

from engine.account import Account
from engine.account_state import AccountState
from engine.alerts import AlertBook
from engine.backlog import Backlog
from engine.boards import Boards
from engine.breakers import BreakerBoard, BreakerBook
from engine.correlation import CorrelationState
from engine.facts import Stamp
from engine.gateways import SessionBook
from engine.group_row import GroupState
from engine.high_water import SweepState
from engine.limit_book import LimitBook
from engine.outbox import Outbox
from engine.overrides import Overrides
from engine.quote import Quote
from engine.responses import ResponseBook
from engine.swings import Swing
from engine.throttle import Window
from riskd.messages import (
    GroupSpec,
    InstrumentSpec,
    LimitSet,
    Permissions,
    ResponsePolicy,
    RiskSettings,
)


class CoreState(Struct):
    """All that must not be forgotten, as one tree: its canonical bytes are snapshot and digest."""

    seq: int
    steady_ns: int
    settings: RiskSettings
    instruments: list[InstrumentSpec]
    groups: dict[str, GroupSpec]
    limits: LimitSet  # In force.
    limits_version: int
    quotes: dict[str, Quote]
    correlations: CorrelationState
    breakers: BreakerBook
    accounts: dict[str, AccountState]
    group_rows: dict[str, GroupState] = {}
    alerts: AlertBook = field(default_factory=AlertBook)
    silent: dict[str, None] = {}  # Feeds that are, in the order in which it was said.
    swings: dict[str, Swing] = {}  # Symbols that moved too far.
    permissions: Permissions = Permissions()
    limit_book: LimitBook = field(default_factory=LimitBook)
    overrides: Overrides = {}
    windows: dict[str, Window] = {}  # Of rates of scopes wider than an account.
    sweep: SweepState = field(default_factory=SweepState)
    backlog: Backlog = field(default_factory=Backlog)
    sessions: SessionBook = field(default_factory=SessionBook)
    outbox: Outbox = field(default_factory=Outbox)
    policies: tuple[ResponsePolicy, ...] = ()
    responses: ResponseBook = field(default_factory=ResponseBook)
    removed: dict[str, int] = {}  # Accounts that are closed for good, and at which seq.


def state_of(
    boards: Boards, accounts: dict[str, Account], alerts: AlertBook, stamp: Stamp
) -> CoreState:
    """Return a state as one tree that shares its leaves with the engine it was taken from."""
    for account in accounts.values():
        account.water.settle()
    for group in boards.group_states:
        boards.group_row(group).water.settle()
    return CoreState(
        seq=stamp.seq,
        steady_ns=stamp.steady_ns,
        settings=boards.settings,
        instruments=[instrument.spec for instrument in boards.instruments.values()],
        groups=boards.groups,
        limits=boards.limits,
        limits_version=boards.limits_version,
        quotes=boards.quotes.quotes,
        correlations=boards.quotes.correlations.state,
        breakers=boards.breakers.book,
        accounts={key: account.state for key, account in accounts.items()},
        group_rows=boards.group_states,
        alerts=alerts,
        silent=boards.quotes.silence.silent,
        swings=boards.quotes.swings.standing,
        permissions=boards.permissions,
        limit_book=boards.limit_book,
        overrides=boards.overrides,
        windows=boards.windows,
        sweep=boards.sweep,
        backlog=boards.backlog,
        sessions=boards.sessions,
        outbox=boards.outbox,
        policies=boards.policies,
        responses=boards.responses,
        removed=boards.removed,
    )


def restore_boards(boards: Boards, state: CoreState) -> None:
    """Make fresh boards what `state` says."""
    boards.put_settings(state.settings)
    for spec in state.instruments:
        boards.put_instrument(spec)
    for symbol, quote in state.quotes.items():
        boards.quotes.quotes[symbol] = quote
    boards.quotes.expect_old()
    boards.quotes.correlations.restore(state.correlations)
    boards.quotes.silence.silent = state.silent
    boards.quotes.silence.expect()
    boards.quotes.swings.standing = state.swings
    boards.quotes.swings.expect()
    boards.group_states = state.group_rows
    boards.put_groups(tuple(state.groups.values()))
    boards.limit_book = state.limit_book
    boards.put_limits(state.limits)
    boards.limits_version = state.limits_version
    boards.breakers = BreakerBoard(state.breakers)
    boards.windows = state.windows
    boards.sweep, boards.backlog = state.sweep, state.backlog
    boards.put_permissions(state.permissions)
    boards.overrides = state.overrides
    boards.sessions, boards.outbox = state.sessions, state.outbox
    boards.policies, boards.responses = state.policies, state.responses
    boards.removed = state.removed
