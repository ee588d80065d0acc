"""Why an order may not go: the reject codes, in the order in which they take precedence."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class RejectCode(StrEnum):
    """Named as in the verdict. Declared in the documented order of precedence."""

    MALFORMED = "MALFORMED"
    VALUE_INVALID = "VALUE_INVALID"
    ID_REUSED = "ID_REUSED"
    ID_EXPIRED = "ID_EXPIRED"
    UNKNOWN_ACCOUNT = "UNKNOWN_ACCOUNT"
    UNKNOWN_SYMBOL = "UNKNOWN_SYMBOL"
    UNKNOWN_ORDER = "UNKNOWN_ORDER"
    NOT_PERMITTED = "NOT_PERMITTED"
    KILLED = "KILLED"
    BREAKER_OPEN = "BREAKER_OPEN"
    ACCOUNT_FROZEN = "ACCOUNT_FROZEN"
    MARKET_CLOSED = "MARKET_CLOSED"
    REDUCE_ONLY = "REDUCE_ONLY"
    SLOWED = "SLOWED"
    DAILY_LOSS = "DAILY_LOSS"
    DRAWDOWN = "DRAWDOWN"
    PRICE_OFF_TICK = "PRICE_OFF_TICK"
    QUANTITY_OFF_LOT = "QUANTITY_OFF_LOT"
    NO_REFERENCE_PRICE = "NO_REFERENCE_PRICE"
    STALE_PRICE = "STALE_PRICE"
    PRICE_COLLAR = "PRICE_COLLAR"
    ORDER_QUANTITY = "ORDER_QUANTITY"
    ORDER_NOTIONAL = "ORDER_NOTIONAL"
    BASKET_NOTIONAL = "BASKET_NOTIONAL"
    POSITION_LIMIT = "POSITION_LIMIT"
    GROSS_EXPOSURE = "GROSS_EXPOSURE"
    NET_EXPOSURE = "NET_EXPOSURE"
    CURRENCY_EXPOSURE = "CURRENCY_EXPOSURE"
    OPEN_ORDERS = "OPEN_ORDERS"
    TURNOVER = "TURNOVER"
    CONCENTRATION = "CONCENTRATION"
    CORRELATED_EXPOSURE = "CORRELATED_EXPOSURE"
    LEVERAGE = "LEVERAGE"
    MARGIN = "MARGIN"
    BUYING_POWER = "BUYING_POWER"
    RISK_PER_TRADE = "RISK_PER_TRADE"
    SELF_MATCH = "SELF_MATCH"
    DUPLICATE_CONTENT = "DUPLICATE_CONTENT"
    REPEATED_EXECUTION = "REPEATED_EXECUTION"
    RATE_LIMIT = "RATE_LIMIT"
    GROUP_LIMIT = "GROUP_LIMIT"
    FX_MISSING = "FX_MISSING"
    UNRECONCILED = "UNRECONCILED"
    OVERLOADED = "OVERLOADED"
    DEADLINE = "DEADLINE"
    INTERNAL_FAULT = "INTERNAL_FAULT"


class CodeText(NamedTuple):
    """What a code means to FIX and to people."""

    fix_code: int  # OrdRejReason, tag 103.
    meaning: str
    remedy: str


CODES: dict[RejectCode, CodeText] = {
    RejectCode.MALFORMED: CodeText(
        99,
        "The order contradicts itself, such as a limit order without a price.",
        "Send the fields that its order type needs, and no others.",
    ),
    RejectCode.VALUE_INVALID: CodeText(
        99,
        "A number is not finite, is zero or negative, or is out of range.",
        "Correct the field that the text names.",
    ),
    RejectCode.ID_REUSED: CodeText(
        6,
        "The client order id was used before for an order with another body.",
        "Use a new client order id; the text names the first field that differs.",
    ),
    RejectCode.ID_EXPIRED: CodeText(
        6,
        "The client order id is older than the verdicts that are remembered.",
        "Use a new client order id.",
    ),
    RejectCode.UNKNOWN_ACCOUNT: CodeText(
        15, "No such account.", "Add it to the configuration, or with account_add."
    ),
    RejectCode.UNKNOWN_SYMBOL: CodeText(
        1, "No such instrument.", "Add it to the configuration, or with instrument_add."
    ),
    RejectCode.UNKNOWN_ORDER: CodeText(
        5,
        "A change names no order of its account that works.",
        "Look at what works: riskd orders; what ended, or never was, is asked for as a new order.",
    ),
    RejectCode.NOT_PERMITTED: CodeText(
        99,
        "A restricted list forbids the order, or nothing permits it.",
        "Ask who keeps [permissions] of the configuration; the text names the rule.",
    ),
    RejectCode.KILLED: CodeText(
        99, "An operator stopped all trading of a scope.", "An operator lifts it: riskd unkill."
    ),
    RejectCode.BREAKER_OPEN: CodeText(
        99,
        "A circuit breaker of a scope is open.",
        "Wait until the instant in the text, or an operator resets it. Reducing orders pass.",
    ),
    RejectCode.ACCOUNT_FROZEN: CodeText(
        99,
        "The account had a fault and its books cannot be trusted.",
        "An operator looks at its books, then unfreezes it.",
    ),
    RejectCode.MARKET_CLOSED: CodeText(
        2, "The market is closed or halted.", "Wait for it to open."
    ),
    RejectCode.REDUCE_ONLY: CodeText(
        99,
        "Only orders that reduce the position may pass, and this one does not.",
        "Send at most the quantity that the verdict names.",
    ),
    RejectCode.SLOWED: CodeText(
        99,
        "A breaker slows a scope: the account's order came too soon after its last one.",
        "Wait for retry_after_ns, then use a new id. Reducing orders pass.",
    ),
    RejectCode.DAILY_LOSS: CodeText(
        99,
        "The day's loss is at or past its limit and the order could increase risk.",
        "Reducing orders pass. The day rolls at the calendar's time.",
    ),
    RejectCode.DRAWDOWN: CodeText(
        99,
        "Equity is at or past its limit below its highest, and the order could increase risk.",
        "Reducing orders pass. The day's and the week's highest begin anew with them.",
    ),
    RejectCode.PRICE_OFF_TICK: CodeText(
        18, "A price is not a multiple of the tick size.", "Round it to the tick."
    ),
    RejectCode.QUANTITY_OFF_LOT: CodeText(
        13, "The quantity is not a multiple of the lot size.", "Round it to the lot."
    ),
    RejectCode.NO_REFERENCE_PRICE: CodeText(
        19,
        "No price is known to judge the order by.",
        "Wait for a tick of this instrument, or check the feed.",
    ),
    RejectCode.STALE_PRICE: CodeText(
        8, "The newest price is too old.", "Check the feed. Reducing orders pass."
    ),
    RejectCode.PRICE_COLLAR: CodeText(
        16,
        "The price is too far from the reference on its bad side.",
        "Use the nearest price that the verdict names.",
    ),
    RejectCode.ORDER_QUANTITY: CodeText(13, "The order is too large.", "Send a smaller order."),
    RejectCode.ORDER_NOTIONAL: CodeText(
        27, "The order's notional is too large.", "Send a smaller order."
    ),
    RejectCode.BASKET_NOTIONAL: CodeText(
        27, "The orders of a basket are together too large.", "Send a smaller basket."
    ),
    RejectCode.POSITION_LIMIT: CodeText(
        3,
        "The position would pass its limit if every working order on this side filled.",
        "Send a smaller order, or cancel a working one.",
    ),
    RejectCode.GROSS_EXPOSURE: CodeText(
        3,
        "Worst-case gross exposure, long plus short, would pass its limit.",
        "Send a smaller order, or reduce a position.",
    ),
    RejectCode.NET_EXPOSURE: CodeText(
        3,
        "Worst-case net exposure, long less short, would pass its limit on the order's side.",
        "Send a smaller order, or reduce a position on this side.",
    ),
    RejectCode.CURRENCY_EXPOSURE: CodeText(
        3,
        "What is held of a currency, both legs of pairs counted, would pass its limit.",
        "Send a smaller order, or trade the currency back.",
    ),
    RejectCode.OPEN_ORDERS: CodeText(
        3, "Too many orders are working.", "Cancel one, or wait for one to end."
    ),
    RejectCode.TURNOVER: CodeText(
        3,
        "What was traded today with what works would pass its limit.",
        "Reducing orders pass. The day rolls at the calendar's time.",
    ),
    RejectCode.CONCENTRATION: CodeText(
        3,
        "The name would be too large a share of gross exposure or equity.",
        "Send a smaller order. Exposure below concentration_floor is not judged.",
    ),
    RejectCode.CORRELATED_EXPOSURE: CodeText(
        3,
        "The account would hold too much in symbols that move together.",
        "Reduce one of the symbols that the text names, or trade another.",
    ),
    RejectCode.LEVERAGE: CodeText(
        25,
        "The worst-case gross exposure is too large a multiple of the equity.",
        "Send a smaller order, or reduce a position.",
    ),
    RejectCode.MARGIN: CodeText(
        25,
        "Initial margin of the worst case would be more than the equity.",
        "Send a smaller order, or reduce a position.",
    ),
    RejectCode.BUYING_POWER: CodeText(
        25,
        "A cash account cannot pay for the worst case, or does not hold what it sells.",
        "Send a smaller order.",
    ),
    RejectCode.RISK_PER_TRADE: CodeText(
        99,
        "The loss from entry to the order's stop is too large a share of equity.",
        "Send a smaller order, or a closer stop_loss.",
    ),
    RejectCode.SELF_MATCH: CodeText(
        99,
        "The order could trade with a working order of the same account.",
        "Cancel the order that the text names, or price this one so that they do not cross.",
    ),
    RejectCode.DUPLICATE_CONTENT: CodeText(
        6,
        "The same order was sent too often in the window.",
        "Check whether a program sends it by mistake; wait for retry_after_ns otherwise.",
    ),
    RejectCode.REPEATED_EXECUTION: CodeText(
        99,
        "The strategy executed as often as it may without a person looking.",
        "A person looks at what it does, then: riskd rearm.",
    ),
    RejectCode.RATE_LIMIT: CodeText(
        99, "Too many orders in the window.", "Wait for retry_after_ns, then use a new id."
    ),
    RejectCode.GROUP_LIMIT: CodeText(
        3,
        "All accounts of a group, or of the firm, would together pass a limit, or lost up to one.",
        "Send a smaller order, or reduce positions of the group; the text names it.",
    ),
    RejectCode.FX_MISSING: CodeText(
        99, "An exchange rate that the order needs is not known.", "Check the feed of the pair."
    ),
    RejectCode.UNRECONCILED: CodeText(
        99,
        "The gateway's or the venue's view of the account may differ from riskd's.",
        "A gateway sends resync, reports what has ended, then sends resynced. Where the venue "
        "could not be asked what is held, it sends a position_report once it could.",
    ),
    RejectCode.OVERLOADED: CodeText(
        99, "riskd has more waiting than it may hold.", "Wait, then send the same order again."
    ),
    RejectCode.DEADLINE: CodeText(
        99,
        "The verdict came after the order's deadline, or an exit after that of its instruction.",
        "Send it again with a new id; for an exit riskd asks again itself.",
    ),
    RejectCode.INTERNAL_FAULT: CodeText(
        99, "riskd had a fault while it judged the order.", "The account is frozen; see its alert."
    ),
}
