"""What can grow in the state of riskd, how far, and what happens there."""

from __future__ import annotations

from typing import NamedTuple


class Bound(NamedTuple):
    """A row of the page: some attributes that are bounded by the same."""

    what: str
    most: str  # `module.NAME` of the constant or settings in `section.key`, or words.
    beyond: str  # What happens there.
    attributes: tuple[str, ...]  # `Class.attribute` of engine, actors and transport.


def row(what: str, most: str, beyond: str, attributes: str) -> Bound:
    """Return a row; its attributes are given as words."""
    return Bound(what, most, beyond, tuple(attributes.split()))


ACCOUNTS = (
    row(
        "working orders of an account",
        "engine.plans.ORDERS_MAX",
        "`OPEN_ORDERS`; limit `open_orders` is smaller as a rule",
        "AccountState.orders AccountState.pending AccountState.expiring AccountState.certified"
        " AccountState.working_turnover Case.working",
    ),
    row(
        "changes in flight of an order",
        "engine.orders.AMENDS_MAX",
        "one more is refused",
        "Order.amends AccountState.amended",
    ),
    row(
        "reports remembered of an order",
        "engine.orders.REPORT_IDS_MAX",
        "the oldest is forgotten",
        "Order.report_ids",
    ),
    row(
        "ended orders with their verdicts, of an account",
        "engine.account_state.FINISHED_MAX",
        "of the oldest only the id is kept",
        "AccountState.finished",
    ),
    row(
        "ids of orders beyond those",
        "engine.account_state.EXPIRED_MAX",
        "the oldest is forgotten",
        "AccountState.expired",
    ),
    row(
        "ids of executions, of transfers, of fundings and of changed orders, of an account",
        "engine.account_state.IDS_MAX",
        "the oldest is forgotten",
        "AccountState.execution_symbols AccountState.transfer_ids AccountState.funding_ids"
        " AccountState.aliases",
    ),
    row(
        "executions of a position that may be busted or corrected",
        "engine.ledger.EXECUTIONS_MAX",
        "the oldest is final",
        "Position.executions",
    ),
    row(
        "closed trades of a position, one by one",
        "engine.trades.CLOSED_MAX",
        "the totals count on",
        "Trades.totals OpenTrade.foreign_fees ClosedTrade.foreign_fees",
    ),
    row(
        "open lots of a position, first-in first-out",
        "engine.books.OPEN_LOTS_MAX",
        "the oldest two become one",
        "Books.open_lots",
    ),
    row(
        "legs of a position of a hedging account",
        "engine.books.LEGS_MAX",
        "a fill that names one more goes to `long` or `short`",
        "Books.legs",
    ),
    row(
        "ledgers of a position by strategy, and by timeframe",
        "engine.tags.TAGS_MAX",
        "further names are booked to `(others)`",
        "TagBooks.strategy TagBooks.timeframe PeriodOpening.strategy PeriodOpening.timeframe",
    ),
    row(
        "fills of unknown symbols, of an account",
        "engine.booking.UNBOOKED_MAX",
        "one more is answered by an error: send it again",
        "AccountState.unbooked",
    ),
    row(
        "days of an account that the audit does not have yet",
        "engine.account_state.CLOSED_DAYS_MAX",
        "the oldest is forgotten",
        "AccountState.closed_days",
    ),
    row(
        "days whose returns are kept, of an account",
        "engine.account_state.DAY_RETURNS_MAX",
        "the oldest is forgotten",
        "AccountState.day_returns",
    ),
    row(
        "strategies whose executions are counted, of an account",
        "engine.conduct.STRATEGIES_MAX",
        "those of one more are not",
        "Conduct.executions",
    ),
    row(
        "facts counted in a window, such as fills",
        "engine.throttle.NOTES_MAX",
        "the oldest is forgotten; of orders at most twice their limit is kept",
        "Window.charges",
    ),
    row(
        "contents of orders, of an account",
        "engine.throttle.CONTENTS_MAX",
        "the oldest is forgotten",
        "AccountState.contents",
    ),
    row(
        "prepared plans, of an account",
        "engine.account.PLANS_MAX",
        "all are made anew as they are asked for",
        "Account._plans Account._seats Plan.limits",
    ),
    row(
        "kinds of orders that accounts share",
        "engine.kinds.KINDS_MAX",
        "all are made anew as they are asked for",
        "Kinds._kinds Kinds._terms",
    ),
)

