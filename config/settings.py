"""What riskd.toml may say: every setting with its type, bounds and default."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

from riskd.messages import (
    AlertSettings,
    CorrelationSettings,
    Currency,
    Permissions,
    RiskSettings,
    Severity,
)

SPAN_MS_MAX = 10**12  # About 31 years: in nanoseconds it still fits a signed 64-bit integer.
SEGMENT_BYTES_MIN = 2 * 65_536  # A record may hold 64 KiB; a segment holds more than one.
SEGMENT_BYTES_MAX = 2**34
FRAME_BYTES_MIN = 1 << 19  # What the largest message needs, with room to be told so.
FILE_NAME_PATTERN = r"^[^\x00]+$"  # No operating system takes a NUL in a path.

Address = Annotated[str, Meta(min_length=1)]
FileName = Annotated[str, Meta(min_length=1, pattern=FILE_NAME_PATTERN)]
SpanMs = Annotated[int, Meta(gt=0, le=SPAN_MS_MAX)]


class JournalSync(StrEnum):
    """When the journal is forced to disk: before each reply, in the background, or never."""

    ALWAYS = "always"
    INTERVAL = "interval"
    NONE = "none"


class Mark(StrEnum):
    """Which price values a position: the middle, the side that would close it, the last trade."""

    MID = "mid"
    CLOSING = "closing"
    LAST = "last"


class Section(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of a table of riskd.toml."""


class PortsSettings(Section, kw_only=True, frozen=True):
    """Where each port binds; `ticks_connect` lists publishers that riskd subscribes to."""

    orders: tuple[Address, ...] = ("tcp://127.0.0.1:5701",)
    ticks: tuple[Address, ...] = ("tcp://127.0.0.1:5702",)
    ticks_connect: tuple[Address, ...] = ()
    alerts: tuple[Address, ...] = ("tcp://127.0.0.1:5703",)
    control: tuple[Address, ...] = ("tcp://127.0.0.1:5704",)


class JournalSettings(Section, kw_only=True, frozen=True):
    """How inputs are kept."""

    sync: JournalSync = JournalSync.INTERVAL
    sync_interval_ms: Annotated[int, Meta(gt=0, le=60_000)] = 5
    segment_bytes: Annotated[int, Meta(ge=SEGMENT_BYTES_MIN, le=SEGMENT_BYTES_MAX)] = 16_777_216
    retain_bytes: Annotated[int, Meta(ge=0, le=2**50)] = 4_294_967_296  # Behind snapshots.


class SnapshotSettings(Section, kw_only=True, frozen=True):
    """How often the whole state is written to a file, so that a restart replays little."""

    every_s: Annotated[float, Meta(ge=0, le=SPAN_MS_MAX / 1000)] = 300.0  # 0: only when asked.
    keep: Annotated[int, Meta(ge=1, le=1000)] = 3


class PublishSettings(Section, kw_only=True, frozen=True):
    """How often the alerts port speaks."""

    publish_ms: SpanMs = 1000  # A state topic is sent at most once in this span.
    heartbeat_ms: SpanMs = 1000


class SweepSettings(Section, kw_only=True, frozen=True):
    """The recomputation of every account from its exact ledger."""

    every_s: Annotated[float, Meta(gt=0, le=SPAN_MS_MAX / 1000)] = 60.0


class GuardsSettings(Section, kw_only=True, frozen=True):
    """When a measure that crossed a threshold has recovered."""

    recover_pct: Annotated[float, Meta(ge=0, le=100)] = 5.0
    dwell_ms: Annotated[int, Meta(ge=0, le=SPAN_MS_MAX)] = 10_000


class PricesSettings(Section, kw_only=True, frozen=True):
    """Which price counts, and for how long."""

    stale_after_ms: SpanMs = 5000
    mark: Mark = Mark.MID
    last_after_ms: SpanMs = 60_000  # Oldest last trade that stands in for a missing touch.
    mark_after_ms: SpanMs = 60_000  # Oldest middle of a sound book that does.
    close_after_ms: SpanMs = 432_000_000  # Oldest previous close that does: a long weekend's.
    settlement_after_ms: SpanMs = 432_000_000  # Oldest settlement price that does.
    slippage_bps: Annotated[float, Meta(ge=0, le=10_000)] = 10.0
    fx_pivot: Currency = "USD"
    fx_stale_after_ms: SpanMs = 60_000  # An exchange rate without news for longer is old.
    fx_haircut_pct: Annotated[float, Meta(ge=0, le=100)] = 5.0  # Exposure counts so much more then.


