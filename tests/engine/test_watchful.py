"""Alerts of what nobody measures by limits: feeds that are silent, orders that are refused."""

from __future__ import annotations

import pytest

from engine.digest import decode_state, encode_state
from riskd.messages import (
    AlertSettings,
    Configure,
    Elapse,
    LimitsSpec,
    MarketPhase,
    MarketState,
    RiskSettings,
    Tick,
    Ticks,
)
from tests.builders import (
    MS,
    SECOND,
    StampedCore,
    a_core,
    a_fill,
    a_universe,
    an_order,
)

STALE_NS = 5 * SECOND
LISTENING = RiskSettings(alerts=AlertSettings(feed_silence=True))


def silences(core: StampedCore) -> list[tuple[str | None, str]]:
    return [(alert.symbol, alert.status) for alert in core.alerts("feed_silent")]


def ticked(core: StampedCore, symbol: str = "X", after_ns: int = 1000) -> None:
    core.send(Tick(symbol=symbol, bid=100.0, ask=100.0), after_ns)


def test_silent_feed_of_what_is_held_is_said_once_and_resolved_when_it_speaks():
    core = a_core(settings=LISTENING)
    core.send(a_fill(quantity=1))
    ticked(core)
    core.elapse(STALE_NS)
    assert silences(core) == []
    core.send(Elapse(), after_ns=1)
    assert silences(core) == [("X", "raised")]
    core.elapse(100 * STALE_NS)
    assert silences(core) == [("X", "raised")]
    ticked(core)
    assert silences(core) == [("X", "raised"), ("X", "resolved")]
    core.elapse(2 * STALE_NS)
    assert [status for _, status in silences(core)] == ["raised", "resolved", "raised"]


def test_feed_that_speaks_in_batches_or_of_nothing_held_is_not_silent():
    core = a_core(settings=LISTENING)
    core.send(a_fill(quantity=1))
    for _ in range(20):
        core.elapse(STALE_NS // 2)
        core.send(Ticks(ticks=[Tick(symbol="X", last=100.0)]))
    assert silences(core) == []


def test_feed_of_a_closed_market_is_not_silent_until_it_opens():
    core = a_core(settings=LISTENING)
    core.send(a_fill(quantity=1))
    core.send(MarketState(symbol="X", state=MarketPhase.CLOSED))
    core.elapse(10 * STALE_NS)
    assert silences(core) == []
    core.send(MarketState(symbol="X", state=MarketPhase.OPEN))
    core.elapse(SECOND)
    assert silences(core) == [("X", "raised")]


def test_silence_is_not_said_unless_asked_for_and_forgotten_when_no_more():
    core = a_core()
    core.send(a_fill(quantity=1))
    core.elapse(10 * STALE_NS)
    assert silences(core) == []
    listening = a_core(settings=LISTENING)
    listening.send(a_fill(quantity=1))
    listening.elapse(2 * STALE_NS)
    listening.send(Configure(universe=a_universe()))
    listening.elapse(SECOND)
    assert silences(listening) == [("X", "raised"), ("X", "resolved")]


def test_restored_engine_knows_which_feeds_are_silent():
    core = a_core(settings=LISTENING)
    core.send(a_fill(quantity=1))
    core.elapse(2 * STALE_NS)
    restored = StampedCore()
    restored.core.restore(decode_state(encode_state(core.core.state())))
    restored.stamp = core.stamp
    told = len(core.inputs)
    core.elapse(2 * STALE_NS)
    ticked(core)
    for message, stamp in core.inputs[told:]:
        restored.send_at(message, stamp)
    assert silences(restored) == [("X", "resolved")]
    assert restored.digest() == core.digest()


@pytest.mark.parametrize(("refused", "alerts"), [(10, 0), (11, 1)])
def test_reject_ratio_is_said_past_its_share_and_not_at_it(refused, alerts):
    """Half of 20 orders is at the limit; 11 of 20 is over."""
    watching = AlertSettings(reject_ratio_pct=50.0, reject_orders_min=20)
    core = a_core(LimitsSpec(order_quantity=1), settings=RiskSettings(alerts=watching))
    for number in range(20 - refused):
        core.send(an_order(f"good-{number}"))
    for number in range(refused):
        core.send(an_order(f"bad-{number}", quantity=2))
    found = core.alerts("reject_ratio")
    assert len(found) == alerts
    if found:
        assert (found[0].account, found[0].value, found[0].threshold) == ("A1", 55.0, 50.0)


def test_reject_ratio_counts_neither_repeats_nor_dry_runs_nor_another_window():
    watching = AlertSettings(reject_ratio_pct=50.0, reject_orders_min=3, reject_window_ms=1000)
    core = a_core(LimitsSpec(order_quantity=1), settings=RiskSettings(alerts=watching))
    for _ in range(5):
        core.send(an_order("same", quantity=2))
        core.send(an_order("dry", quantity=2, dry_run=True))
    core.send(an_order("second", quantity=2))
    assert core.alerts("reject_ratio") == []
    core.send(an_order("third", quantity=2), after_ns=SECOND)
    core.send(an_order("fourth", quantity=2))
    assert core.alerts("reject_ratio") == []
    core.send(an_order("fifth", quantity=2))
    assert [alert.value for alert in core.alerts("reject_ratio")] == [100.0]


def test_rate_that_grew_old_is_resolved_by_the_next_price_of_its_pair():
    core = a_core()
    core.send(Tick(symbol="EURUSD", bid=1.25, ask=1.25))
    core.elapse(2 * core.core.boards.settings.fx_stale_after_ms * MS)
    core.send(Tick(symbol="EURUSD", bid=1.26, ask=1.26))
    told = [x.status for x in core.alerts("rate_old") if x.symbol == "EURUSD"]
    assert told == ["raised", "resolved"]


def test_engine_asks_to_be_woken_when_a_feed_may_have_fallen_silent():
    core = a_core(settings=LISTENING)
    core.send(a_fill(quantity=1))
    ticked(core)
    core.elapse(STALE_NS + SECOND + MS)  # Nobody looks by hand; a look a second at most.
    assert silences(core) == [("X", "raised")]
