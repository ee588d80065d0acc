"""State topics: figures published when they changed, at most once per `publish_ms`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from msgspec.structs import replace

from engine.account import Account
from engine.views import pnl_update, position_update
from riskd.messages import (
    Check,
    PnlUpdate,
    PositionUpdate,
    Published,
    Verdict,
    VerdictEvent,
)
from transport.alerts import AlertsPort

ACCOUNTS_PER_PASS = 100  # Looked at before the loop's sockets get their turn.
STATE_CLASSES = ("pnl", "position")


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
    """Looks at accounts that somebody subscribed to, a few per pass of the loop."""

    def __init__(self, accounts: dict[str, Account], now_ns: Callable[[], int]) -> None:
        self._accounts = accounts
        self._now_ns = now_ns
        self._last: dict[str, Published] = {}  # Per topic, without its instant.
        self._round: Iterator[Account] | None = None

    def standing(self, prefix: str) -> Iterator[tuple[str, Published]]:
        """Yield the present value of each figure whose topic is under `prefix`."""
        if not any(name.startswith(prefix) or prefix.startswith(name) for name in STATE_CLASSES):
            return
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
        for _ in range(ACCOUNTS_PER_PASS):
            account = next(self._round, None)
            if account is None:
                self._round = None
                return False
            self._publish_changed(account, port)
        return True

    def _publish_changed(self, account: Account, port: AlertsPort) -> None:
        for topic, make in self._topics(account):
            if not port.wants(topic):
                continue
            message = make()
            still = _timeless(message)
            if self._last.get(topic) != still:
                self._last[topic] = still
                port.publish(topic, message)

    def _topics(self, account: Account) -> Iterator[tuple[str, Callable[[], Published]]]:
        now_ns = self._now_ns()
        yield f"pnl.{account.id}", partial(pnl_update, account, now_ns)
        for symbol, held in list(account.state.positions.items()):
            topic = f"position.{account.id}.{symbol}"
            yield topic, partial(position_update, account, held, now_ns)


def _timeless(message: Published) -> Published:
    """Return a figure without what changes by the mere passing of time."""
    if isinstance(message, PositionUpdate):
        return replace(message, ts_ns=0, mark_age_ns=None)
    if isinstance(message, PnlUpdate):
        return replace(message, ts_ns=0)
    return message
