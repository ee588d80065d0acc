"""docs/alerts.md: the life of an alert, what is kept of it, and every type there is."""

from __future__ import annotations

from riskd.alert_types import ALERT_TYPES

INTRODUCTION = """# Alerts

Made from `riskd/alert_types.py`; `riskd explain TYPE` says the same of one type, `riskd explain
NUMBER` tells the life of one alert: which input caused it, with which numbers, and what became of
it.

## The life of an alert

- **Raised**: a cause was seen for the first time. Repeats of the cause are the same alert with a
  higher `count`, published again at most once a second (`repeated`), at once if its severity
  changed.
- **Escalated**: nobody acknowledged it for the time of its severity (`[alerts] escalate_high_ms`
  and its neighbours); it is one severity worse and published again, up to `extreme`.
- **Acknowledged**: `riskd ack NUMBER --by NAME --note TEXT`. It is neither published again nor
  escalated, unless it gets worse. What is over when it has happened is another alert when it
  happens again.
- **Muted**: `riskd ack NUMBER --mute-s 600`: if the cause recurs within that time, and no worse,
  it is kept and not published.
- **Resolved**: its cause has ended. Published once more; the next time it is another alert.

`riskd alerts --status open` lists what nobody has seen and what has not ended. Alerts are part of
the state: they survive a restart, and a replay makes the same ones. The newest 10,000 are
remembered, the audit database keeps all. Alerts about the process itself are in no journal; they
are numbered from 10^12. The time from the input that caused an alert to its publication is in the
metrics: `alert_p99_ns`.

## Crowds

One price may carry every account over a line. All of them are looked at before the next tick is
taken in, in passes between which orders are judged; an account that waits is looked at before its
own order is. Of one type and status 500 alerts are published within a second; what goes beyond is
`withheld`: kept, in the audit database, shown by `riskd alerts`, and told to subscribers and
notifications by one `alert_digest` that says how many there were.

Some types are off unless `[alerts]` asks for them: `feed_silence = true` for feeds of what is held,
`reject_ratio_pct` with `reject_orders_min` and `reject_window_ms` for accounts with many rejects,
`pnl_move_pct` and `position_move_pct` for gains and losses within `move_window_ms`,
`reward_to_risk_min`, and `rebalance_hhi`.

`burn_rate` says "at this pace the daily loss limit is reached in 40 s" when that is so at the pace
of both `burn_short_ms` and `burn_long_ms`, within `burn_horizon_ms`. It and the moves are measured
every `look_ms`, on a clock that no clock step touches; no tick pays for them.

## The audit database

`[audit]`: SQLite in `data_dir`, written by a thread of its own, many rows a commit. Tables:
`risk_alerts` (every publication of an alert), `circuit_breaker_events`, `risk_responses`,
`operator_acts` (every command: who, when, what, why, with which result), `limit_changes`,
`daily_pnl` (each day of each account when it ends), `risk_metrics_snapshot` (each account's
measures every `interval_s`). `riskd acts`, `riskd report 2026-11-20`, `riskd export risk_alerts >
alerts.csv` read it, with riskd up or down.

How far it is behind is in every heartbeat (`audit_lag`), in `riskd status` and in the metrics.
When rows wait longer than `lag_max_s`, because the disk is full or something locks the file, the
state is `audit_failed`, the alert of that name goes out, and a breaker on the firm lets only
reducing orders pass, until everything is written; then it closes by itself. Up to 200,000 rows
wait in memory. What a kill or a full memory loses is taken from the journal by the next start, as
far as the journal goes back to it; nothing is written twice.

## Notifications

`[notify]`: mail (SMTP) and one HTTP POST with JSON, each on a thread of its own, each with a
least severity and its accounts. Alerts that were raised, escalated or resolved are told; those
that come within `digest_s` are one message, and there are at most `per_hour_max` of them. A
server that does not answer is tried again, each time later; the alert `notify_failed` says so,
the metrics (`notify`) say why. Passwords, tokens and secret URLs come from a variable or a file
that the configuration names; they are never logged. `riskd notify test` tries every channel.

## Types

"""


def render_alerts() -> str:
    """Return the page."""
    parts = [INTRODUCTION]
    for name, text in ALERT_TYPES.items():
        parts.append(
            f"### {name}\n\n{text.meaning} Severity: {text.severity}.\n\n"
            f"- Ends: {text.ends}\n- Do: {text.remedy}\n\n"
        )
    return "".join(parts).rstrip() + "\n"