class BasketRate(StrEnum):
    """What a basket costs that does not fit a rate: what each order cost until then, or nothing."""

    EACH = "each"
    WHOLE = "whole"


class OrdersSettings(Section, kw_only=True, frozen=True):
    """What becomes of approved orders."""

    reservation_ms: SpanMs = 30_000  # Without news for this long a reservation is suspect.
    basket_rate: BasketRate = BasketRate.EACH


class SessionsSettings(Section, kw_only=True, frozen=True):
    """What is asked of gateways that say hello."""

    heartbeat_ms: Annotated[int, Meta(ge=10, le=3_600_000)] = 1000  # Three without a word: lost.
    instruction_ms: SpanMs = 5000  # A gateway that has not done an instruction by then is late.


class AuditSettings(Section, kw_only=True, frozen=True):
    """The audit database: alerts, breakers, responses, operators' acts, measures, days."""

    enabled: bool = True
    path: FileName = "audit.db"  # Relative to data_dir.
    interval_s: Annotated[float, Meta(gt=0, le=86_400)] = 60.0  # Between measures of an account.
    retention_days: Annotated[float, Meta(gt=0, le=36_500)] = 400.0  # Then a row is removed.
    lag_max_s: Annotated[float, Meta(gt=0, le=3600)] = 5.0  # Older waiting rows: reduce only.


class SmtpTls(StrEnum):
    """How a mail server is spoken to: TLS after a greeting, from the first byte, or not at all."""

    STARTTLS = "starttls"
    TLS = "tls"
    NONE = "none"


class NotifySettings(Section, kw_only=True, frozen=True):
    """Who is told of alerts outside riskd. A channel without an address or a host is off.

    Secrets are not written here, but in a file or a variable that is named here.
    """

    digest_s: Annotated[float, Meta(ge=0, le=3600)] = 10.0  # Alerts so close are one message.
    per_hour_max: Annotated[int, Meta(gt=0, le=100_000)] = 60  # Messages of a channel; more wait.
    retry_s: Annotated[float, Meta(gt=0, le=300)] = 2.0  # After a failure; doubled each time.
    attempts_max: Annotated[int, Meta(gt=0, le=1000)] = 12  # Then the message is given up.
    smtp_host: Annotated[str, Meta(max_length=255)] = ""
    smtp_port: Annotated[int, Meta(gt=0, le=65_535)] = 587
    smtp_tls: SmtpTls = SmtpTls.STARTTLS
    smtp_user: Annotated[str, Meta(max_length=255)] = ""
    smtp_password_env: Annotated[str, Meta(max_length=255)] = ""  # The variable that has it.
    smtp_password_file: Annotated[str, Meta(max_length=4096)] = ""
    mail_from: Annotated[str, Meta(max_length=255)] = "riskd@localhost"
    mail_to: tuple[Address, ...] = ()  # Told of every account.
    mail_to_account: dict[str, tuple[Address, ...]] = {}  # Told of one account.
    mail_severity: Severity = Severity.HIGH  # The least that is told.
    webhook_url: Annotated[str, Meta(pattern="^(https?://.*)?$", max_length=4096)] = ""
    webhook_url_file: Annotated[str, Meta(max_length=4096)] = ""  # Where the URL is a secret.
    webhook_token_env: Annotated[str, Meta(max_length=255)] = ""  # Sent as a bearer token.
    webhook_token_file: Annotated[str, Meta(max_length=4096)] = ""
    webhook_severity: Severity = Severity.HIGH
    webhook_accounts: tuple[Address, ...] = ()  # Only these and the firm; empty: all.


class LoopSettings(Section, kw_only=True, frozen=True):
    """How the event loop waits."""

    spin_us: Annotated[int, Meta(ge=0, le=1_000_000)] = 0  # Polls this long before it sleeps.
    core: Annotated[int, Meta(ge=-1, le=4095)] = -1  # That no other thread has; -1: any.


