"""The house wired: actors, door, journal and ports on one loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from traceback import format_exception
from typing import Any

import structlog

from actors.runtime import ActorFault, RunQueue
from actors.system import System
from config.load import Configuration
from config.settings import Settings, risk_settings
from engine.breakers import message_of
from engine.desk import Answer
from engine.facts import Raised, Resolved, Stamp
from engine.universe import limits_update
from riskd.messages import (
    Alert,
    AlertAck,
    Check,
    ControlCommand,
    ControlWork,
    Published,
    Severity,
    Stop,
    Verdict,
    VerdictRequest,
)
from transport.clock import Clock
from transport.garbage import look_for_garbage
from transport.journal import Journal
from transport.keyring import Keyring
from transport.notify import Notifier
from transport.poller import Poller
from transport.process_access import Access
from transport.process_alerts import OWN_ALERT_ID_FIRST, OwnAlerts
from transport.process_audit import AuditKeeper
from transport.process_beside import Beside
from transport.process_door import Door, Reply
from transport.process_figures import Figures
from transport.process_gateways import Gateways
from transport.process_notify import open_notifier, trial_alert
from transport.process_ports import Callbacks, Ports
from transport.process_queries import Queries
from transport.process_replay import Recovery, recover_books
from transport.process_waiting import Waiting
from transport.publisher import Publisher, verdict_event

log = structlog.get_logger("riskd")
DAYS_S = 0.5  # How often it is looked whether a calendar's day has begun.
BESIDE_S = 0.25  # How often it is looked whether a checkpoint is due.
AUDIT_S = 0.25  # How often it is looked how far the audit is behind.
KEYS_S = 0.25  # How often it is looked whether keys were made or revoked.
DUE_S = 0.02  # How often it is looked whether something is due for the rules.


class House:
    """Everything on the loop's thread: `recover` the books, then `open` the ports."""

    def __init__(
        self,
        settings: Settings,
        loop: asyncio.AbstractEventLoop,
        stopping: asyncio.Event,
        *,
        read: Callable[[], Configuration],
        keyring: Keyring | None = None,
    ) -> None:
        self.settings, self._read = settings, read  # Which reads settings and all else again.
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
        alerts = risk_settings(settings).alerts
        self._own_alerts = OwnAlerts(alerts, now=self._now, publish=self._publish)
        self._say = self._own_alerts.say
        self.access = Access(keyring, self._say)
        self._verdicts_before = 0
        self.audit: AuditKeeper | None = None
        self.notifier = Notifier({})

    def recover(self, journal: Journal) -> Recovery:
        """Bring the books back from snapshot and journal, and put actors over them."""
        self.journal = journal
        if self.settings.audit.enabled:
            self.audit = AuditKeeper(self.settings)
        recovery = recover_books(journal, self.audit.replayed if self.audit is not None else None)
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
        self.waiting = Waiting(self.system, self.door, loop=self._loop, poller=self._poller)
        house = (self.settings, self.system, self.door, self.access)
        self.beside = Beside(*house, read=self._read, loop=self._loop, say=self._say)
        self.figures = Figures(
            self.settings,
            self.system,
            self.door,
            clock=self.clock,
            beside=self.beside,
            poller=self._poller,
            run_queue=self._run_queue,
            audit=self.audit,
            access=self.access,
            state=lambda: self.state,
        )
        if self.audit is not None:
            self.audit.bind(self.system, self.door, self._say)
        self.publisher = Publisher(self.system.boards, self.system.accounts, self.door.now_ns)
        self.queries = Queries(
            self.system,
            now_ns=self.door.now_ns,
            status=self.figures.status,
            metrics=self.figures.metrics,
            heard_ns=self._gateways.heard_ns,
            notify_test=self._test_notifier,
            own_alerts=self._own_alerts.book,
        )
        return recovery

    def open(self) -> Ports:
        """Bind every port, the orders port last, and serve. Raises BindError, KeysError."""
        audit = self.audit
        self.notifier = self.figures.notifier = open_notifier(self.settings, self.on_notify_failure)
        callbacks = Callbacks(
            query=self.queries.answer,
            command=self._on_command,
            stop=self._on_stop_asked,
            work=self._on_work,
            verdict=self._publish_verdict,
            tick_refused=self._on_tick_refused,
            standing=self._standing,
            accounts=lambda: self.system.accounts,
            subscribed=self._on_subscribed,
        )
        self.ports = Ports(self.settings, self.door, callbacks, self.access)
        self.figures.ports = self.ports
        self.ports.watch(self._poller)
        self.waiting.open(self.ports.ticks)
        self._gateways.open(self.ports.orders, self.door, self.system.boards.sessions)
        self._poller.start()
        self.door.state = "active"
        publish = self.settings.publish
        self._every("due", DUE_S, self._elapse)
        self._every("days", DAYS_S, self.door.begin_days)
        self._every("keys", KEYS_S, self.access.look)
        self._every("beside", BESIDE_S, self.beside.step)
        if audit is not None:
            audit.adopt()
            self._every("audit", AUDIT_S, audit.watch)
            self._every("measures", AUDIT_S, self._measure)
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

    def on_notify_failure(self, channel: str, text: str) -> None:
        """Say that a channel of notifications fails, or works again. Called on any thread."""
        cause = f"notify_failed:{channel}"
        told = Raised(Severity.HIGH, "notify_failed", cause, f"{channel}: {text}", lasting=True)
        self._loop.call_soon_threadsafe(self._say, told if text else Resolved(cause))

    def close(self) -> None:
        """Stop serving; what was taken is answered and on disk when this returns."""
        ports, self.ports = self.ports, None
        self._gateways.close()
        for timer in self._timers.values():
            timer.cancel()
        self._poller.stop()
        if ports is not None and self.drains and self.fault is None:
            self.waiting.finish()
            ports.drain()
        self.beside.close()
        self.journal.close()
        self.notifier.close()
        if self.audit is not None:
            self.audit.close()
        if ports is not None:
            ports.orders.release(self.journal.last_seq)
            ports.close()
        self._run_queue.close()

    def _every(self, name: str, span_s: float, action: Callable[[], None]) -> None:
        def run() -> None:
            self._timers[name] = self._loop.call_later(span_s, run)
            action()

        self._timers[name] = self._loop.call_later(span_s, run)

    def _elapse(self) -> None:
        if self.ports is not None and not self.system.is_behind() and self.door.elapse_if_due():
            self._loop.call_soon(self._elapse)  # A part is done; of a crowd `Waiting` does each.

    def _publish(self, topic: str, message: Published, stamp: Stamp | None = None) -> None:
        stamp = stamp or self.system.last
        if self.audit is not None:
            self.audit.published(topic, message, stamp)
        if isinstance(message, Alert):
            if message.withheld:
                return  # One of a burst: the audit has it.
            self.notifier.take(message)
            caused_ns = self.waiting.since_ns or stamp.steady_ns
            self.figures.alert_latency.add(max(0, self.clock.steady_ns() - caused_ns))
        if self.ports is not None:
            self.ports.alerts.publish(topic, message)
            self._poller.poke(self.ports.alerts)

    def _publish_verdict(self, check: Check, verdict: Verdict) -> None:
        self._publish(f"verdict.{check.account}", verdict_event(check, verdict))

    def _publish_state(self) -> None:
        if self.ports is not None and self.publisher.step(self.ports.alerts):
            self._poller.poke(self.ports.alerts)
            self._loop.call_soon(self._publish_state)

    def _test_notifier(self) -> dict[str, Any]:
        self.notifier.test(trial_alert(self.door.last_seq, self.door.now_ns()))
        return self.notifier.figures()

    def _measure(self) -> None:
        if self.audit is not None and self.ports is not None and self.audit.measure():
            self._loop.call_soon(self._measure)

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
        beat = self.figures.heartbeat()
        self._publish("heartbeat", beat)
        self._own_alerts.elapse()
        if not self.door.refusal:
            self._say(Resolved("journal_failed"))
        self._own_alerts.look_at(self.clock)
        verdicts = self.ports.orders.latency.count
        look_for_garbage(is_idle=verdicts == self._verdicts_before)
        self._verdicts_before = verdicts

    @property
    def state(self) -> str:
        """Return the state in a word: starting, active, killed, disk_full, draining and more.

        With `disk_full`, `disk_read_only` and `disk_slow` facts and commands are taken as long as
        the journal's reserve lasts, with `journal_failed` nothing is.
        """
        if self.door.state == "active":
            if self.door.refusal:
                return self.door.hindrance
            if self.system.boards.breakers.is_firm_killed():
                return "killed"
            if self.audit is not None and self.audit.is_behind:
                return "audit_failed"
        return self.door.state

    def _release(self, seq: int) -> None:
        if self.ports is not None and self.ports.orders.held_count:
            self.ports.orders.release(seq)
            self._poller.poke(self.ports.orders.router)

    def _on_tick_refused(self, code: str, text: str) -> None:
        self._say(Raised(Severity.MEDIUM, f"tick_{code}", f"tick:{code}", f"ticks port: {text}"))

    def _say_journal_failed(self, text: str) -> None:
        log.error("journal_failed", text=text)
        told = (Severity.EXTREME, "journal_failed", "journal_failed", text)
        self._say(Raised(*told, lasting=True))

    def _now(self) -> Stamp:
        return Stamp(self.door.last_seq, self.door.now_ns(), self.clock.steady_ns())

    def _on_account_failed(self, account: str, reason: str, error: BaseException) -> None:
        bug = "".join(format_exception(error))
        log.error("account_frozen", account=account, reason=reason, bug=bug)
        self.door.account_failed(account, reason)

    def _on_fatal(self, fault: ActorFault) -> None:
        self.fault = fault
        log.error("actor_failed", actor=str(fault.actor_ref), error=repr(fault.exception))
        self.stopping.set()

    def stop(self) -> None:
        """Stop after everything that has arrived is answered. For signals."""
        self._on_stop(Stop())

    def _on_work(self, request: ControlWork | VerdictRequest, reply: Reply, by: str) -> None:
        def answer(found: Answer) -> None:
            if self.audit is not None:
                self.audit.worked(request, found, by)
            reply(found)
            if self.ports is not None:  # Long after the request's own turn.
                self.ports.control.router.flush()
                self._poller.poke(self.ports.control.router)

        self.beside.ask(request, answer)

    def _on_command(self, request: ControlCommand, raw: bytes, reply: Reply, by: str) -> None:
        if isinstance(request, AlertAck) and request.alert_id > OWN_ALERT_ID_FIRST:
            answer = self._own_alerts.acknowledge(request, by)
            if self.audit is not None:
                self.audit.act(request, answer, by)
            reply(answer)
        elif self.audit is not None:
            self.audit.command(request, raw, reply, by)
        else:
            self.door.command(request, raw, reply, by)

    def _on_stop_asked(self, stop: Stop, by: str) -> None:
        if self.audit is not None:
            self.audit.stopped(stop, by)
        self._on_stop(stop)

    def _on_stop(self, stop: Stop) -> None:
        self.door.state = "draining"
        self.drains = stop.drain
        self.stopping.set()
