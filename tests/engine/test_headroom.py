"""What a verdict says would pass: exact for every limit that can bind, whatever stands before."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.money import UNITS_MAX
from riskd.messages import (
    AccountSpec,
    Amend,
    Check,
    Configure,
    GroupSpec,
    InstrumentKind,
    InstrumentSpec,
    LimitSet,
    LimitsSpec,
    MarginModel,
    MarginTier,
    OrderType,
    PositionMode,
    Tick,
    Transfer,
    Trip,
    Universe,
    Verdict,
)
from tests.builders import (
    EURUSD,
    INSTRUMENTS,
    QUOTES,
    StampedCore,
    a_core,
    a_fill,
    an_account,
    an_order,
    codes_of,
)


class Kind(NamedTuple):
    """An instrument as orders meet it: its lot, its price, and a lot's worth in dollars."""

    symbol: str
    lot: float
    price: float
    worth: float


KINDS = (
    Kind("X", 1.0, 100.0, 100.0),
    Kind("J", 1.0, 1000.0, 10.0),  # Yen at 100 for a dollar.
    Kind("EURUSD", 1.0, 1.25, 1.25),
    Kind("P", 1.0, 50_000.0, 100.0),  # Inverse: 0.002 bitcoin.
    Kind("T", 1e-8, 2000.0, 2e-5),
    Kind("S", 1.0, 10.0, 10.0),
)
PAIR = KINDS[2]
OTHER = Kind("Y", 1.0, 50.0, 50.0)
DOLLARS = {"USD": 1.0, "EUR": 1.25, "BTC": 50_000.0}
LOTS_KEYS = ("order_quantity", "position_quantity")
MONEY_KEYS = ("order_notional", "position_notional", "gross_exposure", "net_exposure", "turnover")
GROUP_KEYS: tuple[str, ...] = (*LOTS_KEYS[1:], *MONEY_KEYS[1:], "open_orders")
KEYS: tuple[str, ...] = (
    *LOTS_KEYS,
    *MONEY_KEYS,
    "currency_exposure",
    "leverage",
    "concentration_pct",
)
KEYS = (*KEYS, "risk_per_trade_pct", "open_orders", "daily_loss")
BINDING = (*KEYS, "group_limit", "margin", "buying_power", "reduce_only")
CREDIT = ("margin", "buying_power")

sides = st.sampled_from(("buy", "sell"))
steps = st.lists(
    st.tuples(st.sampled_from(("fill", "order", "other")), sides, st.integers(1, 9)), max_size=5
)


def a_limit(key: str, kind: Kind, currency: str, size: float) -> Any:
    """Return a limit of `key` that about `size` lots reach."""
    worth = size * kind.worth / DOLLARS[currency]
    if key in LOTS_KEYS:
        return size * kind.lot
    if key in MONEY_KEYS or key == "daily_loss":
        return worth
    if key == "currency_exposure":
        return dict.fromkeys(("EUR", "JPY", "USD", "BTC"), worth)
    return {"leverage": size / 20, "concentration_pct": size * 4}.get(key, int(size))


class Scene(NamedTuple):
    """What stands, what is limited and the order that is asked for."""

    kind: Kind
    account: AccountSpec
    before: list[tuple[str, str, int]]
    limits: LimitSet
    order: Check


@st.composite
def accounts(draw: st.DrawFn, kind: Kind, only: str | None) -> AccountSpec:
    """Return an account that has the money for about 60 lots; margin binds if it should."""
    currency = draw(st.sampled_from(tuple(DOLLARS)))
    models = {
        "margin": ("rate", "leverage", "tiers"),
        "buying_power": ("none",),
        None: tuple(MarginModel),
    }
    model = MarginModel(draw(st.sampled_from(models.get(only, ("leverage",)))))
    binds = only is None or only in CREDIT
    return an_account(
        balance=round(draw(st.integers(0, 60)) * kind.worth / DOLLARS[currency], 9),
        currency=currency,
        margin_model=model,
        leverage=draw(st.sampled_from((0.5, 3.0, 100.0))) if binds else 1e9,
        position_mode=PositionMode(draw(st.sampled_from(tuple(PositionMode)))),
        group="inner",
    )


