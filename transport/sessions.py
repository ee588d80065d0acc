"""Which connection speaks for which session, what is written to it, and whether it still lives.

A session lives while something is heard of it: `HEARTBEATS_MAX` beats of silence lose it. A DEALER
is sent a `pong` at each beat, so that a connection that is gone is noticed at the next one. After
a start the sessions of before have as long to say hello again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from transport.router import DEALER, Request

HEARTBEATS_MAX = 3
PEERS_MAX = 10_000  # Connections whose sessions are remembered, those that were lost included.


class _Link:
    """The connection of one session; without a request none has said hello since the start."""

    __slots__ = ("beats", "heard", "heard_ns", "is_gone", "request")

    def __init__(self, request: Request | None) -> None:
        self.request = request
        self.heard = True
        self.is_gone = False
        self.beats = 0  # Without a word.
        self.heard_ns: int | None = None  # Of the last beat before which something was heard.


class Links:
    """Connections by session, and sessions by connection.

    A connection whose session is lost keeps its number: what it sends is of a lost session, and
    refused as such, until it says hello again.
    """

    def __init__(self) -> None:
        self._sessions: dict[tuple[bytes, str], int] = {}  # By routing id, of one key.
        self._links: dict[int, _Link] = {}

    def heard(self, request: Request) -> int:
        """Note that a peer said something; return its session, 0 if it never had one. O(1).

        A routing id says where an answer goes, not who it is: with another key it is another peer.
        """
        number = self._sessions.get((request.peer, request.sender.user_id), 0)
        if number:
            link = self._links.get(number)
            if link is not None:
                link.heard = True
        return number

    def open(self, number: int, request: Request) -> None:
        """Let a session be that of the connection which said hello; one of before loses it."""
        name = (request.peer, request.sender.user_id)
        self._sessions.pop(name, None)
        self._sessions[name] = number
        self._links[number] = _Link(request)
        if len(self._sessions) > PEERS_MAX:
            del self._sessions[next(iter(self._sessions))]

    def request_of(self, number: int) -> Request | None:
        """Return where to write to a session unasked, None where that is not possible."""
        link = self._links.get(number)
        if link is None or link.request is None or link.request.envelope != DEALER:
            return None
        return link.request

    def gone(self, request: Request) -> None:
        """Note that a peer's connection is no more: its session is lost at the next beat."""
        peer = request.peer
        link = self._links.get(self._sessions.pop((peer, request.sender.user_id), 0))
        if link is not None and link.request is not None and link.request.peer == peer:
            link.is_gone = True

    def writable(self) -> Iterator[tuple[int, Request]]:
        """Yield every session that may be written to unasked."""
        for number in list(self._links):
            request = self.request_of(number)
            if request is not None:
                yield number, request

    def heard_ns(self, number: int) -> int | None:
        """Return the last beat before which something was heard of a session."""
        link = self._links.get(number)
        return link.heard_ns if link is not None else None

    def beat(self, standing: Iterable[int], now_ns: int) -> list[tuple[int, str]]:
        """Count a beat; return the standing sessions that are lost now, and why."""
        lost = []
        kept = list(standing)
        for number in [number for number in self._links if number not in kept]:
            del self._links[number]
        for number in kept:
            link = self._links.setdefault(number, _Link(None))
            link.beats += 1
            if link.heard:
                link.beats, link.heard = 0, False
                link.heard_ns = now_ns if link.request is not None else None
            if link.is_gone:
                lost.append((number, "its connection is gone"))
            elif link.beats >= HEARTBEATS_MAX:
                what = "it did not come back" if link.request is None else "nothing was heard of it"
                lost.append((number, f"{what} for {HEARTBEATS_MAX} heartbeats"))
        return lost
