"""What each type of alert means, what ends it, and what to do: `riskd explain`, docs/alerts.md."""

from __future__ import annotations

from riskd.account_alerts import ACCOUNT_ALERTS
from riskd.own_alert_types import ONCE, OWN_ALERT_TYPES, AlertText

ALERT_TYPES: dict[str, AlertText] = {
    **ACCOUNT_ALERTS,
    # Orders and fills.
    "reservation_suspect": AlertText(
        "high",
        "An approved order was not reported on in time; what it reserves stays counted.",
        ONCE,
        "Ask the gateway: report the order, or riskd order release.",
    ),
    "unknown_order": AlertText(
        "critical; of a report high",
        "A fill or a report is of an order that is not known. A fill is booked and counted.",
        ONCE,
        "Find out who sent an order that riskd did not approve.",
    ),
    "already_terminal": AlertText(
        "low",
        "A report came for an order that had ended. Nothing changed.",
        ONCE,
        "Nothing, if the gateway repeats itself.",
    ),
    "unknown_account": AlertText(
        "critical",
        "A fill names an account that does not exist. It is booked to SUSPENSE.",
        ONCE,
        "Declare the account and correct the fill.",
    ),
    "unknown_symbol": AlertText(
        "critical",
        "A fill of an unknown instrument waits; its account is frozen.",
        "When the instrument was added and the fill is booked.",
        "Add the instrument, compare the books, then riskd unfreeze.",
    ),
    "unknown_exec": AlertText(
        "critical",
        "A bust or correction names an execution that is not known.",
        ONCE,
        "Compare the account's fills with the venue's.",
    ),
    "fill_unusable": AlertText(
        "critical",
        "A fill has numbers that cannot be booked.",
        ONCE,
        "Let the gateway send the fill again with right numbers; until then books lack it.",
    ),
    "execution_conflict": AlertText(
        "high",
        "An execution id came again with other contents. The first stands.",
        ONCE,
        "Compare with the venue; send fill_correct if the first is wrong.",
    ),
    "late_fill": AlertText(
        "high",
        "A fill came for an order that had ended. It is booked in full.",
        ONCE,
        "Nothing, if the venue filled it before it took the cancel.",
    ),
    "over_fill": AlertText(
        "high",
        "An order was filled for more than its quantity. All of it is booked.",
        ONCE,
        "Compare with the venue.",
    ),
    "reject_ratio": AlertText(
        "high",
        "Too large a share of an account's orders was refused in the window.",
        ONCE,
        "Look at what the strategy does: riskd tail verdicts.",
    ),
    "cancel_rate": AlertText(
        "medium",
        "More cancels in a second than cancels_per_second. None is refused.",
        ONCE,
        "Look at what the strategy does.",
    ),
    "fill_velocity": AlertText(
        "high",
        "More fills in a second than fills_per_second. Only reducing orders pass meanwhile.",
        ONCE,
        "Look at what the strategy does.",
    ),
    "repeated_execution": AlertText(
        "high",
        "A strategy executed as often as it may without a person looking.",
        ONCE,
        "Look, then riskd rearm.",
    ),
    "override_requested": AlertText(
        "medium",
        "Somebody asks that one order may pass limits; the other of the two has not said so yet.",
        ONCE,
        "If it is right, the other one sends the same override with their own key.",
    ),
    "override_granted": AlertText(
        "medium", "Two people let one order pass limits.", ONCE, "Nothing."
    ),
    "configuration_refused": AlertText(
        "high",
        "Files that were to be read again cannot be put in force; what was so before stays.",
        "When they can, at the next riskd reload.",
        "The text names file, line and key.",
    ),
    "limits_proposed": AlertText(
        "medium", "Other limits wait for a second person.", "When answered.", "See riskd limits."
    ),
    "limits_changed": AlertText(
        "medium", "Limits were changed, or a change for a time has ended.", ONCE, "Nothing."
    ),
    "override_used": AlertText(
        "high", "The order of an override was approved.", ONCE, "Nothing, if it was meant."
    ),
    "unreconciled": AlertText(
        "high or critical",
        "The venue's view of an account differs from the books, or is not known.",
        "When the venue reports what the books say.",
        "Find what is missing: a fill, a transfer. The worse view counts meanwhile.",
    ),
    "reconciled": AlertText("low", "Venue and books agree again.", ONCE, "Nothing."),
    # Gateways and responses.
    "session_lost": AlertText(
        "high",
        "A gateway's session ended or fell silent.",
        "When the gateway says hello again.",
        "See riskd sessions; its orders were cancelled if it asked for that.",
    ),
    "instruction_unassigned": AlertText(
        "critical",
        "No gateway carries out instructions for an account.",
        ONCE,
        "Do it by hand, or connect a gateway that executes responses.",
    ),
    "instruction_late": AlertText(
        "high", "A gateway did not do an instruction in time.", ONCE, "Ask the gateway."
    ),
    "instruction_failed": AlertText(
        "high", "A gateway could not do an instruction.", ONCE, "Do it by hand."
    ),
    "instruction_expired": AlertText(
        "high", "An instruction was not begun by its deadline and is void.", ONCE, "Look anew."
    ),
    "instructions_full": AlertText(
        "extreme",
        "Too many instructions are outstanding; one was not given.",
        ONCE,
        "Stop what makes them, cancel by hand at the venue.",
    ),
    "breakers_full": AlertText(
        "extreme",
        "Too many breakers are open; one that a measure asked for was not opened.",
        ONCE,
        "Close those that nobody needs, and stop the scope by a kill.",
    ),
    "response_failed": AlertText(
        "extreme",
        "A response did not bring its account back after all its attempts.",
        ONCE,
        "Act by hand: riskd responses says what was tried, riskd reduce tries again. "
        "Unless a person had asked for it, the row any extreme stops the account meanwhile.",
    ),
    # Breakers.
    "breaker_stopped": AlertText(
        "critical",
        "A kill or a breaker was set on a scope.",
        "When the breaker closes.",
        "See riskd breakers: who, why, until when.",
    ),
    "breaker_released": AlertText(
        "medium", "A kill or a breaker was lifted, by somebody or by time.", ONCE, "Nothing."
    ),
    # Market data.
    "rate_old": AlertText(
        "medium",
        "An exchange rate was not renewed for too long.",
        "When the pair has a price again.",
        "Check the feed of the pair: what it converts is incomplete.",
    ),
    "feed_silent": AlertText(
        "high",
        "Nothing was heard of an instrument that is held, though its market is open.",
        "When its feed speaks, or its market closes.",
        "Check the feed: the position is valued at its last price, new risk in it is refused.",
    ),
    "price_move": AlertText(
        "medium to critical",
        "The price of a symbol moved so much of what price_move lets it within a window.",
        "When the window has left the move behind, or it has come back, for the dwell.",
        "Past the limit only exits pass in it, and a breaker opens if a policy says so.",
    ),
    "tick_crossed": AlertText(
        "low", "A tick's bid was above its ask; it was refused.", ONCE, "Check the feed."
    ),
    "tick_out_of_order": AlertText(
        "low", "A tick came after a newer one; it was refused.", ONCE, "Check the feed."
    ),
    "tick_value_invalid": AlertText(
        "medium",
        "A tick had a number that is none, or out of range. The last good price ages.",
        ONCE,
        "Check the feed.",
    ),
    "tick_unknown_symbol": AlertText(
        "medium", "A tick names no known instrument.", ONCE, "Add it, or filter the feed."
    ),
    "tick_empty": AlertText("medium", "A tick says nothing.", ONCE, "Check the feed."),
    "tick_too_many_feeds": AlertText(
        "medium",
        "Too many feeds number the ticks of one instrument.",
        ONCE,
        "Let each publisher keep its feed name.",
    ),
    "tick_malformed": AlertText(
        "medium", "Bytes on the ticks port are no message.", ONCE, "Check who sends there."
    ),
    "tick_too_large": AlertText(
        "medium", "A message on the ticks port is too large.", ONCE, "Send smaller batches."
    ),
    **OWN_ALERT_TYPES,
}
