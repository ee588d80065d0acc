"""Groups: totals over all accounts below hold under any interleaving, and climb to the firm."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.core import Core
from engine.digest import decode_state, encode_state
from riskd.messages import (
    AccountSpec,
    AccountUpdate,
    Configure,
    GroupSpec,
    LimitSet,
    LimitsSpec,
    LimitValue,
    MarginModel,
    SessionRoll,
    Tick,
    Universe,
)
from tests.builders import (
    EURUSD,
    QUOTES,
    STOCK,
    StampedCore,
    a_fill,
    a_report,
    an_order,
)

ACCOUNTS = ("A1", "A2", "B1")


def a_house(firm: LimitsSpec | None = None, **groups: LimitsSpec) -> StampedCore:
    """Return A1 and A2 in `inner`, which is in `outer`, and B1 beside them; prices are 100."""
    accounts = tuple(
        AccountSpec(
            id=name,
            group="inner" if name[0] == "A" else "other",
            balance=1e6,
            margin_model=MarginModel.LEVERAGE,
            leverage=1e9,
        )
        for name in ACCOUNTS
    )
    universe = Universe(
        instruments=(STOCK, EURUSD),
        groups=(
            GroupSpec(id="outer"),
            GroupSpec(id="inner", parent="outer"),
            GroupSpec(id="other"),
        ),
        accounts=accounts,
        limits=LimitSet(firm=firm or LimitsSpec(), group=groups),
    )
    house = StampedCore()
    house.send(Configure(universe=universe))
    for symbol in ("X", "EURUSD"):
        bid, ask = QUOTES[symbol]
        house.send(Tick(symbol=symbol, bid=bid, ask=ask))
    return house


def codes(verdict) -> list[str]:
    return [reject.code for reject in verdict.rejects]


def test_group_gross_exposure_just_under_at_and_over_its_limit():
    house = a_house(inner=LimitsSpec(gross_exposure=1000.0))
    assert house.send(an_order("o-1", quantity=6, account="A1")).approved
    assert codes(house.send(an_order("o-2", quantity=5, account="A2"))) == ["GROUP_LIMIT"]
    assert house.send(an_order("o-3", quantity=4, account="A2")).approved  # Exactly 1,000.
    over = house.send(an_order("o-4", quantity=1, account="A1"))
    reject = over.rejects[0]
    assert (reject.scope, reject.scope_id, reject.limit_type) == (
        "group",
        "inner",
        "gross_exposure",
    )
    assert (reject.value, reject.limit, over.max_quantity) == (1100.0, 1000.0, 0.0)
    assert house.send(an_order("o-5", quantity=50, account="B1")).approved  # Another group.


def test_group_limit_of_a_parent_and_of_the_firm_bind_the_grandchildren():
    house = a_house(LimitsSpec(position_quantity=9.0), outer=LimitsSpec(position_quantity=7.0))
    assert house.send(an_order("o-1", quantity=7, account="A1")).approved
    inner = house.send(an_order("o-2", quantity=1, account="A2"))
    assert [(r.scope, r.scope_id) for r in inner.rejects] == [("group", "outer")]
    assert house.send(an_order("o-3", quantity=2, account="B1")).approved
    firm = house.send(an_order("o-4", quantity=1, account="B1"))
    assert [(r.scope, r.scope_id) for r in firm.rejects] == [("firm", "firm")]


def test_group_total_is_released_when_an_order_ends_and_stays_when_it_fills():
    house = a_house(inner=LimitsSpec(gross_exposure=1000.0, open_orders=2))
    house.send(an_order("o-1", quantity=6, account="A1"))
    house.send(an_order("o-2", quantity=4, account="A2"))
    house.send(a_report("o-1", "canceled", account="A1"))
    assert house.send(an_order("o-3", quantity=6, account="A2")).approved
    house.send(a_fill("e-1", quantity=6, client_order_id="o-3", account="A2"))
    assert codes(house.send(an_order("o-4", quantity=1, account="A1"))) == ["GROUP_LIMIT"]
    assert house.send(an_order("o-5", "sell", 6, account="A2")).approved  # It reduces.


def test_group_net_exposure_nets_over_accounts_but_never_over_working_orders():
    house = a_house(inner=LimitsSpec(net_exposure=500.0))
    house.send(a_fill("e-1", "sell", 8, account="A2"))
    assert house.send(an_order("o-1", quantity=13, account="A1")).approved  # -8 + 13 = 5.
    assert codes(house.send(an_order("o-2", quantity=1, account="A2"))) == []  # It reduces.
    assert codes(house.send(an_order("o-3", quantity=1, account="A1"))) == ["GROUP_LIMIT"]


def test_group_turnover_counts_fills_and_working_orders_until_the_day_rolls():
    house = a_house(inner=LimitsSpec(turnover=1000.0))
    house.send(an_order("o-1", quantity=6, account="A1"))
    house.send(a_fill("e-1", quantity=6, client_order_id="o-1", account="A1"))
    assert codes(house.send(an_order("o-2", quantity=5, account="A2"))) == ["GROUP_LIMIT"]
    house.send(SessionRoll())
    assert house.send(an_order("o-3", quantity=5, account="A2")).approved


def test_group_soft_limit_warns_and_lets_pass():
    house = a_house(inner=LimitsSpec(gross_exposure=LimitValue(value=100.0, hard=False)))
    verdict = house.send(an_order("o-1", quantity=2, account="A1"))
    assert verdict.approved
    assert [warning.code for warning in verdict.warnings] == ["GROUP_LIMIT"]


def test_group_totals_count_an_account_that_is_added_or_moved():
    house = a_house(inner=LimitsSpec(gross_exposure=1000.0))
    house.send(an_order("o-1", quantity=10, account="B1"))
    moved = AccountSpec(id="B1", group="inner", balance=1e6, margin_model=MarginModel.NONE)
    assert house.send(AccountUpdate(account=moved)).ok
    assert codes(house.send(an_order("o-2", quantity=1, account="A1"))) == ["GROUP_LIMIT"]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(ACCOUNTS),
            st.sampled_from(("buy", "sell")),
            st.integers(1, 6),
            st.sampled_from(("order", "fill", "cancel")),
        ),
        max_size=30,
    )
)
def test_group_totals_equal_the_sums_over_accounts_after_any_sequence(steps):
    house = a_house(LimitsSpec(gross_exposure=4000.0), inner=LimitsSpec(gross_exposure=1500.0))
    for number, (account, side, quantity, kind) in enumerate(steps):
        order_id = f"o-{number}"
        if kind != "fill":
            house.send(an_order(order_id, side, quantity, account=account))
        if kind == "fill":
            house.send(a_fill(f"e-{number}", side, quantity, account=account))
        if kind == "cancel":
            house.send(a_report(order_id, "canceled", account=account))
        for group, members in (("inner", ("A1", "A2")), ("firm", ACCOUNTS)):
            assert totals_of(house.core, group) == sums_over(house.core, members)
    restored = Core()
    restored.restore(decode_state(encode_state(house.core.state())))
    for group in ("inner", "outer", "other", "firm"):
        assert totals_of(restored, group) == totals_of(house.core, group)


def totals_of(core: Core, group: str) -> tuple[int, int, int, int]:
    total = core.boards.group_totals[group]
    held = total.symbols.get("X")
    lots = (held.upper_lots, held.lower_lots, held.gross_lots) if held else (0, 0, 0)
    return (*lots, total.open_orders)


def sums_over(core: Core, members: tuple[str, ...]) -> tuple[int, int, int, int]:
    upper = lower = gross = count = 0
    for name in members:
        state = core.accounts[name].state
        held = state.positions.get("X")
        lots = held.books.lots if held else 0
        working = [(o.check.side, o.leaves_lots) for o in state.orders.values()]
        longest = lots + sum(leaves for side, leaves in working if side == "buy")
        shortest = lots - sum(leaves for side, leaves in working if side == "sell")
        upper, lower = upper + longest, lower + shortest
        gross += max(abs(longest), abs(shortest))
        count += len(working)
    return upper, lower, gross, count
