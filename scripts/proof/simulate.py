"""Seeded worlds: gateways, venue, feeds and operators over a bad net, and a house that falls.

A seed is a whole world. Messages are lost and sent again, doubled, delayed and overtaken; clocks
step by an hour; the house falls and comes back from a snapshot, or from nothing but its journal.
After every step an auditor counts anew what is reserved and remembers what was promised, and a twin
that never fell must have given the same answer, and be in the same state after each fall. A seed
that fails prints the command that shows it again.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from random import Random
from typing import NamedTuple

from engine.account import Account
from engine.core import Core, Input
from engine.desk import Answer
from engine.digest import decode_state, encode_state, state_digest
from engine.facts import Stamp
from riskd.codec import encode_msgpack
from riskd.messages import Basket, Check, Configure, Error, Fill, OrderReport, Transfer, Verdict
from tests.builders import MS, SECOND, STEADY_NS, WALL_NS
from tests.engine.live import Live
from tests.engine.random_inputs import Inputs

STEPS = 2000
HOUR_NS = 3600 * SECOND
LOST, DOUBLED, DELAYED = 0.03, 0.04, 0.08  # Of all messages.
DELAY_STEPS_MAX = 40
RESEND_STEPS = 25  # A sender that has no answer tries again after so many.
CRASH, CLOCK_STEP = 0.004, 0.003  # A step.
LIVE_EVERY = 4  # Of so many seeds one is played through the live actors as well.
RESENT = Check | Basket | Fill | OrderReport | Transfer  # Whose senders wait for an answer.


class Violation(AssertionError):
    """Something that must never be is. The text says in which world, and how to see it again."""


class Arrival(NamedTuple):
    """A message as it reaches the house."""

    step: int
    number: int
    message: Input
    session: int


class Tally(NamedTuple):
    """What a run of worlds came to."""

    seeds: int
    steps: int
    approvals: int
    repeats: int
    crashes: int
    live_worlds: int
    violations: int

    @property
    def is_clean(self) -> bool:
        """Return whether nothing happened that must never be."""
        return not self.violations


class Auditor:
    """Looks at an engine from outside, with its own memory of what was promised."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._verdicts: dict[tuple[str, str], tuple[Check, Verdict]] = {}

    def after(self, core: Core, message: Input, answer: Answer) -> str | None:
        """Return what is wrong after a step, None if nothing is."""
        if isinstance(message, Check):
            wrong = self._judged(core, message, answer)
            if wrong is not None:
                return wrong
        for account in core.accounts.values():
            wrong = reserved_wrong(account)
            if wrong is not None:
                return wrong
        return None

    def _judged(self, core: Core, check: Check, answer: Answer) -> str | None:
        if not isinstance(answer, Verdict):
            return f"a check is answered by {answer}"
        if (answer.client_order_id, answer.account) != (check.client_order_id, check.account):
            return f"the verdict of another order: {answer}"
        if answer.approved == bool(answer.rejects):
            return f"approved and refused at once, or neither: {answer}"
        if check.dry_run or check.account not in core.accounts:
            return None
        key = (check.account, check.client_order_id)
        first = self._verdicts.get(key)
        if answer.duplicate:
            self.counts["repeats"] += 1
            if (
                first is not None
                and first[1].approved
                and first[0] == check
                and not answer.approved
            ):
                known = core.accounts[check.account].state
                root = known.aliases.get(check.client_order_id, check.client_order_id)
                order = known.finished.get(root)
                if order is None or order.state != "void":
                    return f"an approval was given and is denied now: {first[1]}, {answer}"
        elif answer.approved:
            self.counts["approvals"] += 1
            if first is not None and first[1].approved:
                return f"one order was approved twice: {first[1]}, {answer}"
            self._verdicts[key] = (check, answer)
        return None


def reserved_wrong(account: Account) -> str | None:
    """Return what is wrong with what an account reserves, counted anew from its orders."""
    totals: dict[tuple[str, str], int] = {}
    for order_id, order in account.state.orders.items():
        if not 0 <= order.leaves_lots <= order.most_lots():
            return f"{account.id} {order_id} has leaves of {order.leaves_lots}"
        key = (order.check.symbol, order.check.side)
        totals[key] = totals.get(key, 0) + order.leaves_lots
    for symbol, position in account.state.positions.items():
        for side in ("buy", "sell"):
            working = position.working_lots(buying=side == "buy")
            expected = totals.pop((symbol, side), 0)
            if working != expected or working < 0:
                return f"{account.id} {symbol} reserves {working} {side}, its orders {expected}"
    if any(totals.values()):
        return f"{account.id} has orders of symbols without positions: {totals}"
    return None


