"""Who may ask what: the roles of keys, and the least role of every message that a port takes."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from riskd.contract import (
    alerting,
    analysis,
    control,
    limits,
    measures,
    orders,
    responses,
    sessions,
    ticks,
)
from riskd.contract.base import Message


class Role(StrEnum):
    """What the holder of a key may do. An admin may do everything."""

    GATEWAY = "gateway"  # Checks orders and tells facts of its own accounts, under its own name.
    FEED = "feed"  # Publishes market data.
    VIEWER = "viewer"  # Reads everything, changes nothing.
    OPERATOR = "operator"  # Also stops and lets go on, acknowledges, cuts positions.
    RISK_MANAGER = "risk_manager"  # Also changes limits, approves, begins a day.
    ADMIN = "admin"


LADDER = (
    Role.VIEWER,
    Role.OPERATOR,
    Role.RISK_MANAGER,
    Role.ADMIN,
)  # Each may do more.

LEAST_ROLE: Mapping[type[Message], Role | None] = {  # None: whoever has a key.
    orders.Check: Role.GATEWAY,
    orders.Amend: Role.GATEWAY,
    orders.Basket: Role.GATEWAY,
    orders.OrderReport: Role.GATEWAY,
    orders.Fill: Role.GATEWAY,
    orders.FillBust: Role.GATEWAY,
    orders.FillCorrect: Role.GATEWAY,
    orders.Transfer: Role.GATEWAY,
    orders.Funding: Role.GATEWAY,
    orders.PositionReport: Role.GATEWAY,
    orders.Ping: None,
    sessions.Hello: Role.GATEWAY,
    sessions.Resync: Role.GATEWAY,
    sessions.Resynced: Role.GATEWAY,
    sessions.InstructionReport: Role.GATEWAY,
    ticks.Tick: Role.FEED,
    ticks.Ticks: Role.FEED,
    ticks.MarketState: Role.FEED,
    control.Status: Role.VIEWER,
    control.Accounts: Role.VIEWER,
    control.AccountRequest: Role.VIEWER,
    control.Instruments: Role.VIEWER,
    control.Positions: Role.VIEWER,
    control.Orders: Role.VIEWER,
    control.Pnl: Role.VIEWER,
    control.Limits: Role.VIEWER,
    control.Breakers: Role.VIEWER,
    control.Sessions: Role.VIEWER,
    control.VerdictRequest: Role.VIEWER,
    control.Metrics: Role.VIEWER,
    alerting.Alerts: Role.VIEWER,
    responses.Responses: Role.VIEWER,
    analysis.TradesRequest: Role.VIEWER,
    analysis.ConcentrationRequest: Role.VIEWER,
    analysis.CorrelationRequest: Role.VIEWER,
    analysis.AdviceRequest: Role.VIEWER,
    analysis.SizeRequest: Role.VIEWER,
    analysis.StatisticsRequest: Role.VIEWER,
    measures.ExposureRequest: Role.VIEWER,
    measures.MarginRequest: Role.VIEWER,
    measures.DrawdownRequest: Role.VIEWER,
    measures.CheckState: Role.VIEWER,
    control.Kill: Role.OPERATOR,
    control.Unkill: Role.OPERATOR,
    control.Trip: Role.OPERATOR,
    control.Reset: Role.OPERATOR,
    control.OrderRelease: Role.OPERATOR,
    control.AccountUnfreeze: Role.OPERATOR,
    control.AccountRebuild: Role.OPERATOR,
    control.Rearm: Role.OPERATOR,
    control.Sweep: Role.OPERATOR,
    control.Snapshot: Role.OPERATOR,
    limits.Shadow: Role.RISK_MANAGER,  # It changes nothing, and keeps a core busy for long.
    alerting.AlertAck: Role.OPERATOR,
    alerting.NotifyTest: Role.OPERATOR,
    responses.Reduce: Role.OPERATOR,
    responses.ResponseStop: Role.OPERATOR,
    control.Override: Role.RISK_MANAGER,
    control.SessionRoll: Role.RISK_MANAGER,  # A new day forgives the losses of the last one.
    limits.LimitsSet: Role.RISK_MANAGER,
    limits.LimitsPropose: Role.RISK_MANAGER,
    limits.LimitsApprove: Role.RISK_MANAGER,
    limits.LimitsReject: Role.RISK_MANAGER,
    control.AccountAdd: Role.ADMIN,
    control.AccountUpdate: Role.ADMIN,
    control.AccountRemove: Role.ADMIN,
    control.InstrumentAdd: Role.ADMIN,
    control.InstrumentUpdate: Role.ADMIN,
    control.Reload: Role.ADMIN,
    control.Stop: Role.ADMIN,
}


def admits(role: Role, least: Role | None) -> bool:
    """Return whether a role may do what asks for at least `least`."""
    if least is None or role is least or role is Role.ADMIN:
        return True
    return role in LADDER and least in LADDER and LADDER.index(role) >= LADDER.index(least)
