"""Alerts about riskd itself, who asks to be let in included: the end of the table of all types."""

from __future__ import annotations

from typing import NamedTuple

ONCE = "It happened and is over: acknowledge it. If it happens again, that is another alert."


class AlertText(NamedTuple):
    """One type of alert for people."""

    severity: str  # As it is raised; what nobody acknowledges gets worse.
    meaning: str
    ends: str
    remedy: str


OWN_ALERT_TYPES: dict[str, AlertText] = {
    "alert_digest": AlertText(
        "that of the worst it stands for",
        "More than 500 alerts of one type came within a second; this one stands for the rest.",
        ONCE,
        "See riskd alerts and riskd export risk_alerts: each of them is there.",
    ),
    "account_frozen": AlertText(
        "extreme",
        "An account had a fault or its books may lack something; it may not trade.",
        "When an operator has let it trade again.",
        "Compare its books with the venue's, then riskd unfreeze.",
    ),
    "journal_failed": AlertText(
        "extreme",
        "The journal cannot be written: what would have to be kept is refused.",
        "When the journal is written again.",
        "Make room on the disk, or see what is wrong with it.",
    ),
    "checkpoint_failed": AlertText(
        "critical",
        "No snapshot could be written. Trading goes on; a restart takes longer.",
        ONCE,
        "Make room on the disk.",
    ),
    "audit_failed": AlertText(
        "critical",
        "The audit database falls behind: only reducing orders pass.",
        "When everything that waited is written.",
        "Make room on the disk, or end what locks the file. See riskd status.",
    ),
    "notify_failed": AlertText(
        "high",
        "A channel of notifications cannot deliver. It is tried again.",
        "When a message was delivered.",
        "See notify in the metrics for the reason; then riskd notify test.",
    ),
    "login_refused": AlertText(
        "high",
        "Connections with a wrong key, or a key without business at a port, keep coming.",
        ONCE,
        "The log names address and public key: give them the right key, or shut them out.",
    ),
    "not_authorized": AlertText(
        "medium",
        "The holder of a key keeps asking for what its role or its accounts do not allow.",
        ONCE,
        "See riskd keys list: another role, other accounts, or a word with its holder.",
    ),
    "keys_unreadable": AlertText(
        "high",
        "The allow-list of keys changed and cannot be read; that of before stays in force.",
        "When it can be read again.",
        "The text says what is wrong with it: mend the file, or make it with riskd keys.",
    ),
    "clock_stepped": AlertText(
        "high",
        "The machine's clock was set. Spans are measured by another, so nothing ends early.",
        ONCE,
        "See that the clock is synchronised.",
    ),
}
