"""Messages of the control port: what operators ask, and what riskd answers."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

from msgspec import Meta

from riskd.contract.alerting import AlertAck, Alerts, NotifyTest
from riskd.contract.analysis import AnalysisQuery
from riskd.contract.base import (
    AccountId,
    Answer,
    BreakerAction,
    BreakerScope,
    ControlRequest,
    Count,
    InstantNs,
    Name,
    OrderId,
    Part,
    Scope,
    Text,
    UniqueId,
)
from riskd.contract.limits import LimitsCommand, Shadow
from riskd.contract.measures import MeasuresQuery
from riskd.contract.orders import Error
from riskd.contract.responses import Reduce, Responses, ResponseStop
from riskd.contract.specs import AccountSpec, InstrumentSpec


class PnlBy(StrEnum):
    """What a P&L is told by."""

    ACCOUNT = "account"
    GROUP = "group"  # The account's own group.
    SYMBOL = "symbol"
    STRATEGY = "strategy"
    TIMEFRAME = "timeframe"


class Status(ControlRequest, frozen=True, kw_only=True, tag="status"):
    """Is it healthy: state, versions, counts, ports, journal, verdict latency."""

    digest: bool = False  # Also hash the state: costs time in proportion to all that is held.


class Accounts(ControlRequest, frozen=True, kw_only=True, tag="accounts"):
    """Every account, a line each."""


class AccountRequest(ControlRequest, frozen=True, kw_only=True, tag="account"):
    """One account in full."""

    account: AccountId


class Instruments(ControlRequest, tag="instruments", frozen=True, kw_only=True):
    """Every instrument with its prices, their age, and how far they are to be relied on.

    `grade` is fresh up to the instrument's `stale_after_ms`, stale up to `mark_after_ms` of the
    settings, old beyond, none where there was no price.
    """


class Positions(ControlRequest, frozen=True, kw_only=True, tag="positions"):
    """Positions of one account, or of all."""

    account: AccountId | None = None


class Orders(ControlRequest, frozen=True, kw_only=True, tag="orders"):
    """Working orders of one account with what they reserve."""

    account: AccountId


class Pnl(ControlRequest, frozen=True, kw_only=True, tag="pnl"):
    """The P&L of a scope by its parts: `total`, and `rows` that sum to it.

    Each has realized, unrealized, fees (paid is negative), funding, revaluation (what exchange
    rates made of cash), their sum `life`, and that sum over the day, the week and the month. By
    symbol, strategy and timeframe what is of none is in the row `cash`; fills without a tag are in
    `untagged`; where one strategy closed what another had opened, `netted` has the difference.
    """

    scope: Name = "firm"  # firm, group:ID or account:ID; the first two in the firm's currency.
    by: PnlBy = PnlBy.ACCOUNT


class Limits(ControlRequest, frozen=True, kw_only=True, tag="limits"):
    """The limits in force and their version: all, or of a scope such as `account:A1`."""

    scope: Name | None = None


class Breakers(ControlRequest, frozen=True, kw_only=True, tag="breakers"):
    """Every breaker and kill in force."""


class Sessions(ControlRequest, frozen=True, kw_only=True, tag="sessions"):
    """Every session of a gateway that stands, and the last ones that were lost.

    `heard_ns` is the last heartbeat before which something was heard of it.
    """


class VerdictRequest(ControlRequest, frozen=True, kw_only=True, tag="verdict"):
    """Why: the remembered verdict of an order, by its id or by its seq.

    By seq it is derived again from the journal, with the numbers of every check; of a basket
    that of the order with the id.
    """

    account: AccountId | None = None  # Where several accounts have used the id.
    client_order_id: OrderId | None = None
    seq: Count | None = None  # Instead of the id, or with it.


class Metrics(ControlRequest, frozen=True, kw_only=True, tag="metrics"):
    """Every counter and gauge, once."""


class Kill(ControlRequest, frozen=True, kw_only=True, tag="kill"):
    """Refuse every order of a scope from the next one on.

    It may be asked to cancel and to flatten at once, later, and again. What names nothing that is
    declared is killed too, and the answer has a `warning`.
    """

    scope: BreakerScope
    scope_id: Name = ""
    reason: Text = ""
    cancel: bool = False  # Working orders.
    flatten: bool = False  # Positions too; those of a strategy are nobody's alone and stay.


class Unkill(ControlRequest, frozen=True, kw_only=True, tag="unkill"):
    """Lift the kill of exactly this scope; kills of other scopes stay."""

    scope: BreakerScope
    scope_id: Name = ""
    reason: Text = ""


class Trip(ControlRequest, frozen=True, kw_only=True, tag="trip"):
    """Open a breaker by hand; without `until_ns` it never expires."""

    scope: BreakerScope
    scope_id: Name = ""
    action: BreakerAction = "halt"
    reason: Text = ""
    until_ns: InstantNs | None = None
    spacing_ms: Annotated[int, Meta(gt=0, le=3_600_000)] = 1000  # Of `slow`: see SLOWED.


class Reset(ControlRequest, frozen=True, kw_only=True, tag="reset"):
    """Close one breaker."""

    breaker_id: Count
    reason: Text = ""


class AccountAdd(ControlRequest, frozen=True, kw_only=True, tag="account_add"):
    """Add an account; one that is there with other terms is refused, see `account_update`."""

    account: AccountSpec


class AccountUpdate(ControlRequest, frozen=True, kw_only=True, tag="account_update"):
    """Put other terms of an account in force: all of them, the absent ones as their defaults.

    Currency, cost method and position mode stay, for they would change what is booked; `balance`
    counts once, when an account is first seen.
    """

    account: AccountSpec


class AccountRemove(ControlRequest, frozen=True, kw_only=True, tag="account_remove"):
    """Close an account for good, once it is flat: it holds nothing, nothing of it works or waits.

    Its orders are refused as those of an unknown account, a fill that still comes is booked to
    SUSPENSE. What it has leaves its groups as a transfer does, and what it earned today with it.
    Its id is never given again, whatever a configuration declares: orders under its ids may still
    be asked again.
    """

    account: AccountId
    reason: Text = ""


class InstrumentAdd(ControlRequest, frozen=True, kw_only=True, tag="instrument_add"):
    """Add an instrument; one that is there with other terms is refused."""

    instrument: InstrumentSpec


class InstrumentUpdate(ControlRequest, frozen=True, kw_only=True, tag="instrument_update"):
    """Put other terms of an instrument in force: all of them, the absent ones as their defaults.

    Currencies, kind, tick, lot and multiplier stay, for they would revalue what is booked.
    """

    instrument: InstrumentSpec


class OrderRelease(ControlRequest, frozen=True, kw_only=True, tag="order_release"):
    """An operator frees the reservation of an order that will never be reported."""

    account: AccountId
    client_order_id: OrderId
    reason: Text = ""


class AccountUnfreeze(ControlRequest, frozen=True, kw_only=True, tag="account_unfreeze"):
    """Let a frozen account trade again, once its books have been looked at."""

    account: AccountId
    reason: Text = ""


class Rearm(ControlRequest, tag="rearm", frozen=True, kw_only=True):
    """A person has looked: strategies that REPEATED_EXECUTION stopped may execute again."""

    account: AccountId
    strategy: Name | None = None  # One; absent: every strategy of the account.
    reason: Text = ""


class Sweep(ControlRequest, frozen=True, kw_only=True, tag="sweep"):
    """Make the valuation book of every account anew from its ledger, and say what had drifted."""


class Override(ControlRequest, tag="override", frozen=True, kw_only=True):
    """Let one order pass limits once: two people say so, and both names are kept.

    Where riskd has keys, each of the two sends it with their own; the second puts it in force. It
    opens no kill, breaker, restricted list, frozen account or closed market, and covers neither
    margin nor cash. The order is approved with what it is past as warnings.
    """

    order_hash: Annotated[str, Meta(pattern="^[0-9a-f]{32}$")]  # See `riskd override`.
    expires_ns: InstantNs  # When it ends, used or not.
    requested_by: UniqueId  # Who asks for it.
    approved_by: UniqueId  # Who grants it: somebody else.
    reason: Text = ""


class SessionRoll(ControlRequest, frozen=True, kw_only=True, tag="session_roll"):
    """Begin a new day for one account or all: day P&L restarts at the present mark.

    With all accounts the groups and the firm begin theirs. Who has no price or rate to begin with
    is left out and named in `skipped`: an account, `group:ID` or `firm`.
    """

    account: AccountId | None = None  # All, if absent or `all`.


class Stop(ControlRequest, frozen=True, kw_only=True, tag="stop"):
    """End the process; with `drain`, after everything received has been answered."""

    drain: bool = True


class Reload(ControlRequest, frozen=True, kw_only=True, tag="reload"):
    """Read the allow-list of keys and the configuration again; answered when both are in force.

    Each is taken whole or refused whole, and then what was in force stays so. Connections of keys
    that are no longer in the list are cut. Limits become tighter only: looser ones are proposed.
    Accounts and instruments that are not declared any more stay. `needs_restart` names what only a
    start reads.
    """

    what: Literal["all", "keys", "configuration"] = "all"  # Which of both.


class Snapshot(ControlRequest, frozen=True, kw_only=True, tag="snapshot"):
    """Write the whole state to a file now; answered when it is on disk. Trading goes on."""


class AccountRebuild(ControlRequest, frozen=True, kw_only=True, tag="account_rebuild"):
    """Make an account anew from snapshot and journal, without the records that it failed on.

    It stays frozen: compare its books, then unfreeze it. Answered when it is done.
    """

    account: AccountId
    reason: Text = ""


class Result(Answer, frozen=True, kw_only=True, tag="result"):
    """The answer to a control request that could be carried out."""

    ok: bool
    data: Any = None
    request_id: str | None = None


ControlQuery = (
    Status
    | Accounts
    | AccountRequest
    | Instruments
    | Positions
    | Orders
    | Pnl
    | Limits
    | Alerts
    | Breakers
    | Sessions
    | VerdictRequest
    | Metrics
    | Responses
    | NotifyTest
    | AnalysisQuery
    | MeasuresQuery
)
ControlCommand = (
    Kill
    | Unkill
    | Trip
    | Reset
    | AccountAdd
    | AccountUpdate
    | AccountRemove
    | InstrumentAdd
    | InstrumentUpdate
    | OrderRelease
    | AccountUnfreeze
    | Rearm
    | AlertAck
    | Override
    | LimitsCommand
    | Reduce
    | ResponseStop
    | Sweep
    | SessionRoll
)
# Done beside the loop, answered when it is done.
ControlWork = Snapshot | AccountRebuild | Shadow | Reload
ControlMessage = ControlQuery | ControlCommand | ControlWork | Stop
ControlAnswer = Result | Error
ScopeName = Scope
PartBase = Part
