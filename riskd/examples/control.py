"""Examples of the control port, and of what riskd writes to its journal by itself."""

from __future__ import annotations

from riskd import messages as m
from riskd.examples.moment import AT_NS, SECOND_NS

_AAPL = m.InstrumentSpec(
    symbol="AAPL",
    currency="USD",
    initial_margin=0.5,
    maintenance_margin=0.25,
    calendar="XNYS",
)
_A1 = m.AccountSpec(id="A1", group="desk-1", balance=100_000.0, calendar="XNYS")

CONTROL = (
    m.Status(request_id="c-1"),
    m.Accounts(),
    m.AccountRequest(account="A1"),
    m.Instruments(request_id="c-8"),
    m.Positions(account="A1"),
    m.Orders(account="A1"),
    m.Pnl(scope="account:A1", by=m.PnlBy.STRATEGY, request_id="r-9"),
    m.Limits(scope="account:A1"),
    m.Alerts(since=40, severity=m.Severity.HIGH),
    m.Breakers(),
    m.Sessions(request_id="c-9"),
    m.VerdictRequest(account="A1", client_order_id="o-2"),
    m.Metrics(),
    m.NotifyTest(),
    m.TradesRequest(account="A1", by="symbol", limit=5),
    m.ConcentrationRequest(scope="account:A1"),
    m.CorrelationRequest(),
    m.AdviceRequest(account="A1"),
    m.SizeRequest(account="A1", symbol="AAPL", price=187.5, stop_loss=184.0, risk_pct=1.0),
    m.StatisticsRequest(account="A1"),
    m.Kill(scope="account", scope_id="A1", reason="The feed looks wrong."),
    m.Unkill(scope="account", scope_id="A1", reason="The feed is right again."),
    m.Trip(
        scope="symbol",
        scope_id="AAPL",
        action="reduce_only",
        reason="A split is due.",
        until_ns=AT_NS + 3600 * SECOND_NS,
    ),
    m.Reset(breaker_id=3, reason="The split is done."),
    m.AccountAdd(account=_A1, request_id="c-2"),
    m.AccountUpdate(account=_A1),
    m.AccountRemove(account="A4", reason="Its owner left."),
    m.InstrumentAdd(instrument=_AAPL),
    m.InstrumentUpdate(instrument=_AAPL),
    m.OrderRelease(account="A1", client_order_id="o-1", reason="The venue never had it."),
    m.AccountUnfreeze(account="A1", reason="Its books were compared with the broker's."),
    m.Rearm(account="A1", strategy="opening", reason="It fills at the prices it should."),
    m.AlertAck(alert_id=41, by="ann", note="The desk is told.", mute_ms=600_000),
    m.Override(
        order_hash="9f86d081884c7d659a2feaa0c55ad015",
        expires_ns=AT_NS + 60 * SECOND_NS,
        requested_by="ann",
        approved_by="bob",
        reason="The client's block, agreed by telephone.",
    ),
    m.LimitsSet(
        changes=(m.LimitChange(scope="account:A1", key="order_notional", value=500),),
        reason="A new strategy starts small.",
        by="ann",
    ),
    m.LimitsPropose(
        changes=(
            m.LimitChange(
                scope="account:A1:AAPL",
                key="position_notional",
                value=20_000,
                until_ns=AT_NS + 3600 * SECOND_NS,
            ),
        ),
        reason="The client's block.",
        by="ann",
    ),
    m.LimitsApprove(proposal_id=1, by="bob"),
    m.LimitsReject(proposal_id=2, reason="Not before the announcement.", by="bob"),
    m.Shadow(limits=m.LimitSet(default=m.LimitsSpec(order_notional=500.0))),
    m.Reduce(account="A1", percent=50.0, reason="Too much before the announcement."),
    m.ResponseStop(response_id="response-4", reason="The desk closes it by hand."),
    m.Responses(account="A1"),
    m.SessionRoll(account="A1"),
    m.Snapshot(),
    m.AccountRebuild(account="A1", reason="fault at seq 48,113"),
    m.Sweep(request_id="c-3"),
    m.Reload(),
    m.Stop(drain=False),
    m.Result(ok=True, data={"account": "A1", "killed": True}, request_id="c-1"),
)

JOURNAL = (
    m.Configure(
        universe=m.Universe(
            instruments=(_AAPL,),
            groups=(m.GroupSpec(id="desk-1"),),
            accounts=(_A1,),
            limits=m.LimitSet(default=m.LimitsSpec(order_notional=250_000.0, open_orders=100)),
        )
    ),
    m.Elapse(),
    m.DayBegan(calendar="XNYS", day="2026-11-20", week="2026-11-16", month="2026-11-01"),
    m.VerdictVoid(account="A1", client_order_id="o-1"),
    m.ActorFailed(account="A1", reason="AssertionError in the ledger."),
    m.AccountRebuilt(account="A1", part=0, parts=1, state="{}"),
    m.Checkpoint(answers_hash="0c4e53f1a6b0d1c2a1e0f5b7c3d4e5f6", version="0.1.0"),
    m.StateDigest(at_seq=48_113, state_hash="9c1e0d2f3b4a59687786a5b4c3d2e1f0"),
)
