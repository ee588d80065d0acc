"""What happened inside: stamps on inputs, and the facts that rules hand to whoever routes them."""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct

from riskd.codes import RejectCode
from riskd.messages import (
    BreakerAction,
    BreakerScope,
    Certificate,
    Exit,
    Instruction,
    InstructionAction,
    LimitsUpdate,
    OrdersPush,
    ResponseEvent,
    ResponseUpdate,
    Severity,
    Side,
)

MS_NS = 1_000_000
SECOND_NS = 1_000_000_000
BY_LOCAL = "local operator"  # Who gave a command, where there are no keys: people sign themselves.
SUSPENSE = "SUSPENSE"  # The account that takes the fills of accounts that do not exist.


class Stamp(NamedTuple):
    """When and as which an input passed the door."""

    seq: int
    recv_ns: int  # Wall clock, UTC.
    steady_ns: int  # Never goes backwards; goes on over restarts. Durations use it.
    session: int = 0  # The session of the gateway that sent it; 0: of none.


class Missing(NamedTuple):
    """Why figures could not be made: a code and what is missing."""

    code: RejectCode
    what: str


class Recount(Struct, frozen=True):
    """Ask an account to tell its groups anew all that it could come to."""


class SessionEnded(Struct, frozen=True):
    """Tell an account that a session is lost, so that its orders are cancelled that must be."""

    session: int
    gateway: str
    cancels: bool  # Orders that do not say it themselves.


class Distrusted(Struct, frozen=True):
    """Tell an account that its books may lack something: it is frozen."""

    reason: str


class CancelAsked(Struct, frozen=True):
    """Tell an account that a response wants working orders gone."""

    response_id: str
    symbols: tuple[str, ...] | None  # Of these; None: of all.
    strategy: str | None = None


class RiskShrunk(Struct, frozen=True):
    """Tell an account what one trade may risk while a measure is bad; None: as before."""

    percent: float | None
    measure: str


class ExitsVoided(Struct, frozen=True):
    """Tell an account which exits may not be begun any more: the gate refuses them."""

    exits: tuple[Exit, ...]


class Raised(Struct, frozen=True):
    """A cause for an alert; the alert book numbers it and counts repeats of the same `cause`."""

    severity: Severity
    alert_type: str
    cause: str  # Repeats of the same cause are one alert with a count.
    message: str
    account: str | None = None
    symbol: str | None = None
    value: float | None = None
    threshold: float | None = None
    lasting: bool = False  # It goes on until a `Resolved` ends it; else it happened and is over.


class Resolved(Struct, frozen=True):
    """What caused an alert has ended; without such an alert it says nothing."""

    cause: str


class WakeAt(Struct, frozen=True):
    """An account asks to be woken at a steady instant."""

    account: str
    steady_ns: int


class GroupMoved(Struct, frozen=True):
    """What one account of a limited group could come to has changed, by symbol, in lots."""

    group: str  # The account's own; it passes the change on to its parent.
    symbol: str
    settlement: str
    upper_lots: int
    lower_lots: int
    gross_lots: int
    open_orders: int
    turnover_money: int


class Moved(Struct, frozen=True):
    """An account's ledger changed, or of all accounts what is declared of them."""

    account: str | None = None  # None: all.
    transfers: tuple[tuple[str, int], ...] = ()  # Currency and money that was put in.
    began: str = ""  # A day, or a week and so a day.


class Removed(Struct, frozen=True):
    """An account is closed for good: nothing is to be woken, moved or measured of it any more."""

    account: str
    index: int  # Its place among the accounts, in the order in which they were opened.


class Watched(Struct, frozen=True):
    """A position must know the extremes of its marks since another version of its quote."""

    symbol: str
    before: int | None  # None: it was never filled.
    after: int | None  # None: it is no more.


ToldMessage = SessionEnded | Distrusted | CancelAsked | RiskShrunk | ExitsVoided


class Told(Struct, frozen=True):
    """Something that an account must take notice of."""

    account: str
    message: ToldMessage


class Instructed(Struct, frozen=True):
    """A rule asks that a gateway does something; the outbox numbers it and sees that it is done."""

    account: str
    action: InstructionAction
    response_id: str  # What it is a part of.
    gateway: str = ""  # That sent the order it is about: it is asked first.
    client_order_id: str | None = None
    symbol: str | None = None
    side: Side | None = None
    quantity: float | None = None
    price: float | None = None
    position_id: str | None = None


class Certified(Struct, frozen=True):
    """A working order reduces less than it was certified to."""

    session: int  # That sent the order; 0: none did.
    certificate: Certificate


class Said(Struct, frozen=True):
    """Something to write to a gateway's session."""

    session: int
    message: OrdersPush


class Posted(Struct, frozen=True):
    """Something to publish."""

    topic: str
    message: Instruction | Certificate | ResponseUpdate | LimitsUpdate


class Stood(Struct, frozen=True):
    """A measure of an account, or of another scope, got worse, or has recovered."""

    account: str  # Of another scope: its id.
    measure: str  # The guard's key.
    event: ResponseEvent
    severity: Severity | None  # None: it has recovered.
    reason: str
    value: float | None = None
    threshold: float | None = None
    scope: BreakerScope = "account"


class Halted(Struct, frozen=True):
    """A scope was stopped, and what it works or holds is to go."""

    scope: str
    scope_id: str
    event: ResponseEvent
    flatten: bool  # Positions too.
    reason: str


class Progressed(Struct, frozen=True):
    """Something happened to an account for which a response runs."""

    account: str


class Tripped(Struct, frozen=True):
    """A measure that crossed a line stops a scope, until it has recovered and cooled."""

    scope: BreakerScope
    scope_id: str
    measure: str
    action: BreakerAction
    reason: str
    value: float | None
    threshold: float | None
    cooling_ms: int


class Recovered(Struct, frozen=True):
    """A measure is good again: what it tripped may cool."""

    scope: BreakerScope
    scope_id: str
    measure: str


class Closed(Struct, frozen=True):
    """A person closed the breaker of a measure, which may be bad still."""

    scope: str
    scope_id: str
    measure: str


ResponseFact = Stood | Halted | Progressed | Closed
BreakerFact = Tripped | Recovered
SessionFact = Instructed | Certified | Said | Posted | Told
AccountFact = WakeAt | GroupMoved | Moved | Removed | Watched
AlertFact = Raised | Resolved
Fact = AlertFact | AccountFact | SessionFact | ResponseFact | BreakerFact
Facts = list[Fact]
