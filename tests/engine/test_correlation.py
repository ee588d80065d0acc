"""Return correlations from sampled marks: against their definition written out term by term."""

from __future__ import annotations

from itertools import pairwise
from math import isnan, sqrt
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.core import Core
from engine.correlation import SYMBOLS_MAX, Correlations, Mark
from engine.digest import decode_state, encode_state
from riskd.messages import Configure, CorrelationSettings, InstrumentSpec, RiskSettings, Tick
from tests.builders import MS, SECOND, StampedCore, a_core, a_universe

FAST = CorrelationSettings(sample_ms=1000, half_life_samples=3.0, threshold=0.7, samples_min=2)
SYMBOLS = ("A", "B", "C", "S")
Sample = dict[str, tuple[int, bool]]  # Of the symbols that have a mark: it, and whether it is news.

samples = st.lists(
    st.dictionaries(st.sampled_from(SYMBOLS), st.tuples(st.integers(90, 110), st.booleans())),
    max_size=12,
)


def measured(taken: list[Sample], told: CorrelationSettings = FAST) -> Correlations:
    """Return what the engine makes of samples; a symbol that has a mark keeps one."""
    correlations = Correlations(told)
    for number, marks in enumerate(taken):
        seen = [Mark(key, mark, version, key == "S") for key, (mark, version) in marks.items()]
        correlations.sample(seen, number * told.sample_ms * MS)
    return correlations


def standing(drawn: list[dict[str, tuple[int, bool]]]) -> list[Any]:
    """Return samples in which what is absent stands, with the version that each mark has."""
    marks: dict[str, tuple[int, int]] = {}
    found = []
    for sample in drawn:
        for key, (mark, is_news) in sample.items():
            before = marks.get(key)
            if before is None or is_news:
                marks[key] = (mark, 0 if before is None else before[1] + 1)
        found.append(dict(sorted(marks.items())))
    return found


def by_definition(taken: list[Any], one: str, other: str) -> float | None:
    """Return a pair's correlation: every term of the sums with its weight."""
    terms = []
    for before, now in pairwise(taken):
        if one in before and other in before:
            has_news = [now[key][1] != before[key][1] for key in (one, other)]
            if all(has_news):
                returns = [
                    (now[key][0] - before[key][0]) / (1 if key == "S" else before[key][0])
                    for key in (one, other)
                ]
                terms.append(returns)
    weights = [0.5 ** (age / 3.0) for age in reversed(range(len(terms)))]
    products, firsts, seconds = (
        sum(weight * x * y for weight, (x, y) in zip(weights, pairs, strict=True))
        for pairs in (terms, [(x, x) for x, _ in terms], [(y, y) for _, y in terms])
    )
    if len(terms) < FAST.samples_min or not firsts or not seconds:
        return None
    return float(products / sqrt(firsts * seconds))


@settings(max_examples=100, deadline=None)
@given(samples)
def test_correlation_of_every_pair_is_its_definition(drawn):
    taken = standing(drawn)
    correlations = measured(taken)
    matrix = correlations.matrix()
    for row, one in enumerate(correlations.symbols()):
        for column, other in enumerate(correlations.symbols()):
            expected = by_definition(taken, one, other)
            found = correlations.between(one, other)
            assert found == (None if expected is None else pytest.approx(expected, abs=1e-9))
            assert isnan(matrix[row, column]) is (expected is None)
            related = found is not None and found >= FAST.threshold and one != other
            assert (other in correlations.peers(one)) is related


def walk(*moves: tuple[int, ...]) -> list[Any]:
    """Return samples of A, B and C that begin at 10,000 and move by so much."""
    marks, found = [10_000] * len(moves[0]), []
    for version, move in enumerate(((0,) * len(moves[0]), *moves)):
        marks = [mark + step for mark, step in zip(marks, move, strict=True)]
        found.append({key: (mark, version) for key, mark in zip("ABC", marks, strict=False)})
    return found


def test_correlation_of_same_moves_is_one_and_of_opposite_ones_minus_one():
    correlations = measured(walk((100, 100, -100), (-100, -100, 100), (100, 100, -100)))
    assert correlations.between("A", "B") == pytest.approx(1.0)
    assert correlations.between("A", "C") == pytest.approx(-1.0, abs=1e-3)
    assert correlations.peers("A") == ("B",)
    assert correlations.peers("C") == ()


def test_correlation_is_not_known_before_enough_samples_nor_of_what_never_moves():
    assert measured(walk((1, 1))).between("A", "B") is None
    assert measured(walk((1, 1), (1, 1))).between("A", "B") == pytest.approx(1.0)
    assert measured(walk((1, 0), (1, 0))).between("A", "B") is None
    assert measured([]).between("A", "B") is None


