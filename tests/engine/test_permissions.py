"""NOT_PERMITTED: restrictions win over everything; what needs permission is denied without."""

from __future__ import annotations

from typing import Any

import pytest

from riskd.messages import (
    Amend,
    Configure,
    GroupSpec,
    LimitSet,
    OrderRule,
    OrderType,
    PermissionDefault,
    Permissions,
    Side,
    Tick,
    Universe,
)
from tests.builders import (
    INSTRUMENTS,
    QUOTES,
    StampedCore,
    a_core,
    a_fill,
    a_universe,
    an_account,
    an_order,
    codes_of,
)
from tests.engine.live import Live

ACCOUNTS = (an_account("A1", group="equities"), an_account("A2", group="desk"), an_account("A3"))
GROUPS = (GroupSpec(id="desk"), GroupSpec(id="equities", parent="desk"))
MARKET: dict[str, Any] = {"order_type": OrderType.MARKET, "price": None}
OTHER_SYMBOL: dict[str, Any] = {"symbol": "Y", "price": 50.0}


def a_house(**lists: Any) -> StampedCore:
    house = StampedCore()
    universe = Universe(
        instruments=INSTRUMENTS,
        groups=GROUPS,
        accounts=ACCOUNTS,
        limits=LimitSet(),
        permissions=Permissions(**lists),
    )
    house.send(Configure(universe=universe))
    for symbol, (bid, ask) in QUOTES.items():
        house.send(Tick(symbol=symbol, bid=bid, ask=ask))
    return house


RULES: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    ({"account": "A1"}, {}, {"account": "A2"}),
    ({"group": "equities"}, {}, {"account": "A2"}),
    ({"group": "desk"}, {}, {"account": "A3"}),
    ({"trader": "ann"}, {"trader": "ann"}, {"trader": "bob"}),
    ({"strategy": "mm"}, {"strategy": "mm"}, {"strategy": "arb"}),
    ({"symbol": "X"}, {}, OTHER_SYMBOL),
    ({"side": Side.BUY}, {}, {"side": "sell"}),
    ({"order_type": OrderType.MARKET}, MARKET, {"order_type": OrderType.LIMIT, "price": 100.0}),
    ({"symbol": "X", "side": Side.SELL}, {"side": "sell"}, {"side": "buy"}),
    ({"symbol": "X", "side": Side.SELL}, {"side": "sell"}, {"side": "sell", **OTHER_SYMBOL}),
]


@pytest.mark.parametrize(("rule", "about", "other"), RULES)
def test_restricted_order_is_refused_and_one_that_differs_passes(rule, about, other):
    house = a_house(restricted=(OrderRule(**rule, reason="list 7"),))
    refused = house.send(an_order("o-1", **about))
    assert codes_of(refused) == ["NOT_PERMITTED"]
    assert "list 7" in refused.rejects[0].text
    assert refused.rejects[0].fix_code == 99
    assert codes_of(house.send(an_order("o-2", **(about | other)))) == []


@pytest.mark.parametrize(("rule", "about", "other"), RULES)
def test_order_passes_only_as_permitted_where_permission_is_needed(rule, about, other):
    house = a_house(default=PermissionDefault.DENY, permitted=(OrderRule(**rule),))
    assert codes_of(house.send(an_order("o-1", **about))) == []
    refused = house.send(an_order("o-2", **(about | other)))
    assert codes_of(refused) == ["NOT_PERMITTED"]


def test_account_that_a_rule_names_may_do_nothing_else_and_others_are_free():
    house = a_house(permitted=(OrderRule(account="A1", symbol="X"), OrderRule(group="equities")))
    assert codes_of(house.send(an_order("o-1", **OTHER_SYMBOL))) == []  # Its group may trade all.
    house = a_house(permitted=(OrderRule(account="A1", symbol="X"),))
    assert codes_of(house.send(an_order("o-1"))) == []
    assert codes_of(house.send(an_order("o-2", **OTHER_SYMBOL))) == ["NOT_PERMITTED"]
    assert codes_of(house.send(an_order("o-3", account="A2", **OTHER_SYMBOL))) == []


def test_restriction_wins_over_permission_and_over_reducing():
    rule = OrderRule(symbol="X")
    house = a_house(restricted=(rule,), permitted=(rule,))
    house.send(a_fill("e-1", "buy", 5))
    assert codes_of(house.send(an_order("exit", "sell", 5))) == ["NOT_PERMITTED"]


def test_e73_strategy_or_trader_that_is_not_declared_is_denied_where_any_are():
    house = a_house(strategies=("mm",), traders=("ann",))
    known: dict[str, Any] = {"strategy": "mm", "trader": "ann"}
    assert codes_of(house.send(an_order("o-1", **known))) == []
    unknown = [("strategy", "arb"), ("trader", "bob"), ("strategy", "")]
    for number, (scope, name) in enumerate(unknown):
        refused = house.send(an_order(f"u-{number}", **(known | {scope: name})))
        assert codes_of(refused) == ["NOT_PERMITTED"]
        assert (refused.rejects[0].scope, refused.rejects[0].scope_id) == (scope, name)


def test_e73_unknown_account_and_symbol_are_denied_whatever_is_permitted():
    house = a_house()
    assert codes_of(house.send(an_order("o-1", account="nobody"))) == ["UNKNOWN_ACCOUNT"]
    assert codes_of(house.send(an_order("o-2", symbol="nothing"))) == ["UNKNOWN_SYMBOL"]


def test_amend_to_what_is_restricted_since_is_refused_and_the_order_stands():
    house = a_core()
    house.send(an_order("o-1", quantity=5))
    lists = Permissions(restricted=(OrderRule(symbol="X"),))
    house.send(Configure(universe=a_universe(permissions=lists)))
    refused = house.send(Amend(account="A1", client_order_id="o-1", quantity=4.0))
    assert codes_of(refused) == ["NOT_PERMITTED"]
    assert house.position().open_buy_lots == 5


def test_permissions_are_state_and_the_live_system_has_them_too():
    house = a_house(restricted=(OrderRule(symbol="X"),))
    house.send(an_order("o-1"))
    with Live() as live:
        answers = [live.send(message, stamp) for message, stamp in house.inputs]
        assert codes_of(answers[-1]) == ["NOT_PERMITTED"]
        assert live.system.state().permissions == house.core.state().permissions
