"""Rules of the state machine that steer to what sequences drawn by chance seldom meet."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule
from msgspec.structs import replace

from riskd.messages import Amend, LimitSet, LimitsSpec, LimitValue, OrderType, SelfMatch
from tests.builders import a_fill, a_report
from tests.engine.gate_agreement import agree
from tests.engine.gate_inputs import PICKS, PRICES, SHAPES, Shape, replace_flags, tick_of
from tests.engine.gate_sides import Sides
from tests.engine.model.judge import Case
from tests.engine.model.market import exact
from tests.engine.model.rules import FIRM


class Steered(Sides):
    """Each rule asks for one thing that a mutant of the engine would get wrong."""

    @rule(shape=SHAPES, halves=st.tuples(*(st.sampled_from((2, 4, 8)),) * 2), taken=st.booleans())
    def change_is_answered_again(self, shape, halves, taken) -> None:
        """Of two changes of an order the first is answered twice, the second not yet."""
        self.start_again()
        self.configure(LimitSet())
        order = self.made(replace_flags(shape, dry_run=False, close_position=False))
        self.ask(order)
        new_id = self.name("c")
        told: dict[str, Any] = {"account": order.account, "client_order_id": order.client_order_id}
        for name, number in ((new_id, halves[0]), (self.name("c"), halves[1])):
            change = Amend(**told, new_client_order_id=name, quantity=order.quantity + number / 2)
            if not self.change(change).approved:
                return
            status = "replaced" if taken or name == new_id else "replace_rejected"
            report = a_report(new_id, status, self.name("r"), account=order.account)
            self.witness.report(report, self.send(report))

    @rule(
        shape=SHAPES,
        ticks=st.sampled_from((1, 5)),
        scope=st.sampled_from(("default", "group", FIRM)),
    )
    def sale_moves_up_to_its_turnover(self, shape, ticks, scope) -> None:
        """Nothing else is limited that it could pass: further away it is no nearer to a fill."""
        self.start_again()
        self.configure(LimitSet())
        shape = shape._replace(side="sell", kind=OrderType.LIMIT)
        order = self.made(replace_flags(shape, dry_run=False, reduce_only=False))
        self.ask(order)
        found = self.world.orders[order.account, order.client_order_id]
        if not found.is_working:
            return
        price = float(exact(order.price or 0) + ticks * tick_of(order.symbol))
        for units in (-1, 0):
            change = Amend(
                account=order.account,
                client_order_id=order.client_order_id,
                new_client_order_id=self.name("c"),
                price=price,
            )
            case = Case(self.world, self.witness.merged(found, change), old=found)
            self.put_limit(case, ("turnover", scope, units), LimitSet())
            self.change(change)

    @rule(shape=SHAPES, value=st.sampled_from((1, 2, 4)))
    def order_is_past_a_soft_limit_and_the_hard_one_behind_it(self, shape, value) -> None:
        """The soft one is tighter and warns alone; what it lets pass is held to the hard one."""
        self.start_again()
        soft = LimitsSpec(order_quantity=LimitValue(value=float(value), hard=False))
        hard = LimitsSpec(order_quantity=2.0 * value)
        self.configure(LimitSet(default=hard, account={shape.account: soft}))
        for units in (0, 1):
            order = self.made(replace_flags(shape, dry_run=False, close_position=False))
            self.ask(replace(order, quantity=2.0 * value + units))

    @rule(number=PICKS, side=st.sampled_from(("buy", "sell")))
    def ordinary_order_meets_one_of_its_own(self, number: int, side: str) -> None:
        """In a quiet market without other limits, at the price of the one that rests."""
        self.start_again()
        self.configure(LimitSet(default=LimitsSpec(self_match=SelfMatch.REJECT)))
        self.move("X", number, "sound")
        for each in (side, {"buy": "sell", "sell": "buy"}[side]):
            self.ask(self.made(Shape("A1", 0, each, 2, 0, OrderType.LIMIT, None, {})))

    @rule(pick=PICKS)
    def fill_of_the_other_side(self, pick: int) -> None:
        """It names an order that works, and is none of it."""
        found = self.picked(pick)
        if found is None or not found[1].is_working:
            return
        (account, order_id), order = found
        check = order.check
        message = a_fill(
            self.name("e"),
            {"buy": "sell", "sell": "buy"}[check.side],
            1.0,
            PRICES[check.symbol][0],
            account=account,
            symbol=check.symbol,
            client_order_id=order_id,
        )
        self.witness.fill(message, self.send(message))

    @rule(number=PICKS, sizes=st.tuples(*(st.sampled_from((1, 3, 4)),) * 3))
    def exits_that_share_a_position(self, number: int, sizes: tuple[int, int, int]) -> None:
        """Four are held in a quiet market without limits, and ordinary sales close them."""
        self.start_again()
        self.configure(LimitSet())
        self.move("X", number, "sound")
        missing = 4 - self.world.books["A1"].held("X")
        if missing:
            side = "buy" if missing > 0 else "sell"
            price = PRICES["X"][number % 4]
            message = a_fill(self.name("e"), side, float(abs(missing)), price, account="A1")
            self.witness.fill(message, self.send(message))
        agree(self.house, self.world)
        for size in sizes:
            shape = Shape("A1", 0, "sell", 2 * size, 1, OrderType.LIMIT, None, {})
            self.ask(self.made(shape))
