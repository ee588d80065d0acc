"""Ways to break the engine: each line replaced makes another program, which a proof must refuse."""

from __future__ import annotations

from typing import NamedTuple


class Mutant(NamedTuple):
    """One exact text of one file of the engine, and what stands there instead."""

    name: str
    path: str
    old: str
    new: str


MUTANTS = (
    Mutant(
        "an order exactly at its quantity limit is refused",
        "checks/size.py",
        "    lots = case.lots or 0\n    if lots * instrument.lot_numerator * MONEY_SCALE <= limit",
        "    lots = case.lots or 0\n    if lots * instrument.lot_numerator * MONEY_SCALE < limit",
    ),
    Mutant(
        "an order exactly at its notional limit is refused",
        "checks/size.py",
        "    if notional * rate.numerator <= limit.money * rate.denominator:\n"
        "        return None\n    return exceeded(\n",
        "    if notional * rate.numerator < limit.money * rate.denominator:\n"
        "        return None\n    return exceeded(\n",
    ),
    Mutant(
        "one order too many may work",
        "checks/size.py",
        "    if count <= limit.value:",
        "    if count <= limit.value + 1:",
    ),
    Mutant(
        "gross exposure exactly at its limit is refused",
        "checks/exposure.py",
        "or case.gross_money <= limit.money:",
        "or case.gross_money < limit.money:",
    ),
    Mutant(
        "net exposure looks at the other side",
        "checks/exposure.py",
        "return case.upper_money if case.buying else -case.lower_money",
        "return case.upper_money if not case.buying else -case.lower_money",
    ),
    Mutant(
        "a symbol at the floor of concentration is judged",
        "checks/exposure.py",
        "    if symbol <= floor_money(case):",
        "    if symbol < floor_money(case):",
    ),
    Mutant(
        "concentration is a share of gross exposure alone",
        "checks/exposure.py",
        "    base = max(case.gross_money, case.equity_money)\n    return symbol * 100",
        "    base = case.gross_money\n    return symbol * 100",
    ),
    Mutant(
        "turnover exactly at its limit is refused",
        "checks/exposure.py",
        "if worst is None or worst <= limit.money:",
        "if worst is None or worst < limit.money:",
    ),
    Mutant(
        "a loss exactly at its limit passes",
        "checks/credit.py",
        "    if -case.day_pnl_money < limit.money or case.missing is not None:",
        "    if -case.day_pnl_money <= limit.money or case.missing is not None:",
    ),
    Mutant(
        "leverage without equity is none",
        "checks/credit.py",
        "    if equity > 0 and case.gross_money",
        "    if equity <= 0 or case.gross_money",
    ),
    Mutant(
        "margin that is all of the equity is refused",
        "checks/credit.py",
        "    if case.margin_money <= case.equity_money:",
        "    if case.margin_money < case.equity_money:",
    ),
    Mutant(
        "a cash account may sell one lot that it has not",
        "checks/credit.py",
        "    if case.shortest_lots < 0 and not case.buying:",
        "    if case.shortest_lots < -1 and not case.buying:",
    ),
    Mutant(
        "a group exactly at its limit is refused",
        "checks/group.py",
        "            if value > limit.money or (",
        "            if value >= limit.money or (",
    ),
    Mutant(
        "a change counts as one more order of its group",
        "checks/group.py",
        "placed = 0 if case.own_lots or not case.lots else 1",
        "placed = 1",
    ),
    Mutant(
        "a self-match is one tick further away",
        "checks/conduct.py",
        "    return price >= resting_price if case.buying else price <= resting_price",
        "    return price > resting_price if case.buying else price < resting_price",
    ),
    Mutant(
        "a soft limit loosens the hard one behind it",
        "plans.py",
        "        if hard is not None and hard is not limit:",
        "        if hard is None and hard is not limit:",
    ),
    Mutant(
        "working sells are left out of the worst case",
        "case.py",
        "        longest, shortest = held + position.open_buy_lots, held - position.open_sell_lots",
        "        longest, shortest = held + position.open_buy_lots, held",
    ),
    Mutant(
        "an exit reduces whatever other exits work",
        "case.py",
        "            self.reducing = lots <= shortest\n",
        "            self.reducing = lots <= held\n",
    ),
    Mutant(
        "a change is judged by its new leaves alone",
        "case.py",
        "            lots = max(lots - self.filled_lots, self.own_lots)",
        "            lots = lots - self.filled_lots",
    ),
    Mutant(
        "a change reserves its new leaves alone",
        "orders.py",
        "        return max(self.lots, max((amend.lots for amend in self.amends), default=0))",
        "        return self.amends[-1].lots if self.amends else self.lots",
    ),
    Mutant(
        "a dearer change is taken for one that adds no risk",
        "amend.py",
        "    case.costs_more = same_lots > order.working_money and",
        "    case.costs_more = False and",
    ),
    Mutant(
        "a change to a worse price is taken for one that adds no risk",
        "amend.py",
        "    case.is_worse = value is not None and",
        "    case.is_worse = value is None and",
    ),
    Mutant(
        "a change that was answered before answers the next one",
        "amend.py",
        "    return ids.index(None) if None in ids else None",
        "    return 0 if ids else None",
    ),
    Mutant(
        "a stop that the market is past is valued at itself",
        "lookup.py",
        "    base = max(known) if case.buying else min(known)",
        "    base = known[0]",
    ),
    Mutant(
        "a change that was taken leaves older ones in flight",
        "amend.py",
        "        del order.amends[: index + 1]",
        "        del order.amends[index]",
    ),
    Mutant(
        "a cancel releases twice",
        "account.py",
        "        self.set_leaves(order, 0)\n        order.state = state",
        "        leaves = order.leaves_lots\n        self.set_leaves(order, 0)\n"
        "        order.leaves_lots = leaves\n        self.set_leaves(order, 0)\n"
        "        order.state = state",
    ),
    Mutant(
        "an order that a group refused stays reserved",
        "pretrade.py",
        "        return deny(account, order, stamp, failed, case)\n",
        '        if failed[-1].code == "GROUP_LIMIT" and not order.dry_run:\n'
        "            account.position_to_change(order.symbol).open_buy_lots += case.lots or 0\n"
        "        return deny(account, order, stamp, failed, case)\n",
    ),
    Mutant(
        "orders for the day outlive it",
        "desk.py",
        "        if order.check.time_in_force is TimeInForce.DAY",
        "        if order.check.time_in_force is TimeInForce.IOC",
    ),
    Mutant(
        "the day's turnover is carried into the next day",
        "account.py",
        "        state.day_turnover.clear()\n",
        "",
    ),
    Mutant(
        "a deposit is profit",
        "fills.py",
        "        state.day_transfers_money += converted",
        "        state.day_transfers_money += 0",
    ),
    Mutant(
        "a bust leaves the realised profit",
        "fills.py",
        "    earned = after.realized_money - before.realized_money + after.fees",
        "    earned = after.fees",
    ),
    Mutant(
        "a fill of another side uses up its order",
        "fills.py",
        "    if order.check.symbol != fill.symbol or order.check.side is not fill.side:",
        "    if order.check.symbol != fill.symbol:",
    ),
    Mutant(
        "a window of a rate holds one more",
        "throttle.py",
        "        if count >= count_max and (not",
        "        if count > count_max and (not",
    ),
    Mutant(
        "a window of a rate is a nanosecond longer",
        "throttle.py",
        "(not count_max or charges[-count_max] > horizon_ns):",
        "(not count_max or charges[-count_max] >= horizon_ns):",
    ),
    Mutant(
        "max_quantity is one lot short",
        "headroom.py",
        "    return passing, binding\n",
        "    return max(1, passing - 1), binding\n",
    ),
    Mutant(
        "the larger side of an account is told to its group as the long one",
        "membership.py",
        "position.worst_gross_lots())",
        "abs(longest))",
    ),
    Mutant(
        "a reservation is suspect an instant too late",
        "reports.py",
        "        if until_ns > stamp.steady_ns:",
        "        if until_ns >= stamp.steady_ns:",
    ),
    Mutant(
        "a touch a nanosecond too old is fresh",
        "lookup.py",
        "    fresh = stamp.steady_ns - quote.touch_steady_ns <= instrument.stale_after_ns",
        "    fresh = stamp.steady_ns - quote.touch_steady_ns <= instrument.stale_after_ns + 1",
    ),
    Mutant(
        "the last in closes first",
        "books.py",
        "        first = open_lots[0]",
        "        first = open_lots[-1]",
    ),
    Mutant(
        "the swift way forgets what works on the order's side",
        "swift.py",
        "    upper_lots, lower_lots = held.upper_lots, held.lower_lots",
        "    upper_lots, lower_lots = held.lots, held.lots",
    ),
    Mutant(
        "the swift way certifies what other exits will close",
        "swift.py",
        "        certified = max(0, min(lots, closes - working))",
        "        certified = min(lots, closes)",
    ),
    Mutant(
        "the swift way meets its own orders",
        "checks/conduct.py",
        "    bounds.meets_own = False",
        "    bounds.meets_own = True",
    ),
)