@st.composite
def tables(
    draw: st.DrawFn, keys: tuple[str, ...], scene: tuple[Kind, str], least: int, most: int
) -> LimitsSpec:
    """Return from `least` to `most` limits of these keys."""
    sizes = st.one_of(st.integers(0, 30).map(float), st.floats(0, 40).map(lambda x: round(x, 3)))
    chosen = draw(st.lists(st.sampled_from(keys), min_size=least, max_size=most, unique=True))
    return LimitsSpec(**{key: a_limit(key, *scene, draw(sizes)) for key in chosen})


@st.composite
def scenes(draw: st.DrawFn, only: str | None = None) -> Scene:
    """Return a scene; with `only` one name of `BINDING` can bind."""
    kind = PAIR if only == "currency_exposure" else draw(st.sampled_from(KINDS))
    account = draw(accounts(kind, only))
    priced = (kind, account.currency)
    few = (0, 1) if only is None else (1, 1)
    default = firm = outer = LimitsSpec()
    if only is None:
        default = draw(tables(KEYS, priced, 0, 3))
    elif only in KEYS:
        default = draw(tables((only,), priced, 1, 1))
    if only in (None, "group_limit"):
        outer, firm = draw(tables(GROUP_KEYS, priced, *few)), draw(tables(GROUP_KEYS, priced, 0, 1))
    market = draw(st.booleans())
    order = an_order(
        "probe",
        draw(sides),
        quantity_of(draw(st.integers(1, 40)), kind),
        symbol=kind.symbol,
        order_type=OrderType.MARKET if market else OrderType.LIMIT,
        price=None if market else kind.price,
        stop_loss=draw(st.sampled_from((None, kind.price * 0.9, kind.price * 1.1))),
        reduce_only=only == "reduce_only" or (only is None and draw(st.integers(0, 9)) == 0),
        position_id=draw(st.sampled_from((None, "long", "short"))),
        explain=True,
        dry_run=True,
    )
    limits = LimitSet(default=default, group={"outer": outer}, firm=firm)
    return Scene(kind, account, draw(steps), limits, order)


TIERS = tuple(  # In settlement currency: of each instrument some lots are in a bracket of each.
    MarginTier(notional=notional, initial_margin=rate, maintenance_margin=rate)
    for notional, rate in ((0.01, 0.1), (20.0, 0.2), (900.0, 0.5))
)
TIERED = tuple(replace(spec, tiers=TIERS, hedged_margin=0.25) for spec in INSTRUMENTS)
GROUPS = (GroupSpec(id="outer"), GroupSpec(id="inner", parent="outer"))


def a_free_house(scene: Scene) -> StampedCore:
    """Return a house with what stands; nothing is limited and there is money for everything."""
    house = StampedCore()
    told: dict[str, Any] = {
        "currency": scene.account.currency,
        "position_mode": scene.account.position_mode,
    }
    free = an_account(balance=1e9, group="inner", **told)
    universe = Universe(instruments=TIERED, groups=GROUPS, accounts=(free,))
    house.send(Configure(universe=universe))
    for symbol, (bid, ask) in QUOTES.items():
        house.send(Tick(symbol=symbol, bid=bid, ask=ask))
    for number, (what, side, lots) in enumerate(scene.before):
        held = OTHER if what == "other" else scene.kind
        quantity, order_id = quantity_of(lots, held), f"w-{number}"
        told = {"symbol": held.symbol, "price": held.price}
        placed = quantity if what == "order" else quantity_of(2 * lots, held)
        assert house.send(an_order(order_id, side, placed, **told)).approved
        if what != "order":  # Half of it stays working.
            fill = a_fill(f"e-{number}", side, quantity, client_order_id=order_id, **told)
            assert house.send(fill).flags == ()
    return house


def put_limits(house: StampedCore, scene: Scene) -> None:
    """Take the money beyond the scene's away and set its limits."""
    away = scene.account.balance - 1e9  # What is booked outlives another declaration.
    house.send(Transfer(account="A1", transfer_id="t", amount=away))
    universe = Universe(
        instruments=TIERED, groups=GROUPS, accounts=(scene.account,), limits=scene.limits
    )
    house.send(Configure(universe=universe))


def a_house(scene: Scene) -> StampedCore:
    """Return a house in which what stands was let through, and then the limits were set."""
    house = a_free_house(scene)
    put_limits(house, scene)
    return house


