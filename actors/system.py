"""The house: every actor of the loop, and which input goes to whom."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

from actors.account import AccountActor
from actors.alerts import AlertActor
from actors.circuit_breaker import CircuitBreakerActor
from actors.clock import ClockActor
from actors.group import ClearGroup, GroupActor
from actors.inputs import Input, Publish, Ref, Say, WakeAccounts
from actors.limits import LimitsActor, RollCall
from actors.mail import Mail
from actors.market_data import MarketDataActor
from actors.response import ResponseActor
from actors.runtime import ActorFault, LoopRef, RunQueue
from actors.sessions import SessionActor
from actors.supervisor import Supervisor
from engine.account import Account
from engine.basket import judge_basket
from engine.core import Core
from engine.core_state import CoreState, state_of
from engine.desk import (
    AccountMessage,
    AddressedMessage,
    Answer,
    answer_unknown,
)
from engine.due import due_steady_ns
from engine.facts import SUSPENSE, Recount, Stamp
from engine.suspense import as_unknown_account, suspense_alert, suspense_fill
from engine.sweep import Sweeper
from engine.universe_desk import Declaration, UniverseDesk
from riskd.messages import (
    EVERY_ACCOUNT,
    AlertAck,
    Basket,
    DayBegan,
    Elapse,
    Fill,
    Hello,
    InstructionReport,
    Kill,
    MarketState,
    Reduce,
    Reset,
    ResponseStop,
    Resynced,
    SessionLost,
    SessionRoll,
    Sweep,
    Tick,
    Ticks,
    Trip,
    Unkill,
)


class System:
    """Starts the actors and routes inputs to them; each input runs to completion."""

    def __init__(
        self,
        run_queue: RunQueue,
        *,
        publish: Publish,
        say: Say,
        failed: Callable[[str, str, BaseException], None],
        fatal: Callable[[ActorFault], None],
        core: Core | None = None,
    ) -> None:
        """Start every actor over what `core` holds, or over nothing. Call on the loop's thread.

        `say` writes to a gateway, `failed` takes account, reason and bug of a freeze that must be
        journalled, `fatal` a fault that the process cannot survive. The core is not to be used any
        more.
        """
        core = core or Core()
        self.run_queue = run_queue
        self.boards, self.accounts = core.boards, core.accounts
        self.alert_book, self.timers, self.watch = core.alerts, core.timers, core.watch
        self.tick_counts, self.last = core.tick_counts, core.stamp
        self.sweeper: Sweeper = core.sweeper
        self._refs: dict[str, LoopRef[AccountActor]] = {}
        self._groups: dict[str, Ref] = {}
        self._mail = mail = Mail(self._refs, self._groups, say)
        mail.alerts = AlertActor.start(
            self.alert_book, self.boards, publish=publish, run_queue=run_queue
        )
        run_queue.supervisor = Supervisor.start(
            mail=mail,
            restart=self._start_account,
            failed=failed,
            fatal=fatal,
            run_queue=run_queue,
        )
        mail.clock = ClockActor.start(self.timers, self._refs, run_queue=run_queue)
        mail.breakers = CircuitBreakerActor.start(
            self.boards, self.accounts, mail=mail, publish=publish, run_queue=run_queue
        )
        prices = (self.boards.quotes, self.tick_counts, self.watch, self.sweeper)
        mail.market = MarketDataActor.start(*prices, mail=mail, run_queue=run_queue)
        self.sessions = core.sessions
        mail.sessions = SessionActor.start(self.sessions, mail=mail, run_queue=run_queue)
        mail.responses = ResponseActor.start(core.responses, mail=mail, run_queue=run_queue)
        self._routes = self._start_writers()
        self._start_groups()
        for account in self.accounts.values():
            self._start_account(account)

    def dispatch(self, message: Input) -> None:
        """Take one input and run everything it causes to completion."""
        self.last = message.stamp
        asked = message.message
        ref = None
        if isinstance(asked, AddressedMessage):
            ref = self._refs.get(asked.account or "")
        if ref is not None:
            if self.boards.backlog.looks:
                self._look_first(asked.account or "", message)
            ref.run(message)
        else:
            self._dispatch_other(message)
            self.run_queue.drain()

    def is_behind(self) -> bool:
        """Return whether accounts or ticks wait for their turn: an `elapse` goes on with them."""
        return self.boards.is_behind()

    def due_ns(self) -> int | None:
        """Return the steady instant at which an `elapse` is needed, None if nothing waits."""
        return due_steady_ns(self.boards, self.timers, self.alert_book, self.sweeper)

    def state(self) -> CoreState:
        """Return the state as one tree. Call between inputs."""
        return state_of(self.boards, self.accounts, self.alert_book, self.last)

    def _start_writers(self) -> dict[type, Ref]:
        """Start the writer of what is declared; return which input goes to whom."""
        mail = self._mail
        self._limits = limits = LimitsActor.start(
            UniverseDesk(
                self.boards,
                self.accounts,
                opened=self._start_account,
                closed=self._stop_account,
            ),
            recount=self._recount_groups,
            mail=self._mail,
            run_queue=self.run_queue,
        )
        routes: dict[type, Ref] = dict.fromkeys((Tick, Ticks, MarketState, Sweep), mail.market)
        routes |= dict.fromkeys((Kill, Unkill, Trip, Reset), mail.breakers)
        routes |= dict.fromkeys(get_args(Declaration), limits)
        asked = (Hello, Resynced, InstructionReport, SessionLost)
        routes |= dict.fromkeys(asked, mail.sessions)
        routes |= dict.fromkeys((Reduce, ResponseStop), mail.responses)
        routes[AlertAck] = mail.alerts
        return routes

    def _dispatch_other(self, message: Input) -> None:
        asked = message.message
        self.boards.epoch += 1
        ref = self._routes.get(type(asked))
        if ref is not None:
            ref.tell(message)
        elif isinstance(asked, Elapse):
            mail = self._mail
            first = (mail.alerts, mail.market, mail.breakers, mail.sessions)
            # What one stage causes is done before time passes for the next, as in the core.
            for stage in ((self._limits,), first, (mail.clock,), (mail.responses,)):
                for ref in stage:
                    ref.tell(WakeAccounts(message.stamp))
                self.run_queue.drain()
        elif isinstance(asked, DayBegan):
            for key, account_ref in self._refs.items():
                if self.accounts[key].state.spec.calendar == asked.calendar:
                    account_ref.tell(message)
            self.run_queue.drain()  # Groups lost what their accounts did in days of now.
            self._mail.market.tell(message)
        elif isinstance(asked, SessionRoll) and asked.account in (None, EVERY_ACCOUNT):
            roll = RollCall(message)
            for account, account_ref in self._refs.items():
                account_ref.tell(roll.input_for(account))
            self.run_queue.drain()
            self._mail.market.tell(roll.input_for_groups())
        elif isinstance(asked, Basket):
            self._dispatch_basket(message, asked)
        elif isinstance(asked, Fill):
            self._dispatch_suspense(message, asked)
        elif message.reply is not None:
            message.reply(answer_unknown(asked, message.stamp, self.boards))

    def _dispatch_basket(self, message: Input, basket: Basket) -> None:
        """Judge a basket; all that each of its legs causes is done before the next one."""

        def ask(account: str, asked: AccountMessage) -> Answer:
            answers: list[Answer] = []
            self._look_first(account, Input(asked, message.stamp))
            self._refs[account].tell(Input(asked, message.stamp, answers.append))
            self.run_queue.drain()
            return answers[0]

        verdict = judge_basket(self.boards, self.accounts, basket, message.stamp, ask)
        if message.reply is not None:
            message.reply(verdict)

    def _look_first(self, account: str, message: Input) -> None:
        """Look at an account that waits, with all that it causes, before it is judged."""
        self._mail.post(
            self.watch.look_first(account, message.message, message.stamp), message.stamp
        )
        self.run_queue.drain()

    def _dispatch_suspense(self, message: Input, fill: Fill) -> None:
        """Book the fill of an account that does not exist where it is counted and seen."""
        reply = message.reply

        def take(answered: Answer) -> None:
            if reply is not None:
                reply(as_unknown_account(answered, fill))

        self._mail.post([suspense_alert(fill)], message.stamp)
        self._refs[SUSPENSE].tell(Input(suspense_fill(fill), message.stamp, take))

    def _recount_groups(self, stamp: Stamp) -> None:
        """Start the actors of new groups, and make every group's totals anew."""
        self._start_groups()
        for ref in self._groups.values():
            ref.tell(ClearGroup())
        if self.boards.group_limits:
            for ref in self._refs.values():
                ref.tell(Input(Recount(), stamp))

    def _start_groups(self) -> None:
        for name in self.boards.group_totals:
            if name not in self._groups:
                self._groups[name] = GroupActor.start(
                    name, self.boards, self._groups, run_queue=self.run_queue
                )

    def _start_account(self, account: Account) -> None:
        ref = AccountActor.start(account, mail=self._mail, run_queue=self.run_queue)
        assert isinstance(ref, LoopRef)  # As of every actor of the loop.
        self._refs[account.id] = ref

    def _stop_account(self, account: Account) -> None:
        ref = self._refs.pop(account.id)
        ref.stop(block=False)
