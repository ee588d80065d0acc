"""Notifications: alerts told to people outside, each channel on a thread of its own.

Alerts of a burst are one message. What cannot be delivered is tried again, later each time; what
waits meanwhile is told together. Nothing here ever makes the loop wait.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

from riskd.messages import Alert, Severity

PENDING_MAX = 1_000  # Waiting per channel; of one more only the number is told.
RETRY_S_MAX = 300.0
HOUR_S = 3600.0
CLOSE_S_MAX = 3.0
TOLD = ("raised", "escalated", "resolved")  # Nobody is called for a repeat or what they did.
RANKS = {severity: rank for rank, severity in enumerate(Severity)}

OnFailure = Callable[[str, str], None]  # The channel and what is wrong; empty: it works again.


class DeliveryError(Exception):
    """A message could not be delivered. The text says why and holds no secret."""


class Digest(NamedTuple):
    """What one message tells."""

    alerts: tuple[Alert, ...]
    omitted: int  # Alerts that there was no room for.
    accounts: frozenset[str]  # That they are about.


Sender = Callable[[Digest], None]  # Delivers, or raises DeliveryError; on the channel's thread.


class Pace(NamedTuple):
    """How often a channel speaks."""

    digest_s: float  # Alerts that come so soon after the first are told with it.
    per_hour_max: int  # Messages in any hour; what comes meanwhile waits.
    retry_s: float  # After the first failure; doubled after each.
    attempts_max: int  # Then what waits is given up and counted.


class Channel:
    """One way out: which alerts go there, those that wait, and the thread that sends them."""

    def __init__(
        self,
        name: str,
        send: Sender,
        pace: Pace,
        *,
        severity_min: Severity,
        accounts: Collection[str] = (),
        on_failure: OnFailure = lambda name, text: None,
    ) -> None:
        """Tell alerts of at least this severity, of these accounts and the firm; none: of all."""
        self.name = name
        self.failure = ""
        self.counts = dict.fromkeys(("messages", "alerts", "failures", "omitted", "given_up"), 0)
        self._send, self._pace = send, pace
        self._rank_min, self._accounts = RANKS[severity_min], frozenset(accounts)
        self._on_failure = on_failure
        self._pending: deque[Alert] = deque()
        self._omitted = 0
        self._hurried = False
        self._sent_s: deque[float] = deque()
        self._wake = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name=f"notify-{name}", daemon=True)
        self._thread.start()

    def put(self, alert: Alert, *, hurried: bool = False) -> None:
        """Take an alert that is to be told; `hurried` ones wait for no others."""
        with self._wake:
            if len(self._pending) >= PENDING_MAX:
                self._omitted += 1
                self.counts["omitted"] += 1
            else:
                self._pending.append(alert)
            self._hurried = self._hurried or hurried
            self._wake.notify()

    def wants(self, alert: Alert) -> bool:
        """Return whether an alert is one of this channel's."""
        is_ours = not self._accounts or alert.account is None or alert.account in self._accounts
        return is_ours and RANKS[alert.severity] >= self._rank_min and alert.status in TOLD

    def figures(self) -> dict[str, Any]:
        """Return how the channel does."""
        return {**self.counts, "pending": len(self._pending), "failure": self.failure or None}

    def close(self) -> None:
        """Send what waits if that can be done now, and end the thread."""
        with self._wake:
            self._closing = True
            self._wake.notify()

    def join(self) -> None:
        """Wait for the thread, but not for long: it may hang on a server."""
        self._thread.join(CLOSE_S_MAX)

    def _run(self) -> None:
        attempts = 0
        while True:
            with self._wake:
                while not self._pending and not self._closing:
                    self._wake.wait()
                if not self._pending:
                    return
                if not attempts:
                    self._gather()
                digest = self._take()
            try:
                self._send(digest)
            except DeliveryError as error:
                attempts += 1
                self._failed(digest, str(error), attempts)
                if attempts >= self._pace.attempts_max:
                    attempts = 0
                if self._closing:
                    return
                self._pause(min(self._pace.retry_s * 2 ** max(0, attempts - 1), RETRY_S_MAX))
            else:
                attempts = 0
                self._delivered(digest)

    def _gather(self) -> None:
        """Wait for what belongs in the same message, and for this hour's next one."""
        until_s = time.monotonic() + self._pace.digest_s
        while self._sent_s and self._sent_s[0] <= time.monotonic() - HOUR_S:
            self._sent_s.popleft()
        if len(self._sent_s) >= self._pace.per_hour_max:
            until_s = max(until_s, self._sent_s[-self._pace.per_hour_max] + HOUR_S)
        while not self._closing and not self._hurried:
            left_s = until_s - time.monotonic()
            if left_s <= 0:
                break
            self._wake.wait(left_s)
        self._hurried = False

    def _take(self) -> Digest:
        alerts = tuple(self._pending)
        self._pending.clear()
        omitted, self._omitted = self._omitted, 0
        accounts = frozenset(alert.account for alert in alerts if alert.account is not None)
        return Digest(alerts, omitted, accounts)

    def _failed(self, digest: Digest, text: str, attempts: int) -> None:
        self.counts["failures"] += 1
        if attempts >= self._pace.attempts_max:
            self.counts["given_up"] += len(digest.alerts) + digest.omitted
        else:
            with self._wake:
                self._pending.extendleft(reversed(digest.alerts))
                while len(self._pending) > PENDING_MAX:
                    self._pending.pop()
                    self._omitted += 1
                    self.counts["omitted"] += 1
                self._omitted += digest.omitted
        is_new = not self.failure
        self.failure = text
        if is_new:
            self._on_failure(self.name, text)

    def _delivered(self, digest: Digest) -> None:
        self._sent_s.append(time.monotonic())
        self.counts["messages"] += 1
        self.counts["alerts"] += len(digest.alerts)
        if self.failure:
            self.failure = ""
            self._on_failure(self.name, "")

    def _pause(self, span_s: float) -> None:
        until_s = time.monotonic() + span_s
        with self._wake:
            while not self._closing and not self._hurried:
                left_s = until_s - time.monotonic()
                if left_s <= 0:
                    return
                self._wake.wait(left_s)


class Notifier:
    """Every channel. Belongs to the loop's thread."""

    def __init__(self, channels: Mapping[str, Channel]) -> None:
        self.channels = channels

    def take(self, alert: Alert) -> None:
        """Tell an alert to every channel that wants it."""
        for channel in self.channels.values():
            if channel.wants(alert):
                channel.put(alert)

    def test(self, alert: Alert) -> None:
        """Tell an alert to every channel at once, whatever it is about."""
        for channel in self.channels.values():
            channel.put(alert, hurried=True)

    def figures(self) -> dict[str, Any]:
        """Return how each channel does."""
        return {name: channel.figures() for name, channel in self.channels.items()}

    def close(self) -> None:
        """Send what can be sent now, and end every channel."""
        for channel in self.channels.values():
            channel.close()
        for channel in self.channels.values():
            channel.join()