def test_symbols_are_peers_from_the_threshold_on():
    told = CorrelationSettings(sample_ms=1000, threshold=1.0, samples_min=2)
    moves = walk((100, 100, 50), (-70, -70, -70), (30, 30, 20))
    assert measured(moves, told).between("A", "B") == 1.0
    assert measured(moves, told).peers("A") == ("B",)


def test_clusters_link_by_way_of_others_and_keep_the_order_asked_for():
    """A moves with B, B with C, A and C too little to be peers: one chain, one cluster."""
    chain = walk((10, 10, 0), (0, 10, 10), (10, 10, 0), (0, 10, 10), (-10, -10, -10))
    correlations = measured(chain)
    assert correlations.peers("B") == ("A", "C")
    assert correlations.peers("A") == ("B",)
    assert correlations.clusters(("C", "Z", "A", "B")) == [("C", "A", "B"), ("Z",)]
    assert correlations.clusters(("A", "C")) == [("A",), ("C",)]  # Nothing links them.


def test_symbols_beyond_the_bound_are_not_sampled():
    correlations = Correlations(FAST)
    marks = [Mark(f"S-{number}", 100, 0, False) for number in range(SYMBOLS_MAX + 1)]
    correlations.sample(marks, 0)
    assert correlations.symbols() == tuple(mark.symbol for mark in marks[:SYMBOLS_MAX])


PAIR = (InstrumentSpec(symbol="X", currency="USD"), InstrumentSpec(symbol="Y", currency="USD"))


def a_sampled_house() -> StampedCore:
    return a_core(instruments=PAIR, quotes={}, settings=RiskSettings(correlation=FAST))


def move(house: StampedCore, price: float, after_ns: int = SECOND) -> None:
    house.send(Tick(symbol="X", bid=price, ask=price + 1), after_ns)
    house.send(Tick(symbol="Y", bid=price / 2, ask=price / 2 + 1), 0)


def test_samples_are_of_the_marks_that_stood_at_their_instant():
    """The tick that comes after the instant is no part of it; between instants none is taken."""
    house = a_sampled_house()
    for price in (100.0, 110.0, 90.0, 100.0, 105.0):
        move(house, price)
    found = house.core.boards.quotes.correlations
    assert found.symbols() == ("X", "Y")
    assert found.state.milliticks == [10_050_000, 5_050_000]  # The middles before the last move.
    versions = list(found.state.versions)
    move(house, 200.0, 1)
    assert found.state.versions == versions
    assert found.peers("X") == ("Y",)


def test_closed_market_makes_nobody_forget():
    house = a_sampled_house()
    for price in (100.0, 110.0, 90.0, 100.0):
        move(house, price)
    found = house.core.boards.quotes.correlations
    house.send(Tick(symbol="X", bid=100.0, ask=101.0), SECOND)  # Samples the last move of both.
    before = found.between("X", "Y")
    for _ in range(100):  # Only another market is awake.
        house.send(Tick(symbol="X", bid=100.0, ask=101.0), 3600 * SECOND)
    assert found.between("X", "Y") == before


def test_restored_engine_goes_on_with_the_same_samples_to_the_last_bit():
    whole, half = a_sampled_house(), a_sampled_house()
    prices = [100.0 + (number * 37) % 11 for number in range(20)]
    for price in prices:
        move(whole, price)
    for price in prices[:9]:
        move(half, price)
    restored = Core()
    restored.restore(decode_state(encode_state(half.core.state())))
    half.core = restored
    for price in prices[9:]:
        move(half, price)
    assert encode_state(half.core.state()) == encode_state(whole.core.state())
    pair = [house.core.boards.quotes.correlations.peers("X") for house in (half, whole)]
    assert pair == [("Y",), ("Y",)]


def test_another_interval_begins_anew_and_other_settings_go_on():
    house = a_sampled_house()
    for price in (100.0, 110.0, 90.0, 100.0):
        move(house, price)
    found = house.core.boards.quotes.correlations

    def configure(**changed: Any) -> None:
        told = CorrelationSettings(**({"sample_ms": 1000, "samples_min": 2} | changed))
        settings = RiskSettings(correlation=told)
        house.send(Configure(universe=a_universe(instruments=PAIR, settings=settings)))

    configure(samples_min=100)
    assert found.peers("X") == ()
    configure()
    assert found.peers("X") == ("Y",)
    configure(sample_ms=2000)
    assert found.symbols() == ()
