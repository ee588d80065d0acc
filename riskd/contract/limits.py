"""Messages of the control port that change limits: at once, or with a second person's approval."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import UNSET, Meta, UnsetType

from riskd.contract.base import ControlRequest, Count, InstantNs, Name, Part, Text
from riskd.contract.specs import LimitSet

LIMIT_CHANGES_MAX = 1000  # Of one request.

LimitScope = Annotated[str, Meta(min_length=1, max_length=140)]
LimitInput = int | float | str | dict[str, Any] | list[Any] | None


class LimitChange(Part, frozen=True, kw_only=True):
    """One limit that is to be another one: `value` as in limits.toml, null for none.

    Without a value the limit becomes again what the configuration says. With `until_ns` the change
    ends by itself, and what was in force before it stands again.
    """

    scope: LimitScope  # firm, default, session, group:G, account:A1, account:A1:AAPL, strategy:S...
    key: Name  # Of limits.toml, such as order_notional.
    value: LimitInput | UnsetType = UNSET
    until_ns: InstantNs | None = None


LimitChanges = Annotated[tuple[LimitChange, ...], Meta(min_length=1, max_length=LIMIT_CHANGES_MAX)]


class LimitsSet(ControlRequest, frozen=True, kw_only=True, tag="limits_set"):
    """Change limits at once, all or none; refused if one of them would be looser than it is.

    The changes stand over restarts, on top of the configuration.
    """

    changes: LimitChanges  # Each limit of each scope at most once.
    reason: Text = ""
    by: Name = ""  # Who asks; where riskd has keys, the name of the key counts.


class LimitsPropose(ControlRequest, frozen=True, kw_only=True, tag="limits_propose"):
    """Ask for changes, looser ones too, that somebody else is to approve within a day."""

    changes: LimitChanges  # Each limit of each scope at most once.
    reason: Text = ""
    by: Name = ""  # Who asks.


class LimitsApprove(ControlRequest, frozen=True, kw_only=True, tag="limits_approve"):
    """Put a proposal of somebody else in force, all of it at one seq."""

    proposal_id: Count  # Of limits_propose's answer, or of limits.
    reason: Text = ""
    by: Name = ""


class LimitsReject(ControlRequest, frozen=True, kw_only=True, tag="limits_reject"):
    """End a proposal without putting it in force; who made it may do so, too."""

    proposal_id: Count  # Of limits_propose's answer, or of limits.
    reason: Text = ""
    by: Name = ""


class Shadow(ControlRequest, frozen=True, kw_only=True, tag="shadow"):
    """Which verdicts that the journal keeps would differ under other limits; nothing changes.

    Answered when the journal is through: `verdicts`, how many `differ`, `changes` by code, and the
    first of the `differences`. Facts stay facts: a fill of what would be refused is booked.
    """

    limits: LimitSet  # In the place of the configuration's; what people changed lies on top.
    differences_max: Annotated[int, Meta(ge=0, le=1000)] = 100  # Told one by one.


LimitsCommand = LimitsSet | LimitsPropose | LimitsApprove | LimitsReject
