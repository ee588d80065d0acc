"""Baskets: several orders of one account against one state, all of them or none."""

from __future__ import annotations

from msgspec.structs import replace

from engine.account import Account
from engine.facts import Facts, Stamp
from engine.findings import exceeded, reject
from engine.limits import Owner, ResolvedLimit, resolve
from engine.money import MONEY_SCALE
from engine.orders import Order, OrderState
from engine.pretrade import decide_order, denied
from riskd.codes import RejectCode
from riskd.messages import Basket, BasketVerdict, Check, Reject, Scope, Verdict


def decide_basket(account: Account, basket: Basket, stamp: Stamp, facts: Facts) -> BasketVerdict:
    """Return the verdict of a basket; what it approves is reserved when this returns.

    Each order costs what it costs alone, in every throttle. A repeat gets its first verdicts.
    """
    wrong = _wrong(account, basket)
    if wrong is not None:
        return _refused_whole(account, basket, stamp, wrong)
    fresh = {order.client_order_id for order in basket.orders if not _is_known(account, order)}
    verdicts = [decide_order(account, order, stamp, facts) for order in basket.orders]
    reason = _refusal(account, basket, verdicts) if fresh else None
    if reason is not None:
        verdicts = [
            _taken_back(account, order, verdict, reason)
            if order.client_order_id in fresh
            else verdict
            for order, verdict in zip(basket.orders, verdicts, strict=True)
        ]
    return _answer(account, basket, stamp, verdicts)


def answer_unknown_basket(basket: Basket, stamp: Stamp, limits_version: int) -> BasketVerdict:
    """Return the refusal of a basket whose account does not exist."""
    name = basket.account or basket.orders[0].account
    found = reject(RejectCode.UNKNOWN_ACCOUNT, f"no account {name}", Scope.ACCOUNT, name)
    verdicts = tuple(denied(order, stamp, (found,), limits_version) for order in basket.orders)
    return BasketVerdict(
        basket_id=basket.basket_id,
        account=name,
        approved=False,
        seq=stamp.seq,
        verdicts=verdicts,
        request_id=basket.request_id,
    )


def _wrong(account: Account, basket: Basket) -> Reject | None:
    """Return why a basket is no basket at all: nothing of it is judged then."""
    text = None
    if any(order.account != account.id for order in basket.orders):
        text = "every order of a basket is of one account"
    elif len({order.client_order_id for order in basket.orders}) < len(basket.orders):
        text = "every order of a basket has an id of its own"
    elif any(order.dry_run for order in basket.orders):
        text = "an order of a basket is no dry run"
    if text is None:
        return None
    return reject(RejectCode.MALFORMED, text, Scope.ACCOUNT, account.id)


def _is_known(account: Account, order: Check) -> bool:
    state, order_id = account.state, order.client_order_id
    return order_id in state.orders or order_id in state.finished or order_id in state.expired


def _refusal(account: Account, basket: Basket, verdicts: list[Verdict]) -> Reject | None:
    """Return why what was approved must be taken back, None if it stands."""
    if basket.all_or_none:
        for verdict in verdicts:
            if not verdict.approved:
                first = verdict.rejects[0]
                text = f"order {verdict.client_order_id} of the basket: {first.text}"
                return replace(first, text=text)
    return _too_large(account, basket, verdicts)


def _too_large(account: Account, basket: Basket, verdicts: list[Verdict]) -> Reject | None:
    limit = _limit(account, basket)
    if limit is None:
        return None
    total_money = 0
    for order, verdict in zip(basket.orders, verdicts, strict=True):
        record = account.state.orders.get(order.client_order_id)
        if verdict.approved and record is not None and record.value_milliticks is not None:
            instrument = account.boards.instruments[order.symbol]
            size = instrument.notional_money(record.lots, record.value_milliticks)
            total_money += account.convert(size, instrument.settlement) or 0
    if total_money <= limit.money or not limit.hard:
        return None
    total = total_money / MONEY_SCALE
    return exceeded(RejectCode.BASKET_NOTIONAL, limit, total, f"{account.currency} in all")


def _limit(account: Account, basket: Basket) -> ResolvedLimit | None:
    """Return the tightest limit on baskets of all that its orders fall under."""
    found = None
    spec, boards = account.state.spec, account.boards
    for order in basket.orders:
        groups = boards.ancestry(spec.group)
        owner = Owner(account.id, groups, order.symbol, order.strategy, order.trader)
        limit = resolve(boards.limits, owner, "basket_notional")
        if limit is not None and (found is None or limit.value < found.value):
            found = limit
    return found


def _taken_back(account: Account, order: Check, verdict: Verdict, reason: Reject) -> Verdict:
    """Release an order that was approved, and remember it as refused with its basket."""
    if not verdict.approved:
        return verdict
    stamp = Stamp(verdict.seq, verdict.checked_ns, 0)
    refused = denied(order, stamp, (reason,), verdict.limits_version)
    refused = replace(refused, durability=verdict.durability)
    account.end(order.client_order_id, OrderState.DENIED)
    record: Order = account.state.finished[order.client_order_id]
    record.verdict = refused
    return refused


def _refused_whole(account: Account, basket: Basket, stamp: Stamp, wrong: Reject) -> BasketVerdict:
    version = account.boards.limits_version
    verdicts = [denied(order, stamp, (wrong,), version) for order in basket.orders]
    return _answer(account, basket, stamp, verdicts)


def _answer(
    account: Account, basket: Basket, stamp: Stamp, verdicts: list[Verdict]
) -> BasketVerdict:
    return BasketVerdict(
        basket_id=basket.basket_id,
        account=account.id,
        approved=all(verdict.approved for verdict in verdicts),
        seq=stamp.seq,
        verdicts=tuple(verdicts),
        request_id=basket.request_id,
    )