FIRM = (
    row(
        "alerts",
        "engine.alerts.ALERTS_MAX",
        "the oldest is forgotten; the audit has it",
        "AlertBook.entries AlertBook.open AlertBook.waiting AlertBook.bursts",
    ),
    row(
        "steps of an alert",
        "engine.alerts.STEPS_MAX",
        "its first and the newest stay",
        "AlertEntry.steps",
    ),
    row("mutes", "engine.alerts.MUTES_MAX", "the oldest is forgotten", "AlertBook.mutes"),
    row(
        "open breakers and kills",
        "engine.breakers.BREAKERS_MAX",
        "one more is refused",
        "BreakerBook.open BreakerBoard._by_scope",
    ),
    row(
        "ids of accounts that were closed for good",
        "engine.closing.REMOVED_MAX",
        "one more account is not closed",
        "Boards.removed CoreState.removed",
    ),
    row(
        "overrides",
        "engine.overrides.OVERRIDES_MAX",
        "one more is refused",
        "Boards.overrides CoreState.overrides",
    ),
    row(
        "changes of limits that stand",
        "engine.limit_desk.EDITS_MAX",
        "one more is refused",
        "LimitBook.lasting LimitBook.temporary",
    ),
    row(
        "proposals that wait",
        "engine.limit_desk.PROPOSALS_MAX",
        "one more is refused",
        "LimitBook.proposals",
    ),
    row(
        "sessions, the lost ones included",
        "engine.gateways.SESSIONS_MAX",
        "the oldest lost one is forgotten; one more that stands is refused",
        "SessionBook.sessions Session.accounts",
    ),
    row(
        "instructions that are outstanding",
        "engine.outbox.OUTSTANDING_MAX",
        "one more is not given, and an alert says so",
        "Outbox.outstanding",
    ),
    row(
        "instructions that ended",
        "engine.outbox.ENDED_MAX",
        "the oldest is forgotten",
        "Outbox.ended",
    ),
    row(
        "responses that ended",
        "engine.responses.ENDED_MAX",
        "the oldest is forgotten; one runs per account, one waits per measure",
        "ResponseBook.ended ResponseBook.running ResponseBook.tripped ResponseBook.postponed",
    ),
    row(
        "what crossed a line for many accounts, on its way to them",
        "one per measure of a group or the firm, and per stop of a scope",
        "the newest counts; passes go on between orders",
        "ResponseBook.rollouts ResponseBook.reached",
    ),
    row(
        "exits of one attempt of a response",
        "engine.responses.EXITS_MAX",
        "what is left goes with the next attempt",
        "Plan.exits Plan.targets ResponseBook.exits",
    ),
    row(
        "feeds of a symbol",
        "engine.quotes.FEEDS_MAX",
        "a tick of one more is refused",
        "Quote.feed_seqs",
    ),
    row(
        "stretches of the marks of a symbol, on each side",
        "engine.moves.STRETCHES_MAX",
        "the oldest two become one that moved no less",
        "Moves.highs Moves.lows",
    ),
    row(
        "rungs of the extremes of a symbol",
        "one per instant at which a trade that is open began",
        "rungs between which nobody began become one",
        "Rungs.high Rungs.high_at Rungs.low Rungs.low_at Ladder.starts",
    ),
    row(
        "symbols whose correlation is measured",
        "engine.correlation.SYMBOLS_MAX",
        "further ones count alone",
        "CorrelationState.milliticks CorrelationState.symbols CorrelationState.versions"
        " Correlations._peers",
    ),
    row(
        "accounts and ticks that wait after a crowd was moved",
        "each account once, each symbol's newest tick",
        "passes go on between orders",
        "Backlog.looks Backlog.recoveries Backlog.ticks",
    ),
)
