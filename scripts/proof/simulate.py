"""Seeded worlds: gateways, venue, feeds and operators over a bad net, and a house that falls.

A seed is a whole world. Messages are lost and sent again, doubled, delayed and overtaken; clocks
step by an hour; the house falls and comes back from a snapshot, or from nothing but its journal. Of
four houses two are the engine alone, one is the live actors, and one keeps files, which lose their
tail and have bits flipped. After every step an auditor counts anew what is reserved and remembers
what was promised, and a twin that never fell must have given the same answer, and be in the same
state after each fall. A seed that fails prints the command that shows it again.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from heapq import heapify, heappop, heappush
from random import Random
from typing import NamedTuple

from actors.sequencer import Source
from engine.core import Core, Input
from engine.digest import decode_state, encode_state, state_digest
from engine.facts import Stamp
from riskd.codec import encode_msgpack
from riskd.messages import Basket, Check, Configure, Error, Fill, OrderReport, Transfer
from scripts.proof.auditor import Auditor
from scripts.proof.houses import HOUSES, told_by
from scripts.proof.people import People, Said
from tests.builders import MS, SECOND, STEADY_NS, WALL_NS
from tests.engine.random_inputs import Inputs, as_decoded
from tests.transport.kept import source_of

STEPS = 2000
HOUR_NS = 3600 * SECOND
LOST, DOUBLED, DELAYED = 0.03, 0.04, 0.08  # Of all messages.
DELAY_STEPS_MAX = 40
RESEND_STEPS = 25  # A sender that has no answer tries again after so many.
FALL, REMEMBERED, CLOCK_STEP = 0.004, 0.01, 0.003  # A step.
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
    inputs: int
    approvals: int
    repeats: int
    falls: int
    torn: int  # Of them some that took records with them that were not yet on the disk.
    refused: int  # Starts on a journal that was damaged.
    responses: int
    instructions: int
    violations: int
    taken: dict[str, int]  # Messages by their kind that were not refused.

    @property
    def is_clean(self) -> bool:
        """Return whether nothing happened that must never be."""
        return not self.violations


class World:
    """One seed: what is sent, how the net treats it, when the house falls."""

    def __init__(self, seed: int, steps: int) -> None:
        self.seed, self.steps = seed, steps
        self.auditor = Auditor()
        self.counts: Counter[str] = Counter()
        self.taken: Counter[str] = Counter()
        self._random = Random(seed * 2 + 1)
        self._people = People(Random(seed * 2))
        self._inputs: list[tuple[Input, Stamp]] = []
        self.house, self._twin = HOUSES[seed % len(HOUSES)](self._inputs), Core()
        self._arrivals: list[Arrival] = []  # A heap, the next to arrive first.
        self._number = steps  # Of the last message.
        self._step = 0
        self._wall_ns, self._steady_ns = WALL_NS, STEADY_NS

    def run(self) -> None:
        """Play the world. Raises Violation."""
        self._arrivals = self._sent()
        try:
            while self._arrivals:
                self._take(heappop(self._arrivals))
                if self._random.random() < REMEMBERED:
                    self.house.remember()
                if self._random.random() < FALL:
                    self._fall()
            self._compare()
        except AssertionError as wrong:
            again = f"scripts/simulate --seed {self.seed} --steps {self.steps}"
            text = f"seed {self.seed}, input {self._step}: {wrong}. Again: {again}"
            raise Violation(text) from wrong
        finally:
            self.counts["refused"] += self.house.refused
            self.counts["responses"] += self.house.boards.responses.number
            self.counts["instructions"] += self.house.boards.outbox.number
            self.house.close()

    def _sent(self) -> list[Arrival]:
        """Return the messages by when they arrive, some never, some twice."""
        found: list[Arrival] = []
        for number, (message, stamp) in enumerate(Inputs(self.seed).draw(self.steps)):
            if number < 12 or isinstance(message, Configure):  # The world is opened first.
                found.append(Arrival(number, number, self._people.put_up(message), stamp.session))
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
        heapify(found)
        return found

    def _say(self, step: int, said: list[Said]) -> None:
        """Put on its way what somebody says because of what happened; some of it is lost."""
        for one in said:
            if self._random.random() >= LOST:
                self._number += 1
                message = as_decoded(one.message)
                arrival = Arrival(step + one.steps, self._number, message, one.session)
                heappush(self._arrivals, arrival)

    def _take(self, arrival: Arrival) -> None:
        random = self._random
        self._step = len(self._inputs) + 1
        self._steady_ns += random.choice((0, 1000, MS, 20 * MS, 100 * MS))
        if random.random() < CLOCK_STEP:
            self._wall_ns += random.choice((-HOUR_NS, HOUR_NS))
        session = 0
        if arrival.session and source_of(arrival.message) is Source.ORDERS:
            session = arrival.session if arrival.number > self.steps else self._people.session()
        wall_ns = self._wall_ns + self._steady_ns
        stamp = Stamp(self._step, wall_ns, self._steady_ns, session)
        self._inputs.append((arrival.message, stamp))
        answer = self.house.take(arrival.message, stamp)
        told = self._twin.apply(arrival.message, stamp)
        assert encode_msgpack(answer) == encode_msgpack(told), f"it says {answer}, its twin {told}"
        mine, twins = self.house.told(), told_by(self._twin)
        assert encode_msgpack(mine) == encode_msgpack(twins), f"it tells {mine}, its twin {twins}"
        accounts, boards = self.house.accounts, self.house.boards
        wrong = self.auditor.after(accounts, arrival.message, answer, self._step)
        assert wrong is None, wrong
        if not isinstance(answer, Error):
            self.taken[type(arrival.message).__name__] += 1
        self._say(arrival.step, self._people.after(arrival.message, answer, boards, stamp))

    def _fall(self) -> None:
        """Fall, and come back; what was not yet on the disk may be gone, and is for everybody."""
        self.counts["falls"] += 1
        last_seq = self.house.fall(self._random)
        if last_seq < len(self._inputs):
            self.counts["torn"] += 1
            del self._inputs[last_seq:]
            self.auditor.forget_after(last_seq)
            self._twin = Core()
            for message, stamp in self._inputs:
                self._twin.apply(message, stamp)
        self._compare()
        if self._arrivals:
            self._say(self._arrivals[0].step, self._people.after_fall(self.house.boards))

    def _compare(self) -> None:
        state = self.house.state()
        mine, twins = state_digest(state), state_digest(self._twin.state())
        assert mine == twins, f"the state is {mine}, its twin's is {twins}"
        payload = encode_state(state)
        assert encode_state(decode_state(payload)) == payload, "the state does not read back"


def simulate(seeds: range, steps: int = STEPS, *, verbose: bool = True) -> Tally:
    """Play a world for each seed; print and return what came of it."""
    begun_s = time.monotonic()
    counts, taken = Counter[str](), Counter[str]()
    for seed in seeds:
        world = World(seed, steps)
        try:
            world.run()
        except Violation as found:
            counts["violations"] += 1
            print(found)
        counts.update(world.auditor.counts)
        counts.update(world.counts)
        taken.update(world.taken)
    tally = Tally(
        seeds=len(seeds),
        inputs=taken.total(),
        approvals=counts["approvals"],
        repeats=counts["repeats"],
        falls=counts["falls"],
        torn=counts["torn"],
        refused=counts["refused"],
        responses=counts["responses"],
        instructions=counts["instructions"],
        violations=counts["violations"],
        taken=dict(taken.most_common()),
    )
    if verbose:
        for name, figure in [*list(tally._asdict().items())[:-1], *tally.taken.items()]:
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
