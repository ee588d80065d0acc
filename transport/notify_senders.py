"""How a message leaves: by mail (SMTP), or as one HTTP POST."""

from __future__ import annotations

import http.client
import smtplib
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from ipaddress import ip_address

import msgspec

from config.settings import SmtpTls
from riskd.messages import Alert
from transport.notify import RANKS, DeliveryError, Digest

SEND_S_MAX = 10.0  # Of each step of a delivery.
LINES_MAX = 100  # Alerts written out in one message; of more, the number.
GOOD = range(200, 300)


class MailSender:
    """Sends a message to the recipients of all accounts and to those of its own."""

    def __init__(
        self,
        server: tuple[str, int],
        *,
        tls: SmtpTls,
        login: tuple[str, str] | None,
        sender: str,
        recipients: tuple[str, ...],
        recipients_of: Mapping[str, tuple[str, ...]],
        env: str,
    ) -> None:
        self._server, self._tls, self._login = server, tls, login
        self._sender, self._recipients, self._recipients_of = sender, recipients, recipients_of
        self._env = env

    def __call__(self, digest: Digest) -> None:
        """Deliver one message to each recipient. Raises DeliveryError."""
        told: dict[tuple[Alert, ...], list[str]] = {}
        everybody = dict.fromkeys(self._recipients)
        for recipient in everybody:
            told.setdefault(digest.alerts, []).append(recipient)
        for account in sorted(digest.accounts & self._recipients_of.keys()):
            theirs = tuple(alert for alert in digest.alerts if alert.account == account)
            for recipient in self._recipients_of[account]:
                if recipient not in everybody:
                    told.setdefault(theirs, []).append(recipient)
        if told:
            try:
                self._deliver(told, digest.omitted)
            except (OSError, smtplib.SMTPException, ValueError) as error:
                host, port = self._server
                raise DeliveryError(f"{host}:{port}: {type(error).__name__}: {error}") from error

    def _deliver(self, told: dict[tuple[Alert, ...], list[str]], omitted: int) -> None:
        host, port = self._server
        context = ssl.create_default_context()
        client: smtplib.SMTP
        if self._tls is SmtpTls.TLS:
            client = smtplib.SMTP_SSL(host, port, timeout=SEND_S_MAX, context=context)
        else:
            client = smtplib.SMTP(host, port, timeout=SEND_S_MAX)
        with client:
            if self._tls is SmtpTls.STARTTLS:
                client.starttls(context=context)
            if self._login is not None:
                client.login(*self._login)
            for alerts, recipients in told.items():
                client.send_message(self._message(alerts, omitted, recipients))

    def _message(
        self, alerts: tuple[Alert, ...], omitted: int, recipients: list[str]
    ) -> EmailMessage:
        message = EmailMessage()
        message["Subject"] = subject_of(alerts, omitted, self._env)
        message["From"] = self._sender
        message["To"] = ", ".join(recipients)
        message["Date"] = formatdate()
        message["Message-ID"] = make_msgid(domain="riskd.invalid")
        message.set_content(body_of(alerts, omitted))
        return message


class WebhookSender:
    """Posts a message as JSON: `text` for people, `alerts` for programs."""

    def __init__(self, url: str, *, token: str | None, env: str) -> None:
        self._url, self._token, self._env = url, token, env
        # Paths and queries of webhooks are secrets; where it goes is not.
        self.place = urllib.parse.urlsplit(url).netloc.rpartition("@")[2]
        self._opener = urllib.request.build_opener(_NoRedirect)

    def __call__(self, digest: Digest) -> None:
        """Deliver one message. Raises DeliveryError."""
        subject = subject_of(digest.alerts, digest.omitted, self._env)
        body = {
            "source": "riskd",
            "env": self._env,
            "text": f"{subject}\n{body_of(digest.alerts, digest.omitted)}",
            "alerts": digest.alerts[:LINES_MAX],
            "omitted": digest.omitted + max(0, len(digest.alerts) - LINES_MAX),
        }
        headers = {"Content-Type": "application/json", "User-Agent": "riskd"}
        if self._token is not None:
            headers["Authorization"] = f"Bearer {self._token}"
        try:
            request = urllib.request.Request(
                self._url, data=msgspec.json.encode(body), headers=headers, method="POST"
            )
            with self._opener.open(request, timeout=SEND_S_MAX) as answer:
                if answer.status not in GOOD:
                    raise DeliveryError(f"{self.place} answered {answer.status}")
        except urllib.error.HTTPError as error:
            raise DeliveryError(f"{self.place} answered {error.code}") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            why = getattr(error, "reason", None) or type(error).__name__
            raise DeliveryError(f"{self.place}: {why}") from None


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would take the token to somewhere else; it counts as a failure."""

    def redirect_request(self, *args: object, **kwargs: object) -> None:
        return None


def subject_of(alerts: tuple[Alert, ...], omitted: int, env: str) -> str:
    """Return the worst alert in a line, and how many more there are."""
    worst = max(alerts, key=lambda alert: RANKS[alert.severity])
    status = "" if worst.status == "raised" else f" {worst.status}"
    more = len(alerts) + omitted - 1
    about = worst.account or "firm"
    text = f"[riskd {env}] {worst.severity.upper()}{status} {worst.alert_type} {about}"
    return _one_line(f"{text} (+{more} more)" if more else text)


def body_of(alerts: tuple[Alert, ...], omitted: int) -> str:
    """Return every alert in a line or two, the oldest first."""
    lines = []
    for alert in alerts[:LINES_MAX]:
        at = datetime.fromtimestamp(alert.last_ns / 1e9, UTC).isoformat(timespec="milliseconds")
        numbers = f" (value {alert.value:g})" if alert.value is not None else ""
        if alert.value is not None and alert.threshold is not None:
            numbers = f" (value {alert.value:g}, threshold {alert.threshold:g})"
        head = f"{at}  {alert.severity.upper()}  {alert.status}  {alert.alert_type}"
        lines.append(_one_line(f"{head}  {alert.account or 'firm'}  alert {alert.alert_id}"))
        lines.append(_one_line(f"    {alert.message}{numbers}"))
    left = omitted + max(0, len(alerts) - LINES_MAX)
    if left:
        lines.append(f"and {left} more: riskd alerts")
    return "\n".join(lines) + "\n"


def _one_line(text: str) -> str:
    """Return text without line breaks: what peers chose must not become a header or a line."""
    return "".join(letter if letter.isprintable() else " " for letter in text)


def is_loopback(host: str) -> bool:
    """Return whether a host is this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
