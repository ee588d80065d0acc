"""Messages of the control port about alerts: which there are, and that somebody has seen one."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from riskd.contract.base import AccountId, ControlRequest, Count, InstantNs, Name, Severity, Text


class Alerts(ControlRequest, frozen=True, kw_only=True, tag="alerts"):
    """The newest alerts, latest last."""

    since: Count | None = None  # Only alerts with a greater alert_id.
    from_ns: InstantNs | None = None  # Only alerts that were seen at this instant or later.
    to_ns: InstantNs | None = None  # Only alerts that were seen at this instant or earlier.
    severity: Severity | None = None
    account: AccountId | None = None
    status: Name | None = None  # Only such: raised, escalated, acknowledged, muted, resolved; open.
    alert_id: Count | None = None  # This one, with every step of its life.
    limit: Count = 100


class NotifyTest(ControlRequest, tag="notify_test", frozen=True, kw_only=True):
    """Tell a test to every channel of notifications now. What becomes of it: `metrics`, notify."""


class AlertAck(ControlRequest, tag="alert_ack", frozen=True, kw_only=True):
    """A person has seen an alert: it is neither published again nor escalated.

    What is over when it has happened is an alert of its own when it happens again. What goes on is
    silent until it ends, or gets worse.
    """

    alert_id: Count
    by: Name = ""  # Who; absent: the local operator.
    note: Text = ""
    mute_ms: Annotated[int, Meta(gt=0, le=604_800_000)] | None = None  # Also silent if it recurs.
