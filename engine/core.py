"""The whole engine composed without actors, on one thread: what the live system must equal.

Replay and the simulator run it; tests compare it with the actors, message by message.
"""

from __future__ import annotations

from engine.account import Account
from engine.alerts import AlertBook, topic_of
from engine.basket import judge_basket
from engine.boards import Boards
from engine.core_state import CoreState, restore_boards, state_of
from engine.desk import (
    AccountMessage,
    AddressedMessage,
    Answer,
    account_of,
    answer,
    answer_fault,
    answer_unknown,
)
from engine.due import due_steady_ns
from engine.facts import (
    BY_LOCAL,
    SUSPENSE,
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
    Recount,
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
from engine.intake import Input, Topical
from engine.market import apply_ages, apply_market, apply_waiting
from engine.operator import apply_command, apply_expiry, apply_measured
from engine.response_desk import ResponseDesk
from engine.sessions import SessionDesk
from engine.suspense import as_unknown_account, suspense_alert, suspense_fill
from engine.sweep import Sweeper
from engine.timers import Timers
from engine.universe_desk import Declaration, UniverseDesk
from engine.watch import Watch
from riskd.messages import (
    EVERY_ACCOUNT,
    AccountSpec,
    ActorFailed,
    AlertAck,
    Basket,
    Check,
    Checkpoint,
    DayBegan,
    Elapse,
    Error,
    Fill,
    Hello,
    InstructionReport,
    Kill,
    MarketState,
    Published,
    Reduce,
    Reset,
    ResponseStop,
    Result,
    Resynced,
    SessionLost,
    SessionRoll,
    StateDigest,
    Sweep,
    Tick,
    Ticks,
    Trip,
    Unkill,
)

__all__ = ["BY_LOCAL", "Core", "Input", "Topical"]


class Core:
    """Accounts, boards, alerts and timers behind one `apply`."""

    def __init__(self) -> None:
        self.boards = Boards()
        self.accounts: dict[str, Account] = {}
        self.sessions = SessionDesk(self.boards, self.accounts)
        self.responses = ResponseDesk(self.boards, self.accounts)
        self.alerts = AlertBook()
        self.timers = Timers()
        self.tick_counts: dict[str, int] = {}
        self.watch = Watch(self.boards, self.accounts)
        self.sweeper = Sweeper(self.boards, self.accounts, self.watch)
        self.stamp = Stamp(0, 0, 0)
        self.published: list[Topical] = []
        self.said: list[Said] = []  # To gateways.
        self.faults: list[ActorFailed] = []  # Of this input: the freezes that it caused.
        self.raised: list[Exception] = []  # Of this input: the bugs behind them.
        self._fault_facts: Facts = []  # Of this input's faults: said last, as the supervisor does.
        self.universe = UniverseDesk(self.boards, self.accounts)
        self.universe.open(AccountSpec(id=SUSPENSE))

    def apply(self, message: Input, stamp: Stamp, by: str = BY_LOCAL) -> Answer:
        """Apply one input and everything it causes; return its answer.

        What it published is in `published`, what it says to gateways in `said`, until the next.
        """
        self.stamp = stamp
        self.published, self.said = [], []
        facts: Facts = []
        self._fault_facts = []
        self.faults, self.raised = [], []
        reply = self._route(message, stamp, by, facts)
        self._settle_all(facts, stamp)
        return reply

    def due_ns(self) -> int | None:
        """Return the steady instant at which an `elapse` is needed, None if nothing waits."""
        return due_steady_ns(self.boards, self.timers, self.alerts, self.sweeper)

    def state(self) -> CoreState:
        """Return the state as one tree that shares its leaves with the engine."""
        return state_of(self.boards, self.accounts, self.alerts, self.stamp)

    def restore(self, state: CoreState) -> None:
        """Become the engine that `state` was taken from. Call on a fresh core."""
        restore_boards(self.boards, state)
        self.alerts = state.alerts
        self.stamp = Stamp(state.seq, 0, state.steady_ns)
        self.accounts.clear()
        for key, held in state.accounts.items():
            self.accounts[key] = Account(held.spec, self.boards, held)
        self.sessions = SessionDesk(self.boards, self.accounts)
        self.responses = ResponseDesk(self.boards, self.accounts)
        self.watch.restore()
        facts: Facts = []
        self._recount(self.stamp, facts)
        self._settle(facts, self.stamp)
        for account in self.accounts.values():
            due_ns = account.due_ns()
            if due_ns is not None:
                self.timers.ask(account.id, due_ns)

    def _route(self, message: Input, stamp: Stamp, by: str, facts: Facts) -> Answer:
        if isinstance(message, Check):  # The common case, before the long match.
            return self._of_account(message, stamp, facts)
        self.boards.epoch += not isinstance(message, AddressedMessage)
        match message:
            case Tick() | Ticks() | MarketState():
                quotes, counts = self.boards.quotes, self.tick_counts
                apply_market(quotes, message, stamp, counts, facts, watch=self.watch)
                return None
            case Basket():
                return self._of_basket(message, stamp)
            case Kill() | Unkill() | Trip() | Reset():
                reply, event = apply_command(
                    self.boards, message, stamp, by, facts, accounts=self.accounts
                )
                if event is not None:
                    self._publish(f"breaker.{event.scope}.{event.scope_id}", event)
                return reply
            case Reduce() | ResponseStop():
                return self.responses.command(message, stamp, facts)
            case Sweep():
                return self.sweeper.sweep_all(message, stamp, facts)
            case AlertAck():
                return self._acknowledge(message, stamp, by)
            case Elapse():
                self._elapse(message, stamp, facts)
                return None
            case DayBegan():
                for account in self.accounts.values():
                    if account.state.spec.calendar == message.calendar:
                        self._at_desk(account, message, stamp, facts)
                # Groups lost what their accounts did in days of now.
                self._settle_all(facts, stamp)
                self.watch.groups.begin_day(message, stamp, facts)
                return None
            case Checkpoint() | StateDigest():
                return None  # Of no rule: whoever replays compares them.
            case SessionRoll() if message.account in (None, EVERY_ACCOUNT):
                return self._roll_all(message, stamp, facts)
            case Hello() | Resynced() | InstructionReport() | SessionLost():
                return self.sessions.answer(message, stamp, facts)
            case _:
                if isinstance(message, Declaration):
                    return self._declare(message, stamp, by, facts)
                return self._of_account(message, stamp, facts)

    def _declare(self, asked: Declaration, stamp: Stamp, by: str, facts: Facts) -> Answer:
        reply, moved = self.universe.answer(asked, stamp, by, facts)
        if moved is not None:
            self._recount(stamp, facts, moved)
        return reply

    def _acknowledge(self, message: AlertAck, stamp: Stamp, by: str) -> Answer:
        reply, alert = self.alerts.acknowledge(message, stamp, by)
        if alert is not None:
            self._publish(topic_of(alert), alert)
        return reply

    def _elapse(self, message: Elapse, stamp: Stamp, facts: Facts) -> None:
        moved = self.universe.elapse(stamp, facts)
        if moved is not None:
            self._recount(stamp, facts, moved)
        # What a stage causes is done before time passes for the next, as among the actors.
        self._settle_all(facts, stamp)
        for alert in self.alerts.elapse(stamp, self.boards.settings.alerts):
            self._publish(topic_of(alert), alert)
        apply_ages(self.boards.quotes, stamp, facts)
        self.sweeper.elapse(stamp, facts)
        apply_waiting(self.boards.quotes, stamp, self.tick_counts, facts, watch=self.watch)
        for event in apply_expiry(self.boards.breakers, stamp, facts):
            self._publish(f"breaker.{event.scope}.{event.scope_id}", event)
        self.sessions.elapse(stamp, facts)
        self._settle_all(facts, stamp)
        for key in self.timers.take_due(stamp.steady_ns):
            self._at_desk(self.accounts[key], message, stamp, facts)
        self._settle_all(facts, stamp)
        self.responses.elapse(stamp, facts)

    def _of_account(self, message: AddressedMessage, stamp: Stamp, facts: Facts) -> Answer:
        account = self.accounts.get(account_of(message))
        if account is not None:
            if self.boards.backlog.looks:
                self._settle(self.watch.look_first(account.id, message, stamp), stamp)
            return self._at_desk(account, message, stamp, facts)
        if isinstance(message, Fill):
            facts.append(suspense_alert(message))
            reply = self._at_desk(self.accounts[SUSPENSE], suspense_fill(message), stamp, facts)
            return as_unknown_account(reply, message)
        return answer_unknown(message, stamp, self.boards)

    def _of_basket(self, basket: Basket, stamp: Stamp) -> Answer:
        """Judge a basket; all that each of its legs causes is done before the next one."""

        def ask(account: str, message: AccountMessage) -> Answer:
            facts: Facts = []
            self._settle(self.watch.look_first(account, message, stamp), stamp)
            reply = self._at_desk(self.accounts[account], message, stamp, facts)
            self._settle_all(facts, stamp)
            return reply

        return judge_basket(self.boards, self.accounts, basket, stamp, ask)

    def _at_desk(
        self, account: Account, message: AccountMessage, stamp: Stamp, facts: Facts
    ) -> Answer:
        try:
            return answer(account, message, stamp, facts)
        except Exception as error:  # noqa: BLE001 - any bug of ours freezes this account alone.
            self.raised.append(error)
            reason = f"fault at seq {stamp.seq}"
            self.faults.append(ActorFailed(account=account.id, reason=reason))
            return answer_fault(account, message, stamp, self._fault_facts)

    def _recount(self, stamp: Stamp, facts: Facts, moved: Moved | Removed | None = None) -> None:
        """Make the totals of groups anew, where any has limits."""
        if moved is not None:  # Before the recount books what waited.
            self._settle([*facts, moved], stamp)
            facts.clear()
        self.boards.clear_groups()
        if self.boards.group_limits:
            for account in self.accounts.values():
                self._at_desk(account, Recount(), stamp, facts)

    def _roll_all(self, message: SessionRoll, stamp: Stamp, facts: Facts) -> Answer:
        self.boards.epoch += 1
        skipped = []
        for key, account in self.accounts.items():
            reply = self._at_desk(account, SessionRoll(account=key), stamp, facts)
            if isinstance(reply, Error):
                skipped.append(key)
        self._settle_all(facts, stamp)
        skipped += self.watch.groups.roll(stamp, facts)
        shown = {"seq": stamp.seq, "skipped": skipped}
        return Result(ok=not skipped, data=shown, request_id=message.request_id)

    def _settle_all(self, facts: Facts, stamp: Stamp) -> None:
        """Do all that facts ask for, those of faults last, and forget them."""
        self._settle(facts, stamp)
        facts.clear()
        faults, self._fault_facts = self._fault_facts, []
        self._settle(faults, stamp)

    def _settle(self, facts: Facts, stamp: Stamp) -> None:
        for fact in facts:  # They may cause further ones, which go last.
            match fact:
                case Raised() | Resolved():
                    alert = self.alerts.apply(fact, stamp, self.boards.settings.alerts)
                    if alert is not None:
                        self._publish(topic_of(alert), alert)
                case WakeAt():
                    self.timers.ask(fact.account, fact.steady_ns)
                case GroupMoved():
                    self.boards.move_groups(fact)
                case Watched():
                    self.boards.quotes.watch(fact)
                case Moved():
                    if fact.account is None:
                        self.sweeper.configure(stamp)
                    self.watch.take(fact, stamp, facts)
                case Removed():
                    self.timers.drop(fact.account)
                    self.sweeper.remove(fact, stamp, facts)
                    self.responses.take(fact, stamp, facts)
                case Told():
                    self._at_desk(self.accounts[fact.account], fact.message, stamp, facts)
                case Instructed() | Certified():
                    self.sessions.settle(fact, stamp, facts)
                case Stood() | Halted() | Progressed() | Closed():
                    self.responses.take(fact, stamp, facts)
                case Tripped() | Recovered():
                    event = apply_measured(self.boards.breakers, fact, stamp, facts)
                    if event is not None:
                        self._publish(f"breaker.{event.scope}.{event.scope_id}", event)
                case Posted():
                    self._publish(fact.topic, fact.message)
                case Said():
                    self.said.append(fact)

    def _publish(self, topic: str, message: Published) -> None:
        self.published.append(Topical(topic, message))
