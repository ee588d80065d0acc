"""What a running house tells of itself: heartbeat, status, metrics."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from actors.runtime import RunQueue
from actors.system import System
from config.settings import Settings
from riskd import __version__
from riskd.messages import Heartbeat
from transport.clock import Clock
from transport.latency import Latency
from transport.notify import Notifier
from transport.poller import Poller
from transport.process_access import Access
from transport.process_audit import AuditKeeper
from transport.process_beside import Beside
from transport.process_door import Door
from transport.process_ports import Ports


class Figures:
    """Gathers figures when asked; none is kept for it but counters that their owners have."""

    def __init__(
        self,
        settings: Settings,
        system: System,
        door: Door,
        *,
        clock: Clock,
        beside: Beside,
        poller: Poller,
        run_queue: RunQueue,
        audit: AuditKeeper | None,
        access: Access,
        state: Callable[[], str],
    ) -> None:
        self.ports: Ports | None = None
        self.notifier = Notifier({})
        self.alert_latency = Latency()  # From the input that causes an alert to its publication.
        self._settings = settings
        self._system, self._door, self._journal = system, door, door.journal
        self._clock, self._started_ns = clock, clock.steady_ns()
        self._beside = beside
        self._poller, self._run_queue = poller, run_queue
        self._audit = audit
        self._access = access
        self._state = state

    def heartbeat(self) -> Heartbeat:
        """Return what is published every second; the latencies are those since the last one."""
        assert self.ports is not None
        p50, p99, p999 = self.ports.orders.latency.take()
        now_ns = self._door.now_ns()
        return Heartbeat(
            seq=self._door.last_seq,
            state=self._state(),
            server_ns=now_ns,
            queue_depths=self._depths(),
            verdict_p50_ns=p50,
            verdict_p99_ns=p99,
            verdict_p999_ns=p999,
            feed_ages_ns=self._feed_ages_ns(now_ns),
            journal_lag=self._journal_lag(),
            audit_lag=self._audit.lag if self._audit is not None else 0,
        )

    def status(self) -> dict[str, Any]:
        """Return what `status` answers."""
        system, breakers = self._system, self._system.boards.breakers
        p50, p99, p999 = self.ports.orders.latency.overall() if self.ports else (0, 0, 0)
        return {
            "version": __version__,
            "env": self._settings.env,
            "state": self._state(),
            "uptime_ns": self._clock.steady_ns() - self._started_ns,
            "server_ns": self._door.now_ns(),
            "seq": self._door.last_seq,
            "limits_version": system.boards.limits_version,
            "accounts": len(system.accounts) - 1,  # Without suspense.
            "instruments": len(system.boards.instruments),
            "gateways": len(system.boards.sessions.standing()),
            "open_breakers": len(breakers.book.open),
            "verdicts": self.ports.orders.latency.count if self.ports else 0,
            "verdict_p50_ns": p50,
            "verdict_p99_ns": p99,
            "verdict_p999_ns": p999,
            "ticks": dict(system.tick_counts),
            "journal": {
                "sync": self._settings.journal.sync,
                "last_seq": self._journal.last_seq,
                "synced_seq": self._journal.synced_seq,
                "lag": self._journal_lag(),
                "failure": self._door.refusal or None,
            },
            "audit": self._audit.figures() if self._audit is not None else None,
            "snapshot": self._beside.last_snapshot,
            "ports": self.ports.bound if self.ports else {},
            "data_dir": str(Path(self._settings.data_dir).resolve()),
        }

    def metrics(self) -> dict[str, Any]:
        """Return every counter and gauge."""
        assert self.ports is not None
        ports, alert_ns = self.ports, self.alert_latency.overall()
        return {
            "seq": self._door.last_seq,
            "verdicts": ports.orders.latency.count,
            "orders": dict(ports.orders.router.counts),
            "control": dict(ports.control.router.counts),
            "ticks": dict(self._system.tick_counts),
            "ticks_port": {key: n for port in ports.ticks for key, n in port.counts.items()},
            "alerts": {**ports.alerts.counts, "subscriptions": ports.alerts.subscriptions},
            "peers": ports.figures(),
            "log_ins": dict(ports.zap.counts) if ports.zap is not None else {},
            "access": self._access.figures(),
            "alerts_raised": self._system.alert_book.last_id,
            "alert_p50_ns": alert_ns[0],
            "alert_p99_ns": alert_ns[1],
            "alert_p999_ns": alert_ns[2],
            "audit": self._audit.figures() if self._audit is not None else None,
            "notify": self.notifier.figures(),
            "queue_depths": self._depths(),
            "journal_lag": self._journal_lag(),
            "refused_by_journal": self._door.refused,
            "poller_rescues": self._poller.rescues,
            "feed_ages_ns": self._feed_ages_ns(self._door.now_ns()),
        }

    def _depths(self) -> dict[str, int]:
        held = self.ports.orders.held_count if self.ports is not None else 0
        return {"actors": len(self._run_queue), "held_answers": held}

    def _feed_ages_ns(self, now_ns: int) -> dict[str, int]:
        quotes = self._system.boards.quotes.quotes.values()
        return {quote.symbol: max(0, now_ns - quote.recv_ns) for quote in quotes if quote.recv_ns}

    def _journal_lag(self) -> int:
        return self._journal.last_seq - self._journal.synced_seq
