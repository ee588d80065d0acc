"""The types of alerts about the state of accounts."""

from __future__ import annotations

from riskd.own_alert_types import ONCE, AlertText

ACCOUNT_ALERTS: dict[str, AlertText] = {
    "daily_loss": AlertText(
        "low to critical",
        "The day's loss of an account, a group or the firm passed a threshold of its limit.",
        "When the loss has come back and stayed back for the dwell.",
        "At the limit only reducing orders pass. Look at riskd pnl and riskd advice.",
    ),
    "drawdown": AlertText(
        "low to critical",
        "Equity fell by so much from its highest of the day, the week or ever.",
        "When it has recovered and stayed so for the dwell.",
        "At the limit only reducing orders pass. See riskd advice.",
    ),
    "exposure": AlertText(
        "low to critical",
        "Gross or net exposure of an account passed a threshold, by orders or by prices alone.",
        "When it has come back and stayed so for the dwell.",
        "Past the limit only reducing orders pass. Reduce, or raise the limit.",
    ),
    "concentration": AlertText(
        "low to critical",
        "One name became too large a share of exposure or equity.",
        "When it has come back and stayed so for the dwell.",
        "See riskd concentration; reduce the name.",
    ),
    "correlation": AlertText(
        "low to critical",
        "Names that move together became too large a share of the account, or too much money.",
        "When it has come back, or they move apart, and stayed so for the dwell.",
        "See riskd concentration; reduce what moves together.",
    ),
    "leverage": AlertText(
        "low to critical",
        "Gross exposure became too large a multiple of equity.",
        "When it has come back and stayed so for the dwell.",
        "Reduce, or pay in.",
    ),
    "margin_state": AlertText(
        "low to extreme",
        "The margin level, equity in percent of margin, fell below one of its levels.",
        "When the level has recovered and stayed so for the dwell.",
        "Pay in or reduce: riskd advice says which position frees how much.",
    ),
    "burn_rate": AlertText(
        "high",
        "At the pace of the last minute and of the last five the daily loss limit is reached soon.",
        "When one of both has slowed down and stayed so for the dwell.",
        "Look at riskd pnl; reduce before the limit does it.",
    ),
    "pnl_move": AlertText(
        "medium",
        "An account gained or lost much of its equity within the window of pnl_move_pct.",
        "When it has moved less in a window and that stayed so for the dwell.",
        "See riskd pnl: which position, and whether that was meant.",
    ),
    "position_move": AlertText(
        "medium",
        "A position gained or lost much of the account's equity within the window.",
        "When it has moved less in a window and that stayed so for the dwell.",
        "See riskd positions and the news of the name.",
    ),
    "reward_to_risk": AlertText(
        "low",
        "A position may win too little for what it may lose: its target is near, or its stop past.",
        "When it may win enough again, or is closed.",
        "See riskd advice: take the profit, or move stop and target.",
    ),
    "rebalancing": AlertText(
        "low",
        "The account hangs on few of its names: the index of concentration passed rebalance_hhi.",
        "When it is spread again and stayed so for the dwell.",
        "See riskd concentration; trim the name that the alert names.",
    ),
    "currency_limit": AlertText(
        "critical",
        "Prices alone carried what the account has of a currency past its currency_exposure.",
        "When it is back by a step and stayed so for the dwell.",
        "Orders that increase it are refused; see riskd exposure, and reduce what is named.",
    ),
    "limit_warning": AlertText(
        "medium",
        "An order used more of a limit than its warning threshold.",
        ONCE,
        "See the limit with riskd limits; nothing is refused yet.",
    ),
    "limit_critical": AlertText(
        "high",
        "An order used more of a limit than its critical threshold.",
        ONCE,
        "See the limit with riskd limits; nothing is refused yet.",
    ),
    "limit_breached": AlertText(
        "critical",
        "A soft limit was passed by an order that was approved with a warning.",
        ONCE,
        "Decide whether the limit is to be hard, or another one.",
    ),
    "book_drift": AlertText(
        "high",
        "The sweep found that fast figures had drifted from the exact ledger; they are anew.",
        ONCE,
        "Report it with the journal: figures should not drift.",
    ),
}