def asked(house: StampedCore, scene: Scene, lots: int, **changed: Any) -> Verdict:
    """Return the verdict of the scene's order for another quantity."""
    fields = {name: getattr(scene.order, name) for name in Check.__struct_fields__}
    told = fields | {"quantity": quantity_of(lots, scene.kind)} | changed
    verdict = house.send(Check(**told))
    assert isinstance(verdict, Verdict)
    return verdict


def quantity_of(lots: int, kind: Kind) -> float:
    return lots / 100_000_000 if kind.symbol == "T" else float(lots)


def lots_of(quantity: float, kind: Kind) -> int:
    return round(quantity * 100_000_000) if kind.symbol == "T" else int(quantity)


def names_of(verdict: Verdict) -> set[str]:
    """Return what every reason of a refusal is called: its limit, or its code."""
    return {reject.limit_type or reject.code.lower() for reject in verdict.rejects} | {
        reject.code.lower() for reject in verdict.rejects
    }


def check_scene(scene: Scene) -> str | None:
    """The quantity told passes, one lot more fails for the reason told. Return that reason."""
    house = a_house(scene)
    verdict = house.send(scene.order)
    assert house.account().frozen == ""
    most = lots_of(verdict.max_quantity, scene.kind)
    if most:
        assert codes_of(asked(house, scene, most)) == []
    asked_lots = lots_of(scene.order.quantity, scene.kind)
    assert verdict.approved is (asked_lots <= most)
    if verdict.binding_limit is None:
        assert most == UNITS_MAX
        return None
    over = asked(house, scene, most + 1)
    assert not over.approved
    assert verdict.binding_limit in names_of(over)
    primary = over.rejects[0]
    assert verdict.binding_limit in (
        primary.limit_type,
        primary.code.lower(),
    )
    assert over.max_quantity == verdict.max_quantity
    assert (over.binding_limit, over.headroom) == (verdict.binding_limit, verdict.headroom)
    return str(verdict.binding_limit)


@settings(max_examples=500)
@given(scenes())
def test_max_quantity_passes_and_one_lot_more_fails_for_the_limit_that_binds(scene):
    check_scene(scene)


@pytest.mark.parametrize("name", BINDING)
def test_max_quantity_is_exact_where_one_limit_alone_can_bind(name):
    seen = set()

    @settings(max_examples=60, derandomize=True)
    @given(scenes(name))
    def run(scene: Scene) -> None:
        seen.add(check_scene(scene))

    run()
    assert name in seen


@settings(max_examples=150)
@given(scenes())
def test_verdict_with_explain_equals_the_one_without(scene):
    house = a_house(scene)
    told = house.send(scene.order)
    lots = lots_of(scene.order.quantity, scene.kind)
    plain = asked(house, scene, lots, explain=False)
    assert plain.approved is told.approved
    if told.approved:
        assert plain.warnings == told.warnings
        return
    assert plain.rejects == told.rejects[:1]
    for name in ("max_quantity", "binding_limit", "headroom", "nearest_price"):
        assert getattr(plain, name) == getattr(told, name)


@settings(max_examples=200)
@given(scenes(), st.integers(1, 9), st.integers(0, 8), st.integers(0, 9))
def test_amend_to_max_quantity_passes_and_one_lot_more_fails(scene, lots, filled, flying):
    """The order is partly filled; another change of it may be in flight."""
    house = a_free_house(scene)
    kind, side = scene.kind, scene.order.side
    filled = min(filled, lots - 1)
    told = {"symbol": kind.symbol, "price": kind.price}
    assert house.send(an_order("o", side, quantity_of(lots, kind), **told)).approved
    if filled:
        fill = a_fill("e", side, quantity_of(filled, kind), client_order_id="o", **told)
        assert house.send(fill).flags == ()
    if flying > filled:
        assert house.send(an_amend("o", "o-1", flying, kind)).approved
    put_limits(house, scene)
    verdict = house.send(an_amend("o", "huge", 10_000, kind))
    if verdict.approved:
        return
    most = lots_of(verdict.max_quantity, kind)
    assert most == 0 or most > filled
    over = house.send(an_amend("o", "over", max(most, filled) + 1, kind))
    assert not over.approved
    assert over.binding_limit == verdict.binding_limit
    assert verdict.binding_limit in names_of(over)
    if most:
        assert codes_of(house.send(an_amend("o", "most", most, kind))) == []
        working = house.account().orders["o"]
        assert working.leaves_lots == max(lots, flying, most) - filled


