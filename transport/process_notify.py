"""Notifications of a running house: channels made of the configuration, and what they say of it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from config.errors import ConfigError, Problem
from config.settings import NotifySettings, Settings, SmtpTls
from riskd.messages import Alert, Severity
from transport.notify import Channel, Notifier, OnFailure, Pace
from transport.notify_senders import MailSender, WebhookSender, is_loopback

TEST = "this is a test: riskd can tell you of alerts"


def open_notifier(
    settings: Settings, on_failure: OnFailure, environ: Mapping[str, str] = os.environ
) -> Notifier:
    """Return the channels that are configured, each on its thread; maybe none.

    Raises ConfigError where a secret cannot be read.
    """
    told, env = settings.notify, settings.env
    pace = Pace(told.digest_s, told.per_hour_max, told.retry_s, told.attempts_max)
    channels = {}
    mail, webhook = _mail(told, env, environ), _webhook(told, env, environ)
    if mail is not None:
        channels["mail"] = Channel(
            "mail",
            mail,
            pace,
            severity_min=told.mail_severity,
            accounts=() if told.mail_to else tuple(told.mail_to_account),
            on_failure=on_failure,
        )
    if webhook is not None:
        channels["webhook"] = Channel(
            "webhook",
            webhook,
            pace,
            severity_min=told.webhook_severity,
            accounts=told.webhook_accounts,
            on_failure=on_failure,
        )
    return Notifier(channels)


def trial_alert(seq: int, now_ns: int) -> Alert:
    """Return what a test tells."""
    return Alert(
        alert_id=0,
        seq=seq,
        severity=Severity.LOW,
        alert_type="notify_test",
        message=TEST,
        value=None,
        threshold=None,
        status="raised",
        first_ns=now_ns,
        last_ns=now_ns,
        count=1,
    )


def _mail(told: NotifySettings, env: str, environ: Mapping[str, str]) -> MailSender | None:
    if not told.smtp_host or not (told.mail_to or told.mail_to_account):
        return None
    password = _secret("smtp_password", told.smtp_password_env, told.smtp_password_file, environ)
    if password is not None and told.smtp_tls is SmtpTls.NONE and not is_loopback(told.smtp_host):
        found = f'"none", with a password for {told.smtp_host}'
        raise _unusable("smtp_tls", found, '"starttls" or "tls"')
    return MailSender(
        (told.smtp_host, told.smtp_port),
        tls=told.smtp_tls,
        login=None if password is None else (told.smtp_user, password),
        sender=told.mail_from,
        recipients=told.mail_to,
        recipients_of=told.mail_to_account,
        env=env,
    )


def _webhook(told: NotifySettings, env: str, environ: Mapping[str, str]) -> WebhookSender | None:
    url = told.webhook_url or _secret("webhook_url", "", told.webhook_url_file, environ)
    if not url:
        return None
    if not url.startswith(("http://", "https://")):
        raise _unusable("webhook_url_file", "text that is no URL", "a URL of http or https")
    token = _secret("webhook_token", told.webhook_token_env, told.webhook_token_file, environ)
    return WebhookSender(url, token=token, env=env)


def _secret(key: str, variable: str, file: str, environ: Mapping[str, str]) -> str | None:
    """Return a secret from where the configuration says that it is; None if it says nothing."""
    if variable:
        if variable not in environ:
            raise _unusable(f"{key}_env", f'"{variable}"', "a variable that is set")
        return environ[variable]
    if not file:
        return None
    try:
        return Path(file).read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "no text"
        raise _unusable(f"{key}_file", f'"{file}": {why}', "a readable file") from None


def _unusable(key: str, found: str, expected: str) -> ConfigError:
    remedy = "Put it right before riskd starts, or leave the key out."
    about = (f"notify.{key}", f"[notify] {key}", found, expected, remedy)
    return ConfigError([Problem("configuration", 0, *about)])
