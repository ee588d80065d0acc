"""Bursts: alerts of one type that come by the hundred are published up to a bound, then counted.

What is withheld is kept and audited as any other; one alert, `alert_digest`, says how many there
were when the burst is over. So a price that carries 10,000 accounts over a line does not bury the
people and programs that listen, and takes no more room on the way to them than the bound.
"""

from __future__ import annotations

from msgspec import Struct

from engine.facts import Raised
from riskd.messages import Alert, Severity

PUBLISHED_MAX = 500  # Of one type and status in a burst.
BURST_NS = 1_000_000_000
SEVERITIES = tuple(Severity)


class Burst(Struct):
    """Publications of one type and status since the first of them."""

    until_steady_ns: int
    severity: Severity  # The worst of those that were withheld.
    count: int = 0
    withheld: int = 0
    first_id: int = 0  # Of those that were withheld.
    last_id: int = 0


def withholds(bursts: dict[str, Burst], alert: Alert, steady_ns: int) -> bool:
    """Count a publication; return whether it is one too many."""
    key = f"{alert.alert_type} {alert.status}"
    burst = bursts.get(key)
    if burst is None or (burst.until_steady_ns <= steady_ns and not burst.withheld):
        burst = bursts[key] = Burst(steady_ns + BURST_NS, alert.severity)
    burst.count += 1
    if burst.count <= PUBLISHED_MAX:
        return False
    burst.first_id = burst.first_id or alert.alert_id
    burst.last_id = alert.alert_id
    burst.withheld += 1
    burst.severity = max(burst.severity, alert.severity, key=SEVERITIES.index)
    return True


def take_ended(bursts: dict[str, Burst], steady_ns: int) -> list[Raised]:
    """Forget the bursts that are over; return what is to be said of those that withheld any."""
    ended = [key for key, burst in bursts.items() if burst.until_steady_ns <= steady_ns]
    found = [(key, bursts.pop(key)) for key in ended]
    return [_digest(key, burst) for key, burst in found if burst.withheld]


def due_steady_ns(bursts: dict[str, Burst]) -> int | None:
    """Return when the next burst that withheld any is over, None if there is none."""
    ends = [burst.until_steady_ns for burst in bursts.values() if burst.withheld]
    return min(ends, default=None)


def _digest(key: str, burst: Burst) -> Raised:
    alert_type, _, status = key.partition(" ")
    text = (
        f"{burst.count:,} alerts {alert_type} were {status} at once; this one stands for "
        f"{burst.withheld:,} of them, {burst.first_id} to {burst.last_id}: see riskd alerts"
    )
    return Raised(
        burst.severity,
        "alert_digest",
        f"alert_digest:{key}",
        text,
        value=float(burst.count),
        threshold=float(PUBLISHED_MAX),
    )