def an_amend(order_id: str, new_id: str, lots: int, kind: Kind) -> Amend:
    return Amend(
        account="A1",
        client_order_id=order_id,
        new_client_order_id=new_id,
        quantity=quantity_of(lots, kind),
    )


def test_max_quantity_of_an_exit_while_others_are_slowed_is_all_that_closes():
    """Five of X are held; an order was sent just now, so what opens has to wait."""
    house = a_core()
    house.send(a_fill(quantity=5))
    house.send(Trip(scope="firm", scope_id="", action="slow", spacing_ms=1000))
    assert house.send(an_order("first")).approved
    exit_order = an_order("exit", "sell", explain=True)
    verdict = house.send(exit_order)
    assert (verdict.approved, verdict.max_quantity, verdict.binding_limit) == (True, 5.0, "slowed")
    assert codes_of(house.send(replace(exit_order, quantity=6.0, client_order_id="more"))) == [
        "SLOWED"
    ]
    assert len(house.account().windows["slow 1"].charges) == 1  # The exit was charged nothing.


POUND = InstrumentSpec(
    symbol="GBPUSD", kind=InstrumentKind.FX, base="GBP", currency="USD", tick_size="0.00001"
)


class Room(NamedTuple):
    """A limit, and the room that is left of it before an order; worked out by hand."""

    name: str
    limits: LimitsSpec
    headroom: float
    account: AccountSpec = an_account()
    order: dict[str, Any] = {"side": "buy", "quantity": 100}


RATED = an_account(balance=1200.0, margin_model=MarginModel.RATE)
CASH = an_account(balance=1200.0, margin_model=MarginModel.NONE)
POOR = an_account(balance=1000.0)
STOPPED = {"side": "buy", "quantity": 100, "stop_loss": 90.0}
EURO = {"side": "buy", "quantity": 1000, "symbol": "EURUSD", "price": 1.25}
ROOMS = (  # Six held of X at 100, three more working buys and five working sells.
    Room("order_quantity", LimitsSpec(order_quantity=10), 10),
    Room("order_notional", LimitsSpec(order_notional=1000), 1000),
    Room("position_quantity", LimitsSpec(position_quantity=11), 2),
    Room("position_notional", LimitsSpec(position_notional=1100), 200),
    Room("gross_exposure", LimitsSpec(gross_exposure=1200), 300),
    Room("net_exposure", LimitsSpec(net_exposure=1200), 300),
    Room("net_exposure", LimitsSpec(net_exposure=1200), 1300, order={"side": "sell"}),
    Room("turnover", LimitsSpec(turnover=1700), 300),  # 600 traded, 800 work.
    Room("open_orders", LimitsSpec(open_orders=2), 0),
    Room("concentration_pct", LimitsSpec(concentration_pct=95), 5, POOR),
    Room("leverage", LimitsSpec(leverage=1.2), 0.3, POOR),
    Room("risk_per_trade_pct", LimitsSpec(risk_per_trade_pct=5), 5, POOR, STOPPED),
    Room("currency_exposure", LimitsSpec(currency_exposure={"EUR": 125.0}), 125, order=EURO),
    Room(
        "currency_exposure", LimitsSpec(currency_exposure={"EUR": 125, "JPY": 1}), 125, order=EURO
    ),
    Room("margin", LimitsSpec(), 300, RATED),
    Room("buying_power", LimitsSpec(), 300, CASH),
)


@pytest.mark.parametrize("row", ROOMS, ids=lambda row: f"{row.name}-{row.headroom}")
def test_headroom_is_the_limit_less_the_value_before(row):
    house = a_core(row.limits, accounts=(replace(row.account, balance=1e6),))
    house.send(a_core().inputs[0][0])
    house.send(a_fill(quantity=6))
    house.send_all(an_order("b", "buy", 3), an_order("s", "sell", 5))
    spent = row.account.balance - 1e6
    house.send(Transfer(account="A1", transfer_id="t", amount=spent))
    house.send(a_core(row.limits, accounts=(row.account,)).inputs[0][0])
    told = {"side": "buy", "quantity": 100} | row.order
    verdict = house.send(an_order("probe", told.pop("side"), told.pop("quantity"), **told))
    assert not verdict.approved
    assert verdict.binding_limit == row.name
    assert verdict.headroom == pytest.approx(row.headroom, rel=1e-12)