class SecuritySettings(Section, kw_only=True, frozen=True):
    """Who may come in, and how much of it one peer may have. Limits are of each port."""

    keys: Annotated[str, Meta(max_length=4096)] = ""  # The folder of `riskd keys`; empty: no keys.
    publisher_key: Annotated[str, Meta(max_length=4096)] = ""  # With which ticks_connect comes in.
    peers_max: Annotated[int, Meta(gt=0, le=65_536)] = 1000  # Connections of a port.
    connections_max: Annotated[int, Meta(gt=0, le=65_536)] = 64  # Of one key, on a port.
    frame_bytes_max: Annotated[int, Meta(ge=FRAME_BYTES_MIN, le=2**30)] = 16_777_216
    messages_per_second: Annotated[int, Meta(gt=0, le=10**9)] = 20_000  # Of one connection.
    messages_burst: Annotated[int, Meta(gt=0, le=10**9)] = 20_000  # At once, after a pause.
    ticks_per_second: Annotated[int, Meta(gt=0, le=10**9)] = 200_000  # Messages of one connection.
    strike_cost: Annotated[int, Meta(ge=1, le=10**6)] = 10  # What a bad message counts as.


class OverloadSettings(Section, kw_only=True, frozen=True):
    """What becomes of more than riskd can take at once."""

    peer_backlog_max: Annotated[int, Meta(gt=0, le=10_000_000)] = 4096  # More: `OVERLOADED`.
    conflate_after_ms: Annotated[int, Meta(ge=0, le=60_000)] = 50  # Of ticks waiting; 0: never.
    conflate_ms: Annotated[int, Meta(gt=0, le=1000)] = 10  # Then so much at a time is conflated.


class Settings(Section, kw_only=True, frozen=True):
    """Everything of riskd.toml that is neither an instrument, an account nor a limit."""

    env: Annotated[str, Meta(min_length=1, max_length=64)] = "uat"
    data_dir: FileName = "var/riskd"
    include: tuple[FileName, ...] = ()
    firm_calendar: Annotated[str, Meta(min_length=1, max_length=64)] = "UTC"  # Of its drawdown.
    ports: PortsSettings = PortsSettings()
    journal: JournalSettings = JournalSettings()
    snapshot: SnapshotSettings = SnapshotSettings()
    publish: PublishSettings = PublishSettings()
    sweep: SweepSettings = SweepSettings()
    guards: GuardsSettings = GuardsSettings()
    prices: PricesSettings = PricesSettings()
    correlation: CorrelationSettings = CorrelationSettings()
    orders: OrdersSettings = OrdersSettings()
    alerts: AlertSettings = AlertSettings()
    sessions: SessionsSettings = SessionsSettings()
    audit: AuditSettings = AuditSettings()
    notify: NotifySettings = NotifySettings()
    loop: LoopSettings = LoopSettings()
    overload: OverloadSettings = OverloadSettings()
    security: SecuritySettings = SecuritySettings()
    permissions: Permissions = Permissions()


def risk_settings(settings: Settings) -> RiskSettings:
    """Return the settings that the rules use: they are journalled, so a replay needs no file."""
    return RiskSettings(
        mark=settings.prices.mark.value,
        stale_after_ms=settings.prices.stale_after_ms,
        last_after_ms=settings.prices.last_after_ms,
        mark_after_ms=settings.prices.mark_after_ms,
        close_after_ms=settings.prices.close_after_ms,
        settlement_after_ms=settings.prices.settlement_after_ms,
        slippage_bps=settings.prices.slippage_bps,
        reservation_ms=settings.orders.reservation_ms,
        basket_rate=settings.orders.basket_rate.value,
        fx_pivot=settings.prices.fx_pivot,
        firm_calendar=settings.firm_calendar,
        fx_stale_after_ms=settings.prices.fx_stale_after_ms,
        fx_haircut_pct=settings.prices.fx_haircut_pct,
        heartbeat_ms=settings.sessions.heartbeat_ms,
        instruction_ms=settings.sessions.instruction_ms,
        durability=2 if settings.journal.sync is JournalSync.ALWAYS else 1,
        recover_pct=settings.guards.recover_pct,
        dwell_ms=settings.guards.dwell_ms,
        sweep_ms=round(settings.sweep.every_s * 1000),
        correlation=settings.correlation,
        alerts=settings.alerts,
    )
