"""The house wired: actors, door, journal and ports on one loop."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import structlog

from actors.runtime import ActorFault, RunQueue
from actors.system import System
from config.settings import Settings
from engine.alerts import AlertBook, topic_of
from engine.breakers import message_of
from engine.core import limits_update
from engine.desk import Answer
from engine.facts import Raised, Stamp
from riskd import __version__
from riskd.messages import (
    Check,
    ControlWork,
    Heartbeat,
    Published,
    Severity,
    Stop,
    Verdict,
)
from transport.clock import Clock
from transport.journal import Journal
from transport.poller import Poller
from transport.process_beside import Beside
from transport.process_door import Door
from transport.process_gateways import Gateways
from transport.process_ports import Callbacks, Ports
from transport.process_queries import Queries
from transport.process_replay import Recovery, recover_books
from transport.publisher import Publisher, verdict_event

log = structlog.get_logger("riskd")
DAYS_S = 0.5  # How often it is looked whether a calendar's day has begun.
BESIDE_S = 0.25  # How often it is looked whether a checkpoint is due.
CLOCK_STEP_NS = 500_000_000  # A clock that is steered slowly never does this in a heartbeat.
DUE_S = 0.02  # How often it is looked whether something is due for the rules.
OWN_ALERT_ID_FIRST = 10**12  # Alerts about the process itself are in no journal: other numbers.
GARBAGE_MAX = 500_000  # Objects made since the last collection that make one due though busy.


class House:
    """Everything on the loop's thread: `recover` the books, then `open` the ports."""

    def __init__(
        self, settings: Settings, loop: asyncio.AbstractEventLoop, stopping: asyncio.Event
    ) -> None:
        self.settings = settings
        self.fault: ActorFault | None = None
        self.drains = True
        self.ports: Ports | None = None
        self._loop = loop
        self.stopping = stopping
        self._run_queue = RunQueue(loop.call_soon_threadsafe, loop.call_soon)
        self._run_queue.bind()
        self._poller = Poller(loop, spin_us=settings.loop.spin_us)
        self._gateways = Gateways(loop, self._poller)
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._own_alerts = AlertBook(last_id=OWN_ALERT_ID_FIRST)
        self._verdicts_before = 0

    def recover(self, journal: Journal) -> Recovery:
        """Bring the books back from snapshot and journal, and put actors over them."""
        self.journal = journal
        recovery = recover_books(journal)
        self.system = System(
            self._run_queue,
            publish=self._publish,
            say=self._gateways.say,
            failed=self._on_account_failed,
            fatal=self._on_fatal,
            core=recovery.replay.core,
        )
        last = journal.last_record
        self.clock = Clock(last.steady_ns, last.recv_ns) if last is not None else Clock()
        self.door = Door(self.system, journal, self.clock, recovery.replay)
        self.beside = Beside(self.settings, self.system, self.door, loop=self._loop, say=self._say)
        self.publisher = Publisher(self.system.accounts, self.door.now_ns)
        self.queries = Queries(
            self.system,
            now_ns=self.door.now_ns,
            status=self._status,
            metrics=self._metrics,
            heard_ns=self._gateways.heard_ns,
        )
        self._started_ns = self.clock.steady_ns()
        return recovery

    def open(self) -> Ports:
        """Bind every port, the orders port last, and begin to serve. Raises zmq.ZMQError."""
        callbacks = Callbacks(
            query=self.queries.answer,
            stop=self._on_stop,
            work=self._on_work,
            verdict=self._publish_verdict,
            tick_refused=self._on_tick_refused,
            standing=self._standing,
            subscribed=self._on_subscribed,
        )
        self.ports = Ports(self.settings, self.door, callbacks)
        self.ports.watch(self._poller)
        self._gateways.open(self.ports.orders, self.door, self.system.boards.sessions)
        self._poller.start()
        self.door.state = "active"
        publish = self.settings.publish
        self._every("due", DUE_S, self.door.elapse_if_due)
        self._every("days", DAYS_S, self.door.begin_days)
        self._every("beside", BESIDE_S, self.beside.step)
        self._every("heartbeat", publish.heartbeat_ms / 1000, self._beat)
        self._every("gateways", self.settings.sessions.heartbeat_ms / 1000, self._gateways.beat)
        self._every("publish", publish.publish_ms / 1000, self._publish_state)
        return self.ports

    def on_synced(self, seq: int) -> None:
        """Let answers go out whose records are on disk. Called on the journal's thread."""
        self._loop.call_soon_threadsafe(self._release, seq)

    def on_journal_failure(self, error: Exception) -> None:
        """Say that the journal failed. Called on any thread."""
        self._loop.call_soon_threadsafe(self._say_journal_failed, str(error))

    def close(self) -> None:
        """Stop serving; what was taken is answered and on disk when this returns."""
        ports, self.ports = self.ports, None
        self._gateways.close()
        for timer in self._timers.values():
            timer.cancel()
        self._poller.stop()
        if ports is not None and self.drains and self.fault is None:
            ports.drain()
        self.beside.close()
        self.journal.close()
        if ports is not None:
            ports.orders.release(self.journal.last_seq)
            ports.close()
        self._run_queue.close()

    def _every(self, name: str, span_s: float, action: Callable[[], None]) -> None:
        def run() -> None:
            self._timers[name] = self._loop.call_later(span_s, run)
            action()

        self._timers[name] = self._loop.call_later(span_s, run)

    def _publish(self, topic: str, message: Published) -> None:
        if self.ports is not None:
            self.ports.alerts.publish(topic, message)
            self._poller.poke(self.ports.alerts)

    def _publish_verdict(self, check: Check, verdict: Verdict) -> None:
        self._publish(f"verdict.{check.account}", verdict_event(check, verdict))

    def _publish_state(self) -> None:
        if self.ports is not None and self.publisher.step(self.ports.alerts):
            self._poller.poke(self.ports.alerts)
            self._loop.call_soon(self._publish_state)

    def _standing(self, prefix: str) -> Iterator[tuple[str, Published]]:
        boards = self.system.boards
        if "limits".startswith(prefix):
            yield "limits", limits_update(boards.limits_version, self.system.last)
        for state in list(boards.breakers.book.open.values()):
            topic = f"breaker.{state.scope}.{state.scope_id}"
            if topic.startswith(prefix):
                yield topic, message_of(state, active=True)
        yield from self.publisher.standing(prefix)

    def _on_subscribed(self) -> None:
        if self.ports is not None:
            self.ports.orders.watched = self.ports.alerts.wants_class("verdict")

    def _beat(self) -> None:
        assert self.ports is not None
        p50, p99, p999 = self.ports.orders.latency.take()
        now_ns = self.door.now_ns()
        beat = Heartbeat(
            seq=self.door.last_seq,
            state=self.state,
            server_ns=now_ns,
            queue_depths=self._depths(),
            verdict_p50_ns=p50,
            verdict_p99_ns=p99,
            verdict_p999_ns=p999,
            feed_ages_ns=self._feed_ages_ns(now_ns),
            journal_lag=self._journal_lag(),
        )
        self._publish("heartbeat", beat)
        self._look_at_clock()
        verdicts = self.ports.orders.latency.count
        if verdicts == self._verdicts_before or gc.get_count()[0] > GARBAGE_MAX:
            gc.collect(1)  # The collector is off, so that it never stops a verdict.
        self._verdicts_before = verdicts

    def _look_at_clock(self) -> None:
        step_ns = self.clock.take_step_ns()
        if abs(step_ns) >= CLOCK_STEP_NS:
            text = f"the wall clock stepped by {step_ns / 1e9:+.3f} s; spans are not measured by it"
            self._say(Raised(Severity.HIGH, "clock_stepped", "clock_stepped", text))

    @property
    def state(self) -> str:
        """Return the state in a word: starting, active, killed, disk_full, draining and more.

        With `disk_full` facts and commands are taken as long as the journal's reserve lasts, with
        `journal_failed` nothing is.
        """
        if self.door.state == "active":
            if self.door.refusal:
                return "disk_full" if self.door.is_full else "journal_failed"
            if self.system.boards.breakers.is_firm_killed():
                return "killed"
        return self.door.state

    def _release(self, seq: int) -> None:
        if self.ports is not None and self.ports.orders.held_count:
            self.ports.orders.release(seq)
            self._poller.poke(self.ports.orders.router)

    def _on_tick_refused(self, code: str, text: str) -> None:
        self._say(Raised(Severity.MEDIUM, f"tick_{code}", f"tick:{code}", f"ticks port: {text}"))

    def _say_journal_failed(self, text: str) -> None:
        log.error("journal_failed", text=text)
        self._say(Raised(Severity.EXTREME, "journal_failed", "journal_failed", text))

    def _say(self, raised: Raised) -> None:
        """Publish what is no input, and so in no journal: it changes no state."""
        now = Stamp(self.door.last_seq, self.door.now_ns(), self.clock.steady_ns())
        alert = self._own_alerts.apply(raised, now)
        if alert is not None:
            self._publish(topic_of(alert), alert)

    def _on_account_failed(self, account: str, reason: str) -> None:
        log.error("account_frozen", account=account, reason=reason)
        self.door.account_failed(account, reason)

    def _on_fatal(self, fault: ActorFault) -> None:
        self.fault = fault
        log.error("actor_failed", actor=str(fault.actor_ref), error=repr(fault.exception))
        self.stopping.set()

    def stop(self) -> None:
        """Stop after everything that has arrived is answered. For signals."""
        self._on_stop(Stop())

    def _on_work(self, request: ControlWork, reply: Callable[[Answer], None]) -> None:
        def answer(found: Answer) -> None:
            reply(found)
            if self.ports is not None:  # Long after the request's own turn.
                self.ports.control.router.flush()
                self._poller.poke(self.ports.control.router)

        self.beside.ask(request, answer)

    def _on_stop(self, stop: Stop) -> None:
        self.door.state = "draining"
        self.drains = stop.drain
        self.stopping.set()

    def _depths(self) -> dict[str, int]:
        held = self.ports.orders.held_count if self.ports is not None else 0
        return {"actors": len(self._run_queue), "held_answers": held}

    def _feed_ages_ns(self, now_ns: int) -> dict[str, int]:
        quotes = self.system.boards.quotes.quotes.values()
        return {quote.symbol: max(0, now_ns - quote.recv_ns) for quote in quotes if quote.recv_ns}

    def _journal_lag(self) -> int:
        return self.journal.last_seq - self.journal.synced_seq

    def _status(self) -> dict[str, Any]:
        system, breakers = self.system, self.system.boards.breakers
        p50, p99, p999 = self.ports.orders.latency.overall() if self.ports else (0, 0, 0)
        return {
            "version": __version__,
            "env": self.settings.env,
            "state": self.state,
            "uptime_ns": self.clock.steady_ns() - self._started_ns,
            "server_ns": self.door.now_ns(),
            "seq": self.door.last_seq,
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
                "sync": self.settings.journal.sync,
                "last_seq": self.journal.last_seq,
                "synced_seq": self.journal.synced_seq,
                "lag": self._journal_lag(),
                "failure": self.door.refusal or None,
            },
            "snapshot": self.beside.last_snapshot,
            "ports": self.ports.bound if self.ports else {},
            "data_dir": str(Path(self.settings.data_dir).resolve()),
        }

    def _metrics(self) -> dict[str, Any]:
        assert self.ports is not None
        ports = self.ports
        return {
            "seq": self.door.last_seq,
            "verdicts": ports.orders.latency.count,
            "orders": dict(ports.orders.router.counts),
            "control": dict(ports.control.router.counts),
            "ticks": dict(self.system.tick_counts),
            "ticks_port": {key: n for port in ports.ticks for key, n in port.counts.items()},
            "alerts": {**ports.alerts.counts, "subscriptions": ports.alerts.subscriptions},
            "alerts_raised": self.system.alert_book.last_id,
            "queue_depths": self._depths(),
            "journal_lag": self._journal_lag(),
            "refused_by_journal": self.door.refused,
            "poller_rescues": self._poller.rescues,
            "feed_ages_ns": self._feed_ages_ns(self.door.now_ns()),
        }