GROUP_ROOMS = (  # A2 holds four of X at 100; A1 has six, three working buys, five working sells.
    (LimitsSpec(position_quantity=15), "buy", 2),
    (LimitsSpec(position_notional=1500), "buy", 200),
    (LimitsSpec(gross_exposure=1500), "buy", 200),
    (LimitsSpec(net_exposure=500), "sell", 1000),  # Short of 500 at worst it is five long.
    (LimitsSpec(turnover=2100), "buy", 300),  # 600 and 400 were traded, 800 work.
    (LimitsSpec(open_orders=2), "buy", 0),
    (LimitsSpec(gross_exposure=1500, position_quantity=14), "buy", 1),
)


@pytest.mark.parametrize(("limits", "side", "headroom"), GROUP_ROOMS)
def test_headroom_of_a_group_is_its_limit_less_its_total_before(limits, side, headroom):
    house = a_core()
    accounts = (an_account("A1", group="desk"), an_account("A2", group="desk"))
    house.send(Configure(universe=Universe(groups=(GroupSpec(id="desk"),), accounts=accounts)))
    house.send_all(a_fill(quantity=6), a_fill("e-2", quantity=4, account="A2"))
    house.send_all(an_order("b", "buy", 3), an_order("s", "sell", 5))
    house.send(Configure(universe=Universe(limits=LimitSet(group={"desk": limits}))))
    verdict = house.send(an_order("probe", side, 100))
    assert codes_of(verdict) == ["GROUP_LIMIT"]
    assert (verdict.binding_limit, verdict.headroom) == ("group_limit", pytest.approx(headroom))
    told = house.send(an_order("told", side, 100, explain=True, dry_run=True))
    (numbers,) = [x for x in told.checks if x.code == "GROUP_LIMIT" and x.limit is not None]
    assert numbers.limit == verdict.rejects[0].limit
    assert numbers.value == verdict.rejects[0].value


def test_headroom_of_two_limited_currencies_is_of_the_one_that_binds():
    """In pounds: EURUSD bought is 1 pound of euro and of dollars each; more dollars are allowed."""
    limits = LimitsSpec(currency_exposure={"EUR": 500.0, "USD": 100.0})
    house = a_core(
        limits,
        accounts=(an_account(currency="GBP"),),
        instruments=(EURUSD, POUND),
        quotes={"EURUSD": (1.25, 1.25), "GBPUSD": (1.25, 1.25)},
    )
    sold = an_order("o", "sell", 1000, symbol="EURUSD", price=1.25)
    verdict = house.send(sold)
    assert (verdict.binding_limit, verdict.headroom) == ("currency_exposure", 100.0)
    assert verdict.max_quantity == 100


@settings(max_examples=100)
@given(
    st.sampled_from(KINDS[:5]),
    sides,
    st.floats(0.001, 99.0),
    st.integers(-2_000, 2_000),
)
def test_nearest_price_passes_and_one_tick_further_fails(kind, side, percent, away):
    house = a_core(LimitsSpec(price_collar_pct=percent))
    ticks = {"X": 100, "J": 1, "EURUSD": 100_000, "P": 2, "T": 100}[kind.symbol]
    whole = round(kind.price * ticks)
    asked_ticks = whole * 10 if side == "buy" else max(1, whole // 200) + max(0, away)
    told = {"symbol": kind.symbol, "dry_run": True}
    verdict = house.send(an_order("o", side, kind.lot, price=asked_ticks / ticks, **told))
    if verdict.approved:
        assert verdict.nearest_price is None
        return
    assert codes_of(verdict) == ["PRICE_COLLAR"]
    nearest = round(verdict.nearest_price * ticks)
    further = nearest + (1 if side == "buy" else -1)
    assert codes_of(house.send(an_order("n", side, kind.lot, price=nearest / ticks, **told))) == []
    if further > 0:
        beyond = house.send(an_order("f", side, kind.lot, price=further / ticks, **told))
        assert codes_of(beyond) == ["PRICE_COLLAR"]


def test_checks_of_one_code_are_told_apart_by_their_limits():
    limits = LimitsSpec(drawdown_day_pct=5, drawdown_max_pct=15)
    house = a_core(limits=LimitSet(default=limits))
    told = house.send(an_order(explain=True, dry_run=True)).checks
    rows = [(one.limit_type, one.limit) for one in told if one.code == "DRAWDOWN"]
    assert rows == [("drawdown_day_pct", 5), ("drawdown_max_pct", 15)]