class World:
    """One seed: what is sent, how the net treats it, when the house falls."""

    def __init__(self, seed: int, steps: int) -> None:
        self.seed, self.steps = seed, steps
        self.auditor = Auditor()
        self.crashes = 0
        self._random = Random(seed * 2 + 1)
        self._core, self._twin = Core(), Core()
        self._journal: list[tuple[Input, Stamp]] = []
        self._snapshot: tuple[int, bytes] | None = None
        self._step = 0
        self._wall_ns, self._steady_ns = WALL_NS, STEADY_NS

    def run(self) -> None:
        """Play the world. Raises Violation."""
        for arrival in self._arrivals():
            self._step += 1
            self._take(arrival)
            if self._random.random() < 0.01:
                self._snapshot = (len(self._journal), encode_state(self._core.state()))
            if self._random.random() < CRASH:
                self._crash()
        self._compare()
        if self.seed % LIVE_EVERY == 0:
            self._play_live()

    def _arrivals(self) -> list[Arrival]:
        """Return the messages in the order in which they arrive, some never, some twice."""
        found: list[Arrival] = []
        for number, (message, stamp) in enumerate(Inputs(self.seed).draw(self.steps)):
            if number < 12 or isinstance(message, Configure):  # The world is opened first.
                found.append(Arrival(number, number, message, stamp.session))
                continue
            fate, step = self._random.random(), number
            if fate < LOST:
                if not isinstance(message, RESENT):
                    continue
                step += RESEND_STEPS
            elif fate < LOST + DOUBLED:
                again = step + self._random.randint(1, DELAY_STEPS_MAX)
                found.append(Arrival(again, number, message, stamp.session))
            elif fate < LOST + DOUBLED + DELAYED:
                step += self._random.randint(1, DELAY_STEPS_MAX)
            found.append(Arrival(step, number, message, stamp.session))
        return sorted(found, key=lambda arrival: (arrival.step, arrival.number))

    def _take(self, arrival: Arrival) -> Answer:
        random = self._random
        self._steady_ns += random.choice((0, 1000, MS, 20 * MS, 100 * MS))
        if random.random() < CLOCK_STEP:
            self._wall_ns += random.choice((-HOUR_NS, HOUR_NS))
        wall_ns = self._wall_ns + self._steady_ns
        stamp = Stamp(len(self._journal) + 1, wall_ns, self._steady_ns, arrival.session)
        self._journal.append((arrival.message, stamp))
        answer = self._core.apply(arrival.message, stamp)
        told = self._twin.apply(arrival.message, stamp)
        if encode_msgpack(answer) != encode_msgpack(told):
            raise self._violation(f"the one that fell answers {answer}, its twin {told}")
        wrong = self.auditor.after(self._core, arrival.message, answer)
        if wrong is not None:
            raise self._violation(wrong)
        if isinstance(answer, Error) and answer.code == "internal":
            raise self._violation(f"a fault: {arrival.message}")
        return answer

    def _crash(self) -> None:
        """Fall, and come back from the newest snapshot or from nothing."""
        self.crashes += 1
        restored, taken = Core(), 0
        if self._snapshot is not None and self._random.random() < 0.7:
            taken, payload = self._snapshot
            restored.restore(decode_state(payload))
        for message, stamp in self._journal[taken:]:
            restored.apply(message, stamp)
        self._core = restored
        self._compare()

    def _compare(self) -> None:
        mine, twins = state_digest(self._core.state()), state_digest(self._twin.state())
        if mine != twins:
            raise self._violation(f"the state that came back is {mine}, its twin's is {twins}")
        payload = encode_state(self._core.state())
        if encode_state(decode_state(payload)) != payload:
            raise self._violation("the state does not read back as it was written")

    def _play_live(self) -> None:
        """Play the journal through the live actors: the same answers, the same state."""
        fresh = Core()
        with Live() as live:
            for message, stamp in self._journal:
                told, expected = live.send(message, stamp), fresh.apply(message, stamp)
                if encode_msgpack(told) != encode_msgpack(expected):
                    raise self._violation(f"the actors answer {told}, the core {expected}")
            if state_digest(live.system.state()) != state_digest(self._twin.state()):
                raise self._violation("the actors came to another state")

    def _violation(self, text: str) -> Violation:
        again = f"scripts/simulate --seed {self.seed} --steps {self.steps}"
        return Violation(f"seed {self.seed}, step {self._step}: {text}. Again: {again}")


def simulate(seeds: range, steps: int = STEPS, *, verbose: bool = True) -> Tally:
    """Play a world for each seed; print and return what came of it."""
    begun_s = time.monotonic()
    counts: Counter[str] = Counter()
    for seed in seeds:
        world = World(seed, steps)
        try:
            world.run()
        except Violation as found:
            counts["violations"] += 1
            print(found)
        counts.update(world.auditor.counts)
        counts["crashes"] += world.crashes
        counts["live"] += seed % LIVE_EVERY == 0
    tally = Tally(
        seeds=len(seeds),
        steps=len(seeds) * steps,
        approvals=counts["approvals"],
        repeats=counts["repeats"],
        crashes=counts["crashes"],
        live_worlds=counts["live"],
        violations=counts["violations"],
    )
    if verbose:
        for name, figure in tally._asdict().items():
            print(f"{name:<24} {figure:>10,}")
        print(f"{'seconds':<24} {time.monotonic() - begun_s:>10,.0f}")
    return tally


def main() -> int:
    """Play the worlds that are asked for; exit 1 if something happened that must never be."""
    parser = argparse.ArgumentParser(prog="scripts/simulate", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, help="how many worlds, from seed 1 on")
    parser.add_argument("--seed", type=int, help="this world alone")
    parser.add_argument("--steps", type=int, default=STEPS, help="messages that are sent in each")
    asked = parser.parse_args()
    one = asked.seed is not None
    seeds = range(asked.seed, asked.seed + 1) if one else range(1, asked.seeds + 1)
    return 0 if simulate(seeds, asked.steps).is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
