"""One price that carries everybody over a line: bounded passes, nothing missed, replay exact."""

from __future__ import annotations

import math

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.alerts import ESCALATED_MAX
from engine.backlog import CROSSING_LOOKS, LOOKS_MAX, TICKS_MAX
from engine.bursts import BURST_NS, PUBLISHED_MAX
from engine.digest import decode_state, encode_state, state_digest
from riskd.messages import (
    AlertSettings,
    Configure,
    Elapse,
    LimitSet,
    LimitsSpec,
    ResponseAction,
    ResponseEvent,
    ResponsePolicy,
    RiskSettings,
    Severity,
    Tick,
    Ticks,
)
from tests.builders import MS, StampedCore, a_fill, a_universe, an_account, an_order, codes_of
from tests.engine.live import Live

DWELL_MS = 1000
CROSSINGS_MAX = LOOKS_MAX // CROSSING_LOOKS  # Of one input.
COUNT = 5 * CROSSINGS_MAX
LIMITS = LimitSet(default=LimitsSpec(daily_loss=100.0))
HALTS = ResponsePolicy(
    id="halt",
    event=ResponseEvent.DAILY_LOSS,
    severity=Severity.CRITICAL,
    action=ResponseAction.MONITOR,
    breaker="halt",
)


def names(count: int) -> list[str]:
    return [f"A{number:05}" for number in range(count)]


def a_crowd(count: int = COUNT, *, responses: tuple[ResponsePolicy, ...] = ()) -> StampedCore:
    """Return a house in which each of so many accounts is long ten X at 100; 100 is too much."""
    house = StampedCore()
    universe = a_universe(
        LIMITS,
        accounts=tuple(an_account(name, balance=2000.0) for name in names(count)),
        settings=RiskSettings(dwell_ms=DWELL_MS, stale_after_ms=60_000),
    )
    house.send(Configure(universe=replace(universe, responses=responses)))
    house.send(a_tick(100.0))
    for name in names(count):
        house.send(a_fill("e", "buy", 10, account=name))
    house.elapse(2 * BURST_NS)  # Each fill was of an unknown order, and told.
    house.published.clear()
    return house


def a_tick(price: float) -> Tick:
    return Tick(symbol="X", bid=price, ask=price)


def alerted(house: StampedCore, status: str = "raised") -> list[str | None]:
    return [alert.account for alert in house.alerts("daily_loss") if alert.status == status]


def test_price_that_carries_everybody_over_a_line_is_worked_off_in_bounded_passes():
    house = a_crowd()
    house.send(a_tick(89.0))
    assert alerted(house) == names(CROSSINGS_MAX)
    assert house.core.due_ns() == 0  # Time is to be let in at once.
    before = 0
    while house.core.boards.backlog.is_behind():
        before = len(house.published)
        house.send(Elapse())
        assert len(house.published) - before <= CROSSINGS_MAX
    assert alerted(house) == names(COUNT)
    assert house.catch_up() == 0


def test_account_that_waits_is_looked_at_before_its_order_is_judged():
    """The breaker that its loss trips is open for the very next order, whoever is before it."""
    house = a_crowd(responses=(HALTS,))
    last = names(COUNT)[-1]
    house.send(a_tick(89.0))
    assert last not in alerted(house)
    dry = house.send(an_order("dry", account=last, price=89.0, dry_run=True))
    assert last not in alerted(house)  # What changes nothing does not move it on.
    assert codes_of(dry) == ["DAILY_LOSS"]
    refused = house.send(an_order("o-1", account=last, price=89.0))
    assert codes_of(refused) == ["BREAKER_OPEN"]
    assert alerted(house)[-1] == last
    house.catch_up()
    assert len(alerted(house)) == COUNT


def test_no_price_is_taken_in_before_everybody_was_looked_at_under_the_one_before():
    """Two ticks of a batch: over the line and back. Each account is told of it all the same."""
    house = a_crowd()
    house.send(Ticks(ticks=[a_tick(89.0), a_tick(100.0)]))
    quote = house.core.boards.quotes.quotes["X"]
    assert quote.mark_long == 8_900_000  # Thousandths of a cent.
    house.send(a_tick(99.0))  # It waits too, behind the one that waits.
    assert [tick.bid for tick in house.core.boards.backlog.ticks if isinstance(tick, Tick)] == [
        100.0,
        99.0,
    ]
    house.catch_up()
    assert alerted(house) == names(COUNT)
    assert quote.mark_long == 9_900_000
    assert house.core.tick_counts["applied"] == 4


