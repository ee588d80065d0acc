"""Answers are folded into their chain together, when nobody waits, and never differently."""

from __future__ import annotations

from engine.chain import SOON, WAITING_MAX, AnswerChain
from riskd.messages import Ack
from tests.builders import a_core, an_order


def verdicts(count):
    house = a_core()
    return [house.send(an_order(f"o-{number}")) for number in range(count)]


def test_chain_asks_once_to_be_folded_and_forgets_none_if_nobody_does():
    answers, chain = verdicts(WAITING_MAX * 2 + 3), AnswerChain()
    asked = [number for number, answer in enumerate(answers, 1) if chain.add(answer)]
    assert asked == [SOON, WAITING_MAX + 1 + SOON]  # The one after a full row ends it.
    one_by_one = AnswerChain()
    for answer in answers:
        one_by_one.add(answer)
        one_by_one.fold()
    assert chain.value() == one_by_one.value()


def test_answer_of_another_kind_follows_what_waits():
    first, second = verdicts(2)
    ack = Ack(ref="r-1", seq=2, duplicate=False, flags=())
    chain, swapped = AnswerChain(), AnswerChain()
    for answer in (first, ack, second):
        assert not chain.add(answer)
    for answer in (first, second, ack):
        swapped.add(answer)
    assert chain.value() != swapped.value()
