"""State topics: figures published when they changed, at most once per `publish_ms`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from msgspec.structs import replace

from engine.account import Account
from engine.boards import Boards
from engine.firm import firm_drawdown, firm_exposure, firm_pnl
from engine.limits import FIRM
from engine.measures import drawdown_update, exposure_update, margin_update, risk_update
from engine.views import pnl_update, position_update
from riskd.messages import (
    Check,
    DrawdownSpan,
    DrawdownUpdate,
    ExposureUpdate,
    FirmDrawdown,
    FirmExposure,
    FirmPnl,
    MarginUpdate,
    PnlUpdate,
    PositionUpdate,
    Published,
    RiskUpdate,
    UpdateType,
    Verdict,
    VerdictEvent,
)
from transport.alerts import AlertsPort

ACCOUNTS_PER_PASS = 10  # Looked at before the loop's sockets get their turn.
STATE_CLASSES = ("pnl", "position", "exposure", "margin", "drawdown", "risk_update", "firm")
Make = Callable[[], Published]


def verdict_event(check: Check, verdict: Verdict) -> VerdictEvent:
    """Return a verdict as its topic tells it: with the order it is about."""
    return VerdictEvent(
        client_order_id=verdict.client_order_id,
        account=verdict.account,
        approved=verdict.approved,
        seq=verdict.seq,
        limits_version=verdict.limits_version,
        checked_ns=verdict.checked_ns,
        duplicate=verdict.duplicate,
        durability=verdict.durability,
        rejects=verdict.rejects,
        warnings=verdict.warnings,
        symbol=check.symbol,
        side=check.side,
        quantity=check.quantity,
        price=check.price,
    )


class Publisher:
    """Looks at the firm and at accounts that somebody subscribed to, a few per pass."""

    def __init__(
        self, boards: Boards, accounts: dict[str, Account], now_ns: Callable[[], int]
    ) -> None:
        self._boards = boards
        self._accounts = accounts
        self._now_ns = now_ns
        self._last: dict[str, Published] = {}  # Per topic, without its instant.
        self._round: Iterator[Account] | None = None

    def standing(self, prefix: str) -> Iterator[tuple[str, Published]]:
        """Yield the present value of each figure whose topic is under `prefix`."""
        if not any(name.startswith(prefix) or prefix.startswith(name) for name in STATE_CLASSES):
            return
        for topic, make in self._firm_topics():
            if topic.startswith(prefix):
                yield topic, make()
        for account in list(self._accounts.values()):
            for topic, make in self._topics(account):
                if topic.startswith(prefix):
                    yield topic, make()

    def step(self, port: AlertsPort) -> bool:
        """Publish what changed of the next few accounts; return whether the round goes on."""
        if not any(port.wants_class(name) for name in STATE_CLASSES):
            self._round = None
            self._last.clear()
            return False
        if self._round is None:
            self._round = iter(list(self._accounts.values()))
            self._publish_changed(self._firm_topics(), port)
        for _ in range(ACCOUNTS_PER_PASS):
            account = next(self._round, None)
            if account is None:
                self._round = None
                return False
            self._publish_changed(self._topics(account), port)
        return True

    def _publish_changed(self, topics: Iterator[tuple[str, Make]], port: AlertsPort) -> None:
        for topic, make in topics:
            if not port.wants(topic):
                continue
            message = make()
            still, last = _timeless(message), self._last.get(topic)
            if last == still:
                continue
            self._last[topic] = still
            if isinstance(message, RiskUpdate) and isinstance(last, RiskUpdate):
                message = replace(message, previous_value=last.current_value)
            port.publish(topic, message)

    def _firm_topics(self) -> Iterator[tuple[str, Make]]:
        boards, now_ns = self._boards, self._now_ns()
        for group in (FIRM, *boards.groups):
            suffix = "" if group == FIRM else f".{group}"
            yield f"firm.exposure{suffix}", partial(firm_exposure, boards, group, now_ns)
            yield f"firm.pnl{suffix}", partial(firm_pnl, boards, group, now_ns)
            yield f"firm.drawdown{suffix}", partial(firm_drawdown, boards, group, now_ns)

    def _topics(self, account: Account) -> Iterator[tuple[str, Make]]:
        now_ns, name = self._now_ns(), account.id
        yield f"pnl.{name}", partial(pnl_update, account, now_ns)
        yield f"exposure.{name}", partial(exposure_update, account, now_ns)
        yield f"margin.{name}", partial(margin_update, account, now_ns)
        yield f"drawdown.{name}", partial(drawdown_update, account, now_ns)
        for update_type in UpdateType:
            topic = f"risk_update.{name}.{update_type}"
            yield topic, partial(risk_update, account, update_type, now_ns)
        for symbol, held in list(account.state.positions.items()):
            topic = f"position.{name}.{symbol}"
            yield topic, partial(position_update, account, held, now_ns)


def _timeless(message: Published) -> Published:
    """Return a figure without what changes by the mere passing of time."""
    match message:
        case PositionUpdate():
            return replace(message, ts_ns=0, mark_age_ns=None)
        case RiskUpdate():
            return replace(message, ts_ns=0)
        case PnlUpdate() | ExposureUpdate() | MarginUpdate() | FirmExposure() | FirmPnl():
            return replace(message, ts_ns=0, mark_ages_ns={})
        case DrawdownUpdate() | FirmDrawdown():
            spans = (_still(span) for span in (message.day, message.week, message.max))
            day, week, life = spans
            return replace(message, ts_ns=0, mark_ages_ns={}, day=day, week=week, max=life)
        case _:
            return message


def _still(span: DrawdownSpan | None) -> DrawdownSpan | None:
    return None if span is None else replace(span, under_water_ns=0)
