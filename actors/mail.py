"""The mail: which actor takes which fact, known in one place."""

from __future__ import annotations

from collections.abc import Mapping

from actors.inputs import FactAt, Input, Ref, Say
from engine.facts import (
    Certified,
    Closed,
    Facts,
    GroupMoved,
    Halted,
    Instructed,
    Moved,
    Posted,
    Progressed,
    Raised,
    Recovered,
    Removed,
    Resolved,
    Said,
    Stamp,
    Stood,
    Told,
    Tripped,
    WakeAt,
    Watched,
)


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
                    self.alerts.tell(FactAt(fact, stamp))
                case Posted():
                    self.alerts.tell(fact)
                case WakeAt():
                    self.clock.tell(fact)
                case GroupMoved():
                    self._groups[fact.group].tell(fact)
                case Watched():
                    self.market.tell(fact)
                case Moved():
                    self.market.tell(FactAt(fact, stamp))
                case Removed():
                    self.clock.tell(fact)
                    self.market.tell(FactAt(fact, stamp))
                    self.responses.tell(FactAt(fact, stamp))
                case Instructed() | Certified():
                    self.sessions.tell(FactAt(fact, stamp))
                case Stood() | Halted() | Progressed() | Closed():
                    self.responses.tell(FactAt(fact, stamp))
                case Tripped() | Recovered():
                    self.breakers.tell(FactAt(fact, stamp))
                case Told():
                    self._accounts[fact.account].tell(Input(fact.message, stamp))
                case Said():
                    self._say(fact.session, fact.message)