def test_tick_of_no_number_is_refused_at_once_and_does_not_wait_to_be_another_after_a_start():
    """No number has bytes in a state: after a start such a bid would be none, and its ask taken."""
    house = a_crowd()
    house.send(a_tick(89.0))
    house.send(Tick(symbol="X", bid=math.nan, ask=95.0))
    assert house.core.tick_counts["value_invalid"] == 1
    house.send(Ticks(ticks=[a_tick(90.0), Tick(symbol="X", last=math.inf), a_tick(91.0)]))
    waiting = [tick.bid for tick in house.core.boards.backlog.ticks if isinstance(tick, Tick)]
    assert waiting == [90.0, 91.0]
    assert house.core.tick_counts["value_invalid"] == 2
    state = house.core.state()
    assert encode_state(decode_state(encode_state(state))) == encode_state(state)
    house.catch_up()
    quote = house.core.boards.quotes.quotes["X"]
    assert (quote.bid, quote.ask) == (9_100_000, 9_100_000)


def test_accounts_that_recover_together_are_told_in_bounded_passes():
    house = a_crowd()
    house.send(a_tick(89.0))
    house.catch_up()
    house.send(a_tick(100.0))
    house.catch_up()
    house.published.clear()
    house.send(Elapse(), DWELL_MS * MS)
    assert 0 < len(alerted(house, "resolved")) <= CROSSINGS_MAX
    house.catch_up()
    assert alerted(house, "resolved") == names(COUNT)


def test_ticks_that_wait_are_bounded_beyond_that_everybody_is_looked_at():
    house = a_crowd()
    house.send(a_tick(89.0))
    house.send(Ticks(ticks=[a_tick(89.0)] * TICKS_MAX))
    assert house.core.boards.backlog.is_behind()
    house.send(a_tick(89.0))
    assert not house.core.boards.backlog.is_behind()
    assert alerted(house) == names(COUNT)


@settings(deadline=None, max_examples=15)
@given(
    cut=st.integers(0, 12),
    prices=st.lists(st.sampled_from((85.0, 89.0, 91.0, 95.0, 100.0)), min_size=1, max_size=4),
)
def test_engine_restored_in_the_middle_goes_on_pass_by_pass_as_the_one_that_was_not(cut, prices):
    """And the actors do as the engine. The state after each input is the same, to the last bit."""
    house = a_crowd(3 * CROSSINGS_MAX)
    begun = len(house.inputs)
    house.send(Ticks(ticks=[a_tick(price) for price in prices]))
    house.catch_up()
    house.send(an_order("o", account="A00040", price=prices[-1]))
    house.elapse(2 * DWELL_MS * MS)
    at = min(begun + cut, len(house.inputs) - 1)
    first, resumed = StampedCore(), StampedCore()
    for message, stamp in house.inputs[:at]:
        first.send_at(message, stamp)
    resumed.core.restore(decode_state(encode_state(first.core.state())))
    for message, stamp in house.inputs[at:]:
        first.send_at(message, stamp)
        resumed.send_at(message, stamp)
        assert resumed.digest() == first.digest()
    assert first.digest() == house.digest()


def test_actors_work_a_crowd_off_as_the_engine_does():
    house = a_crowd(3 * CROSSINGS_MAX, responses=(HALTS,))
    house.send(Ticks(ticks=[a_tick(89.0), a_tick(100.0)]))
    house.send(an_order("o", account="A00040", price=89.0))
    house.catch_up()
    house.elapse(2 * DWELL_MS * MS)
    with Live() as live:
        for message, stamp in house.inputs:
            live.send(message, stamp)
        assert state_digest(live.system.state()) == house.digest()


def test_burst_of_alerts_is_published_up_to_a_bound_and_the_rest_told_by_one():
    """Each is kept and goes to the audit; a second later one alert says how many there were."""
    house = a_crowd(PUBLISHED_MAX + 3)
    house.send(a_tick(89.0))
    house.catch_up()
    raised = house.alerts("daily_loss")
    assert [alert.account for alert in raised] == names(PUBLISHED_MAX + 3)
    assert [alert.withheld for alert in raised] == [False] * PUBLISHED_MAX + [True] * 3
    assert house.alerts("alert_digest") == []
    house.elapse(BURST_NS)
    (digest,) = house.alerts("alert_digest")
    assert (digest.severity, digest.value) == (Severity.CRITICAL, PUBLISHED_MAX + 3)
    assert f"{raised[PUBLISHED_MAX].alert_id} to {raised[-1].alert_id}" in digest.message
    kept = [x.alert.account for x in house.core.alerts.entries.values()]
    assert kept[-1 - len(raised) :] == [*names(PUBLISHED_MAX + 3), None]
    house.elapse(10 * BURST_NS)
    assert len(house.alerts("alert_digest")) == 1
    assert house.core.alerts.bursts == {}


def test_alerts_that_nobody_saw_are_escalated_so_many_at_once():
    house = a_crowd(ESCALATED_MAX + 1)
    house.send(a_tick(89.0))
    house.catch_up()
    late_ns = AlertSettings().escalate_critical_ms * MS
    house.send(Elapse(), late_ns)
    assert alerted(house, "escalated") == []  # Those of unknown orders are older.
    house.send(Elapse())
    assert len(alerted(house, "escalated")) == ESCALATED_MAX - 1
    house.send(Elapse())
    assert alerted(house, "escalated") == names(ESCALATED_MAX + 1)
