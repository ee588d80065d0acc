"""A mail server and a web server on loopback that keep what they are told."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar

import msgspec


class MailServer(socketserver.ThreadingTCPServer):
    """Speaks as much SMTP as a client of ours needs; `refusals` mails are refused first."""

    allow_reuse_address = daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Mail)
        self.mails: list[EmailMessage] = []
        self.recipients: list[list[str]] = []
        self.logins: list[str] = []
        self.refusals = 0
        self.port = int(self.server_address[1])


class _Mail(socketserver.StreamRequestHandler):
    server: MailServer

    def handle(self) -> None:
        self._say("220 here")
        recipients: list[str] = []
        while line := self.rfile.readline().decode().strip():
            verb = line.split(" ")[0].upper()
            if verb == "EHLO":
                self._say("250-here\r\n250 AUTH PLAIN")
            elif verb == "AUTH":
                self.server.logins.append(line)
                self._say("235 welcome")
            elif verb == "MAIL" and self.server.refusals:
                self.server.refusals -= 1
                self._say("451 not now")
            elif verb == "RCPT":
                recipients.append(line.partition("<")[2].rstrip(">"))
                self._say("250 yes")
            elif verb == "DATA":
                self._say("354 go on")
                lines = iter(self.rfile.readline, b".\r\n")
                found: Any = message_from_bytes(b"".join(lines), policy=policy.default)
                self.server.recipients.append(recipients)
                self.server.mails.append(found)
                recipients = []
                self._say("250 kept")
            elif verb == "QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250 yes")

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


class WebServer(ThreadingHTTPServer):
    """Takes POSTs; `statuses` are answered first, then 200."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _named(_Web))
        self.posts: list[Any] = []
        self.tokens: list[str | None] = []
        self.statuses: list[int] = []
        self.place = f"127.0.0.1:{self.server_address[1]}"


class _Web(BaseHTTPRequestHandler):
    server: WebServer

    def take_post(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = self.server.statuses.pop(0) if self.server.statuses else 200
        if status == 200:
            self.server.posts.append(msgspec.json.decode(body))
            self.server.tokens.append(self.headers["Authorization"])
        self.send_response(status)
        if status == 302:
            self.send_header("Location", f"http://{self.server.place}/elsewhere")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there.
        """Say nothing."""


Server = TypeVar("Server", MailServer, WebServer)


@contextmanager
def serving(server: Server) -> Iterator[Server]:
    """Serve on a thread while the block runs."""
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _named(handler: type[_Web]) -> type[_Web]:
    """Return a handler with its method under the name by which http.server looks for it."""
    return type("_Posted", (handler,), {"do_POST": handler.take_post})
