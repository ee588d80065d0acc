"""E7: the state is a fold over the inputs, and a snapshot anywhere in it changes nothing."""

from __future__ import annotations

from collections import Counter

import pytest
from msgspec.structs import replace

from engine.core import Core
from engine.digest import books_digest, decode_state, encode_state, state_digest
from engine.facts import Stamp
from riskd.codec import encode_msgpack
from riskd.messages import BasketVerdict, Elapse, InstrumentAdd, Verdict
from tests.builders import SECOND, STOCK, StampedCore, a_core, a_fill, a_report, an_order
from tests.engine.random_inputs import Inputs

COUNT = 1200
CUTS = (1, 200, 600, 1000, COUNT - 1)


def run(core: Core, inputs) -> list[bytes]:
    """Apply inputs; return the bytes of each answer and of all that was published with it."""
    told = []
    for message, stamp in inputs:
        answer = core.apply(message, stamp)
        told.append(encode_msgpack([answer, [tuple(topical) for topical in core.published]]))
    return told


@pytest.mark.parametrize("seed", range(6))
def test_e07_replay_from_any_snapshot_gives_equal_bytes_and_equal_state(seed):
    inputs = Inputs(seed).draw(COUNT)
    whole = Core()
    told = run(whole, inputs)
    assert run(Core(), inputs) == told
    for cut in CUTS:
        before = Core()
        run(before, inputs[:cut])
        payload = encode_state(before.state())
        state = decode_state(payload)
        assert encode_state(state) == payload
        restored = Core()
        restored.restore(state)
        assert state_digest(restored.state()) == state_digest(before.state())
        assert run(restored, inputs[cut:]) == told[cut:]
        assert state_digest(restored.state()) == state_digest(whole.state())
        assert books_digest(restored.state()) == books_digest(whole.state())
        assert restored.due_ns() is None or whole.due_ns() is not None


def test_e07_snapshot_shares_nothing_with_the_engine_it_came_from():
    inputs = Inputs(1).draw(400)
    core = Core()
    run(core, inputs[:300])
    payload = encode_state(core.state())
    restored = Core()
    restored.restore(decode_state(payload))
    run(restored, inputs[300:])
    assert encode_state(core.state()) == payload


def test_e07_explained_verdict_of_an_account_without_limits_is_the_same_bytes_after_a_restart():
    house, restored = a_core(), StampedCore()
    first = house.send(an_order("o-1", explain=True))
    restored.core.restore(decode_state(encode_state(house.core.state())))
    restored.stamp = house.stamp
    again = [encode_msgpack(one.send(an_order("o-1", explain=True))) for one in (house, restored)]
    assert again[0] == again[1] == encode_msgpack(replace(first, duplicate=True))


def test_random_inputs_reach_what_they_should():
    """Approvals, most codes, and faults of none: otherwise the comparisons above say little."""
    seen: Counter[str] = Counter()
    for seed in range(6):
        core = Core()
        for message, stamp in Inputs(seed).draw(COUNT):
            answer = core.apply(message, stamp)
            verdicts = answer.verdicts if isinstance(answer, BasketVerdict) else (answer,)
            for verdict in verdicts:
                if isinstance(verdict, Verdict):
                    seen.update([reject.code for reject in verdict.rejects] or ["approved"])
    assert seen["approved"] > 300
    assert seen["INTERNAL_FAULT"] == 0
    assert len(seen) > 18


def test_e07_wake_up_that_only_one_of_two_engines_gets_changes_nothing():
    """The timer of an order that was answered since is not in a snapshot, and books no fill."""
    house = a_core()
    house.send_all(an_order("o-1"), a_report("o-1", "accepted"))
    house.send(a_fill("e-1", symbol="NEW"))
    house.send(InstrumentAdd(instrument=replace(STOCK, symbol="NEW")))
    restored = StampedCore(Core())
    restored.core.restore(decode_state(encode_state(house.core.state())))
    seq, recv_ns, steady_ns, _ = house.stamp
    later = Stamp(seq + 1, recv_ns + 60 * SECOND, steady_ns + 60 * SECOND)
    for one in (house, restored):
        one.send_at(Elapse(), later)
    assert restored.digest() == house.digest()
