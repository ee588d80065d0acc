"""Notifications over real servers on loopback: routed, digested, limited, tried again."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import pytest
from msgspec.structs import replace

from config.errors import ConfigError
from config.settings import NotifySettings, Settings, SmtpTls
from riskd.messages import Alert, Severity
from tests.riskd.waiting import wait_until
from tests.transport.servers import MailServer, WebServer, serving
from transport import notify
from transport.notify import Channel, DeliveryError, Digest, Notifier, Pace
from transport.notify_senders import body_of, subject_of
from transport.process_notify import open_notifier, trial_alert

QUICK = Pace(digest_s=0.0, per_hour_max=1000, retry_s=0.01, attempts_max=50)
GATHERING = QUICK._replace(digest_s=3600.0)


def an_alert(number: int = 1, severity: str = "high", account: str | None = "A1") -> Alert:
    alert = trial_alert(number, 1_700_000_000_000_000_000)
    told = {"alert_type": "daily_loss", "message": f"message {number}", "account": account}
    return replace(alert, alert_id=number, severity=Severity(severity), **told)


@contextmanager
def notifying(failures: list[tuple[str, str]], **told: Any) -> Iterator[Notifier]:
    """Open a notifier over what `told` says of [notify], in a hurry."""
    quick: dict[str, Any] = {"digest_s": 0.0, "retry_s": 0.01, "attempts_max": 50}
    settings = Settings(env="uat", notify=NotifySettings(**{**quick, **told}))
    environ = {"MAIL_PASSWORD": "hunter2", "TOKEN": "s3cret"}
    notifier = open_notifier(settings, lambda *failed: failures.append(failed), environ)
    yield notifier
    notifier.close()


@pytest.fixture
def mail() -> Iterator[MailServer]:
    with serving(MailServer()) as server:
        yield server


@pytest.fixture
def web() -> Iterator[WebServer]:
    with serving(WebServer()) as server:
        yield server


def mail_settings(mail: MailServer, **told: Any) -> dict[str, Any]:
    return {
        "smtp_host": "127.0.0.1",
        "smtp_port": mail.port,
        "smtp_tls": SmtpTls.NONE,
        "mail_to": ("risk@example.com",),
        **told,
    }


def test_mail_arrives_with_its_numbers_and_the_password_from_the_environment(mail):
    told = mail_settings(mail, smtp_user="riskd", smtp_password_env="MAIL_PASSWORD")
    with notifying([], **told) as notifier:
        notifier.take(replace(an_alert(7, "critical"), value=5100.0, threshold=5000.0))
        wait_until(lambda: mail.mails)
    [found] = mail.mails
    assert found["Subject"] == "[riskd uat] CRITICAL daily_loss A1"
    assert "message 7 (value 5100, threshold 5000)" in found.get_content()
    assert "2023-11-14T22:13:20" in found.get_content()
    assert (mail.recipients, len(mail.logins)) == ([["risk@example.com"]], 1)


def test_burst_of_alerts_is_one_message_named_by_its_worst(web):
    with notifying([], digest_s=0.3, webhook_url=f"http://{web.place}/x") as notifier:
        for number in range(1, 51):
            notifier.take(an_alert(number, "extreme" if number == 9 else "high"))
        wait_until(lambda: web.posts)
        wait_until(lambda: notifier.figures()["webhook"]["alerts"] == 50)
    [post] = web.posts
    assert [alert["alert_id"] for alert in post["alerts"]] == list(range(1, 51))
    assert post["text"].startswith("[riskd uat] EXTREME daily_loss A1 (+49 more)\n")
    assert (post["env"], post["omitted"]) == ("uat", 0)


def test_alerts_are_routed_by_severity_account_and_what_became_of_them(web):
    told = {"webhook_url": f"http://{web.place}", "webhook_accounts": ("A1",)}
    with notifying([], **told, webhook_severity=Severity.CRITICAL) as notifier:
        notifier.take(an_alert(1, "high"))
        notifier.take(an_alert(2, "critical", "A2"))
        for status in ("repeated", "acknowledged", "muted"):
            notifier.take(replace(an_alert(3, "critical"), status=status))
        notifier.take(an_alert(4, "critical", None))
        notifier.take(replace(an_alert(5, "extreme"), status="escalated"))
        notifier.take(replace(an_alert(6, "critical"), status="resolved"))
        wait_until(lambda: notifier.figures()["webhook"]["alerts"] == 3)
    assert [a["alert_id"] for post in web.posts for a in post["alerts"]] == [4, 5, 6]


def test_mail_of_an_account_goes_to_its_own_people_too(mail):
    own = {"A1": ("desk@example.com",), "A2": ("other@example.com",)}
    with notifying([], **mail_settings(mail, mail_to_account=own, digest_s=0.3)) as notifier:
        notifier.take(an_alert(1))
        notifier.take(an_alert(2, account=None))
        wait_until(lambda: len(mail.mails) == 2)
    told = {mail["To"]: mail["Subject"] for mail in mail.mails}
    assert told == {
        "risk@example.com": "[riskd uat] HIGH daily_loss A1 (+1 more)",
        "desk@example.com": "[riskd uat] HIGH daily_loss A1",
    }


def test_server_that_refuses_is_tried_again_and_both_ends_are_told(mail):
    mail.refusals = 3
    failures: list[tuple[str, str]] = []
    with notifying(failures, **mail_settings(mail)) as notifier:
        notifier.take(an_alert(1))
        wait_until(lambda: mail.mails)
        wait_until(lambda: len(failures) == 2)
        figures = notifier.figures()["mail"]
    assert (figures["failures"], figures["messages"], figures["failure"]) == (3, 1, None)
    assert failures[0][0] == "mail"
    assert "not now" in failures[0][1]
    assert failures[1] == ("mail", "")


def test_webhook_that_fails_tells_its_host_and_no_secret(web):
    web.statuses = [500, 302, 503]
    failures: list[tuple[str, str]] = []
    told = {
        "webhook_url": f"http://{web.place}/services/T0P/SECRET?k=v",
        "webhook_token_env": "TOKEN",
    }
    with notifying(failures, **told) as notifier:
        notifier.take(an_alert(1))
        wait_until(lambda: web.posts)
        wait_until(lambda: len(failures) == 2)
        assert notifier.figures()["webhook"]["failures"] == 3
    assert failures == [("webhook", f"{web.place} answered 500"), ("webhook", "")]
    assert web.tokens == ["Bearer s3cret"]


def test_retries_wait_longer_each_time():
    tried_s: list[float] = []

    def fails(digest: Digest) -> None:
        tried_s.append(time.monotonic())
        raise DeliveryError("down")

    pace = QUICK._replace(retry_s=0.02, attempts_max=5)
    channel = Channel("c", fails, pace, severity_min=Severity.LOW)
    channel.put(an_alert())
    wait_until(lambda: channel.counts["given_up"])
    channel.close()
    channel.join()
    gaps = [later - earlier for earlier, later in pairwise(tried_s)]
    assert len(gaps) == 4
    assert all(gap >= 0.02 * 2**number for number, gap in enumerate(gaps))
    assert channel.figures()["failure"] == "down"


def test_messages_past_an_hours_number_wait_and_are_told_together():
    told: list[Digest] = []
    channel = Channel("c", told.append, QUICK._replace(per_hour_max=2), severity_min=Severity.LOW)
    channel.put(an_alert(1))
    wait_until(lambda: len(told) == 1)
    channel.put(an_alert(2))
    wait_until(lambda: len(told) == 2)
    for number in (3, 4):
        channel.put(an_alert(number))
    channel.put(an_alert(5), hurried=True)  # A test waits for nothing: what waits goes with it.
    wait_until(lambda: len(told) == 3)
    channel.close()
    channel.join()
    assert [[alert.alert_id for alert in digest.alerts] for digest in told] == [[1], [2], [3, 4, 5]]


def test_alerts_past_the_greatest_number_are_counted_and_said(monkeypatch):
    monkeypatch.setattr(notify, "PENDING_MAX", 3)
    told: list[Digest] = []
    channel = Channel("c", told.append, GATHERING, severity_min=Severity.LOW)
    for number in range(1, 6):
        channel.put(an_alert(number))
    channel.close()  # What waits is told before the end.
    channel.join()
    [digest] = told
    assert ([alert.alert_id for alert in digest.alerts], digest.omitted) == ([1, 2, 3], 2)
    assert "and 2 more" in body_of(digest.alerts, digest.omitted)
    assert channel.counts["omitted"] == 2


def test_server_that_hangs_holds_up_neither_the_caller_nor_other_channels(web):
    release = threading.Event()

    def hangs(digest: Digest) -> None:
        release.wait()

    hanging = Channel("a", hangs, QUICK, severity_min=Severity.LOW)
    with notifying([], webhook_url=f"http://{web.place}") as notifier:
        both = Notifier({"a": hanging, **notifier.channels})
        for number in range(1, 4):
            both.take(an_alert(number))
        wait_until(lambda: notifier.figures()["webhook"]["alerts"] == 3)
        assert hanging.counts["alerts"] == 0
    release.set()
    hanging.close()
    hanging.join()


def test_line_breaks_of_peers_become_no_header_and_no_line(mail):
    with notifying([], **mail_settings(mail)) as notifier:
        notifier.take(replace(an_alert(1, account="A\r\nBcc: x@y.z"), message="one\ntwo"))
        wait_until(lambda: mail.mails)
    [found] = mail.mails
    assert found["Bcc"] is None
    assert "one two" in found.get_content()
    assert mail.recipients == [["risk@example.com"]]


def test_password_is_not_sent_without_tls_to_another_machine():
    failures: list[tuple[str, str]] = []
    host = "192.0.2.1"  # Nobody's, RFC 5737.
    sender: dict[str, Any] = {"smtp_host": host, "smtp_tls": SmtpTls.NONE, "mail_to": ("a@b.c",)}
    settings = NotifySettings(**sender, smtp_password_env="P")
    with pytest.raises(ConfigError, match="smtp_tls"):
        open_notifier(Settings(notify=settings), lambda *x: failures.append(x), {"P": "hunter2"})


@pytest.mark.parametrize("key", ["smtp_password", "webhook_token"])
@pytest.mark.parametrize("kind", ["env", "file"])
def test_secret_that_cannot_be_read_stops_the_start_with_its_key(tmp_path, key, kind):
    told: dict[str, Any] = {
        "smtp_host": "127.0.0.1",
        "mail_to": ("a@b.c",),
        "webhook_url": "http://127.0.0.1",
        f"{key}_{kind}": str(tmp_path / "absent"),
    }
    with pytest.raises(ConfigError, match=f"{key}_{kind}"):
        open_notifier(Settings(notify=NotifySettings(**told)), lambda *x: None, {})


def test_secrets_in_files_are_read_without_their_line_end(tmp_path, web):
    (tmp_path / "url").write_text(f"http://{web.place}/secret\n")
    (tmp_path / "token").write_text("t0ken\n")
    told = {
        "webhook_url_file": str(tmp_path / "url"),
        "webhook_token_file": str(tmp_path / "token"),
    }
    with notifying([], **told) as notifier:
        notifier.test(an_alert(1, "low"))
        wait_until(lambda: web.posts)
    assert web.tokens == ["Bearer t0ken"]


def test_subject_says_what_became_of_the_alert():
    escalated = replace(an_alert(1, "critical", None), status="escalated")
    assert subject_of((escalated,), 0, "prod") == "[riskd prod] CRITICAL escalated daily_loss firm"
