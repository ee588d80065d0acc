"""Sessions of gateways: who speaks for which accounts, and how it ended."""

from __future__ import annotations

from msgspec import Struct

SESSIONS_MAX = 1000  # Remembered with those that were lost; that many may stand at once.


class Session(Struct):
    """One gateway's session."""

    number: int  # The seq of the hello that opened it.
    gateway: str
    accounts: list[str]  # None named: every account.
    executes_responses: bool
    cancel_on_disconnect: bool
    opened_ns: int
    must_resync: bool = False  # Its orders are refused until it has.
    lost_ns: int | None = None
    lost_reason: str = ""

    def covers(self, account: str) -> bool:
        """Return whether the gateway is responsible for an account."""
        return not self.accounts or account in self.accounts


class SessionBook(Struct):
    """Sessions by their numbers, oldest first."""

    sessions: dict[int, Session] = {}

    def standing(self) -> list[Session]:
        """Return the sessions that were not lost, oldest first."""
        return [session for session in self.sessions.values() if session.lost_ns is None]

    def live(self, number: int) -> Session | None:
        """Return a session that stands, None if it was lost or never was."""
        session = self.sessions.get(number)
        return session if session is not None and session.lost_ns is None else None

    def refusal(self, number: int) -> str:
        """Return why orders of a session are not taken; empty if they are."""
        session = self.live(number)
        if session is None:
            return f"session {number} is lost: say hello again"
        if session.must_resync:
            return f"gateway {session.gateway} must resynchronise first: send resync, then resynced"
        return ""

    def of_gateway(self, gateway: str) -> Session | None:
        """Return the session of a gateway that stands."""
        for session in reversed(self.standing()):
            if session.gateway == gateway:
                return session
        return None

    def successor(self, number: int) -> Session | None:
        """Return the session that stands of the gateway whose session this is or was."""
        session = self.sessions.get(number)
        if session is None or session.lost_ns is None:
            return session
        return self.of_gateway(session.gateway)

    def gateway_of(self, number: int) -> str:
        """Return the gateway whose session it is or was; empty if none is remembered."""
        session = self.sessions.get(number)
        return session.gateway if session is not None else ""

    def executor(self, account: str, gateway: str) -> Session | None:
        """Return who carries out instructions for an account, None if nobody does.

        First `gateway` itself, then one that names the account, then one of all; of equals the
        newest.
        """
        found, rank = None, 0
        for session in self.standing():
            if not session.executes_responses or not session.covers(account):
                continue
            its_rank = 3 if session.gateway == gateway else 2 if session.accounts else 1
            if its_rank >= rank:
                found, rank = session, its_rank
        return found

    def add(self, session: Session) -> None:
        """Add a session that stands, and forget the oldest that was lost beyond the horizon."""
        self.sessions[session.number] = session
        if len(self.sessions) > SESSIONS_MAX:
            for number, old in self.sessions.items():
                if old.lost_ns is not None:
                    del self.sessions[number]
                    return
