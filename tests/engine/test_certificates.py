"""Certificates of exits: how much of an order surely reduces, and who hears when it shrinks."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from riskd.messages import (
    Amend,
    Certificate,
    Fill,
    FillBust,
    FillCorrect,
    PositionMode,
    PositionReport,
    Side,
    VenuePosition,
    Verdict,
)
from tests.builders import StampedCore, a_core, a_fill, a_report, an_account, an_order, codes_of
from tests.engine.test_sessions import opened

SIDES = [("buy", "sell"), ("sell", "buy")]


def held(side: str, quantity: float) -> StampedCore:
    """A house whose A1 holds X by a fill on this side."""
    house = a_core()
    house.send(a_fill("e-0", side, quantity))
    return house


def told(house: StampedCore) -> list[tuple[str, float]]:
    """Return the certificates that were published, and forget them."""
    found = [
        (topical.message.client_order_id, topical.message.quantity)
        for topical in house.published
        if isinstance(topical.message, Certificate)
    ]
    house.published.clear()
    return found


@pytest.mark.parametrize(("opening", "closing"), SIDES)
@pytest.mark.parametrize(
    ("quantity", "certified"), [(4, 4.0), (5, 5.0), (6, 5.0)], ids=["under", "all", "over"]
)
def test_certificate_is_of_what_closes_and_of_no_more(
    opening: str, closing: str, quantity: float, certified: float
):
    house = held(opening, 5)
    assert house.send(an_order("o-1", closing, quantity)).certified_quantity == certified
    assert house.send(an_order("o-2", opening, quantity)).certified_quantity is None


def test_certificate_of_an_order_from_flat_is_none():
    house = a_core()
    assert house.send(an_order("o-1", "sell", 1)).certified_quantity is None
    assert house.send(an_order("o-2", "buy", 1)).certified_quantity is None


@pytest.mark.parametrize(("opening", "closing"), SIDES)
def test_e36_second_of_two_exits_is_trimmed_in_its_certificate_or_refused(
    opening: str, closing: str
):
    """E36: each alone would reduce, together they exceed the position."""
    house = held(opening, 5)
    assert house.send(an_order("o-1", closing, 3)).certified_quantity == 3.0
    only = house.send(an_order("o-2", closing, 3, reduce_only=True))
    assert codes_of(only) == ["REDUCE_ONLY"]
    assert "at most 2 would reduce" in only.rejects[0].text
    assert house.send(an_order("o-3", closing, 3)).certified_quantity == 2.0
    assert house.send(an_order("o-4", closing, 1)).certified_quantity is None


@pytest.mark.parametrize(("opening", "closing"), SIDES)
def test_e38_certificates_are_revoked_when_an_unsolicited_fill_turns_the_position(
    opening: str, closing: str
):
    """E38: the gateway whose session sent the exit is told, and whoever listens."""
    house = held(opening, 5)
    session = opened(house).session
    house.send(an_order("o-1", closing, 3), session=session)
    house.send(an_order("o-2", closing, 2))
    house.said.clear()
    house.send(a_fill("e-1", closing, 8))
    assert [(x.topic, x.message) for x in house.published if x.topic == "certificate.A1"] != []
    assert told(house) == [("o-1", 0.0), ("o-2", 0.0)]
    ((number, certificate),) = house.said
    assert number == session
    assert isinstance(certificate, Certificate)
    assert (certificate.client_order_id, certificate.quantity) == ("o-1", 0.0)
    assert certificate.seq == house.stamp.seq
    house.send(a_fill("e-2", opening, 8))
    assert told(house) == []  # What was revoked stays so.


def test_certificate_shrinks_with_the_position_the_youngest_exit_first():
    house = held("buy", 10)
    house.send(an_order("o-1", "sell", 4))
    house.send(an_order("o-2", "sell", 4))
    house.send(a_fill("e-1", "sell", 2))
    assert told(house) == []  # Eight are left, and eight are certified.
    house.send(a_fill("e-2", "sell", 1))
    assert told(house) == [("o-2", 3.0)]
    house.send(a_fill("e-3", "sell", 4))
    assert told(house) == [("o-1", 3.0), ("o-2", 0.0)]


def test_certificate_is_not_told_of_the_fills_of_its_own_order():
    house = held("buy", 5)
    house.send(an_order("o-1", "sell", 5))
    house.send(a_fill("e-1", "sell", 2, client_order_id="o-1"))
    assert told(house) == []
    assert house.account().certified == {"o-1": 3}
    house.send(a_fill("e-2", "sell", 3, client_order_id="o-1"))
    assert told(house) == []
    assert house.account().certified == {}


@pytest.mark.parametrize(
    "change", [FillBust(account="A1", exec_id="e-0"), None], ids=["bust", "correction"]
)
def test_certificate_shrinks_with_a_bust_and_a_correction_of_what_was_bought(change: Any):
    house = held("buy", 5)
    house.send(an_order("o-1", "sell", 5))
    house.send(change or FillCorrect(account="A1", exec_id="e-0", quantity=2.0))
    assert told(house) == [("o-1", 0.0 if change else 2.0)]


@pytest.mark.parametrize(("opening", "closing"), SIDES)
def test_certificate_shrinks_to_what_the_venue_says_is_held(opening: str, closing: str):
    """E83: the worse view counts; what the venue does not have, no order can close."""
    house = held(opening, 5)
    house.send(an_order("o-1", closing, 2))
    house.send(an_order("o-2", closing, 3))
    sign = 1.0 if opening == "buy" else -1.0
    positions = (VenuePosition(symbol="X", quantity=3.0 * sign),)
    as_of_ns = house.stamp.recv_ns + 1
    house.send(PositionReport(account="A1", positions=positions, as_of_ns=as_of_ns))
    assert told(house) == [("o-2", 1.0)]
    assert house.send(an_order("o-3", closing, 1)).certified_quantity is None


def test_certificate_of_an_exit_goes_with_it_and_frees_none_of_the_others():
    house = held("buy", 5)
    house.send(an_order("o-1", "sell", 4))
    house.send(an_order("o-2", "sell", 4))
    house.send(a_report("o-1", "canceled"))
    assert told(house) == []
    assert house.account().certified == {"o-2": 1}
    assert house.send(an_order("o-3", "sell", 1)).certified_quantity == 1.0


def test_certificate_of_a_younger_exit_shrinks_when_an_older_one_grows():
    house = held("buy", 5)
    house.send(an_order("o-1", "sell", 2))
    house.send(an_order("o-2", "sell", 3))
    verdict = house.send(Amend(account="A1", client_order_id="o-1", quantity=4.0))
    assert verdict.certified_quantity == 2.0
    assert told(house) == [("o-2", 1.0)]


def test_certificate_of_a_smaller_change_holds_for_what_may_still_work():
    house = held("buy", 5)
    house.send(an_order("o-1", "sell", 5))
    verdict = house.send(Amend(account="A1", client_order_id="o-1", quantity=3.0))
    assert verdict.certified_quantity == 3.0
    assert house.account().certified == {"o-1": 5}
    house.send(a_report("o-1", "replaced", leaves_quantity=3.0))
    assert house.account().certified == {"o-1": 3}
    assert told(house) == []


@pytest.mark.parametrize(("opening", "closing"), SIDES)
@pytest.mark.parametrize(("quantity", "closed"), [(4, 4.0), (5, 5.0), (6, 5.0), (900, 5.0)])
def test_close_position_closes_what_is_left_and_no_more(
    opening: str, closing: str, quantity: float, closed: float
):
    house = held(opening, 7)
    house.send(an_order("other", closing, 2))
    verdict = house.send(an_order("o-1", closing, quantity, close_position=True))
    assert verdict.approved
    assert verdict.certified_quantity == closed
    assert house.account().orders["o-1"].leaves_lots == closed
    house.send(a_fill("e-1", closing, closed, client_order_id="o-1"))
    assert "o-1" not in house.account().orders


@pytest.mark.parametrize(("opening", "closing"), SIDES)
def test_close_position_with_nothing_left_is_refused(opening: str, closing: str):
    house = held(opening, 2)
    house.send(an_order("other", closing, 2))
    for side in (opening, closing):
        verdict = house.send(an_order(f"o-{side}", side, 1, close_position=True))
        assert codes_of(verdict) == ["REDUCE_ONLY"]


def test_close_position_that_is_changed_closes_what_is_left_for_it():
    house = held("buy", 7)
    house.send(an_order("other", "sell", 2))
    house.send(an_order("o-1", "sell", 3, close_position=True))
    house.send(a_fill("e-1", "sell", 1, client_order_id="o-1"))
    verdict = house.send(Amend(account="A1", client_order_id="o-1", quantity=100.0))
    assert verdict.certified_quantity == 4.0
    assert house.account().orders["o-1"].leaves_lots == 4


QUANTITY = st.integers(1, 9)
SIDE = st.sampled_from(("buy", "sell"))
STEP = st.tuples(st.sampled_from(("order", "fill", "own", "end", "amend")), SIDE, QUANTITY)


@given(st.lists(STEP, max_size=12))
def test_certificates_never_add_up_to_more_than_is_held_and_are_always_told(steps):
    """What gateways were told, less what their own orders filled, is what is sure at any time."""
    house = a_core()
    known: dict[str, float] = {}
    for number, (step, side, quantity) in enumerate(steps):
        before = {key: order.filled_lots for key, order in house.account().orders.items()}
        name = f"o-{number}"
        oldest = next(iter(house.account().orders), "o-0")
        message: Any = an_order(name, side, quantity)
        if step == "fill":
            message = a_fill(f"e-{number}", side, quantity)
        elif step == "own" and before:
            kind = house.account().orders[oldest].check.side
            message = a_fill(f"e-{number}", kind, quantity, client_order_id=oldest)
        elif step == "end" and before:
            message = a_report(oldest, "canceled")
        elif step == "amend" and before:
            message = Amend(account="A1", client_order_id=oldest, quantity=float(quantity))
        answer = house.send(message)
        orders, position = house.account().orders, house.position()
        if isinstance(answer, Verdict) and answer.approved and not answer.duplicate:
            shown = oldest if isinstance(message, Amend) else name
            known[shown] = answer.certified_quantity or 0.0
        if isinstance(message, Fill) and message.client_order_id in known:
            known[oldest] = min(
                known[oldest], orders[oldest].leaves_lots if oldest in orders else 0
            )
        known |= dict(told(house))
        known = {key: sure for key, sure in known.items() if key in orders}
        total = sum(known.values())
        assert total <= abs(position.books.lots)
        closing = Side.SELL if position.books.lots > 0 else Side.BUY
        assert all(orders[key].check.side is closing for key, sure in known.items() if sure)
        certified = house.account().certified
        assert all(sure <= certified.get(key, 0) for key, sure in known.items())


def hedged(*fills: Fill) -> StampedCore:
    """A house whose A1 keeps legs, after these fills."""
    house = a_core(accounts=(an_account(position_mode=PositionMode.HEDGING),))
    house.send_all(*fills)
    return house


def test_certificate_of_a_hedging_account_is_of_the_legs_that_an_order_closes():
    """E36: the net position is flat, yet each side's exits share what is open on the other."""
    house = hedged(a_fill("e-1", "buy", 5), a_fill("e-2", "sell", 5))
    assert house.send(an_order("opens", "sell", 2)).certified_quantity is None
    close = {"close_position": True}
    assert house.send(an_order("o-1", "sell", 3, **close)).certified_quantity == 3.0
    assert house.send(an_order("o-2", "sell", 9, **close)).certified_quantity == 2.0
    assert house.send(an_order("o-3", "buy", 4, **close)).certified_quantity == 4.0
    assert codes_of(house.send(an_order("o-4", "sell", 1, **close))) == ["REDUCE_ONLY"]


def test_e38_certificate_of_a_hedging_account_shrinks_with_its_own_legs_alone():
    """E38: a fill that closes the long legs revokes what would close them, and nothing else."""
    house = hedged(
        a_fill("e-1", "buy", 5, position_id="p-1"),
        a_fill("e-2", "buy", 5, position_id="p-2"),
        a_fill("e-3", "sell", 5),
    )
    for name, position_id in (("o-1", "p-1"), ("o-2", "p-2")):
        exit_order = an_order(name, "sell", 5, position_id=position_id, reduce_only=True)
        assert house.send(exit_order).certified_quantity == 5.0
    house.send(an_order("o-3", "buy", 5, reduce_only=True))
    house.send(a_fill("e-4", "sell", 3, position_id="p-2"))
    assert told(house) == [("o-2", 2.0)]
    house.send(a_fill("e-5", "sell", 5, position_id="p-1"))
    assert told(house) == [("o-1", 2.0), ("o-2", 0.0)]  # The older takes what is left of the side.
