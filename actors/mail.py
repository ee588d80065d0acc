"""The mail: which actor takes which fact, known in one place."""

from __future__ import annotations

from collections.abc import Mapping

from actors.inputs import (
    FactAt,
    Input,
    MovedAt,
    RaisedAt,
    Ref,
    Say,
    SessionFactAt,
)
from engine.core import BY_RESPONSE
from engine.facts import (
    Certified,
    Facts,
    GroupMoved,
    Halted,
    Instructed,
    Moved,
    Posted,
    Progressed,
    Raised,
    Resolved,
    Said,
    Stamp,
    Stood,
    Told,
    TripAsked,
    WakeAt,
    Watched,
)
from riskd.messages import Trip


class Mail:
    """Gives facts to whom they concern; whoever states one needs to know nobody.

    The addressees are put in while the house is built, before the first fact.
    """

    def __init__(self, accounts: Mapping[str, Ref], groups: Mapping[str, Ref], say: Say) -> None:
        self._accounts = accounts
        self._groups = groups
        self._say = say
        self.alerts: Ref
        self.breakers: Ref
        self.clock: Ref
        self.market: Ref
        self.responses: Ref
        self.sessions: Ref

    def post(self, facts: Facts, stamp: Stamp) -> None:
        """Give every fact of one input to the actor that takes it."""
        for fact in facts:
            match fact:
                case Raised() | Resolved():
                    self.alerts.tell(RaisedAt(fact, stamp))
                case Posted():
                    self.alerts.tell(fact)
                case WakeAt():
                    self.clock.tell(fact)
                case GroupMoved():
                    self._groups[fact.group].tell(fact)
                case Watched():
                    self.market.tell(fact)
                case Moved():
                    self.market.tell(MovedAt(fact, stamp))
                case Instructed() | Certified():
                    self.sessions.tell(SessionFactAt(fact, stamp))
                case Stood() | Halted() | Progressed():
                    self.responses.tell(FactAt(fact, stamp))
                case TripAsked():
                    trip = Trip(scope=fact.scope, scope_id=fact.scope_id, reason=fact.reason)
                    self.breakers.tell(Input(trip, stamp, None, BY_RESPONSE))
                case Told():
                    self._accounts[fact.account].tell(Input(fact.message, stamp))
                case Said():
                    self._say(fact.session, fact.message)
