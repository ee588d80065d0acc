"""Baskets: several orders, of one account or of many, against one state: all of them or none.

A basket is one input. Each leg is judged by its account, reserves, and its groups are told before
the next leg is judged; if the basket is refused, every leg that was approved is taken back. Nothing
else comes between, so nothing is half taken, and totals of groups hold over legs of all accounts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from msgspec.structs import replace

from engine.account import Account
from engine.boards import Boards
from engine.charges import basket_overrun
from engine.checks.conduct import over_rate
from engine.desk import AccountMessage, Answer, answer_unknown
from engine.facts import Stamp
from engine.findings import exceeded, reject
from engine.legs import Leg, Stands, TakeBack
from engine.limits import FIRM, Owner, ResolvedLimit, limit_of, resolve
from engine.money import MONEY_SCALE
from engine.pretrade import denied
from engine.thresholds import Level, crossed_alert, level_of, warning_of
from riskd.codes import RejectCode
from riskd.messages import Basket, BasketVerdict, Check, Reject, Scope, Verdict

CAP = "basket_notional"
Ask = Callable[[str, AccountMessage], Answer]  # An account; returns once all is done it causes.


class _Judged(NamedTuple):
    """One order of a basket with its verdict."""

    order: Check
    verdict: Verdict
    fresh: bool  # It was judged now; if not, it was known before and keeps its verdict.


def judge_basket(
    boards: Boards, accounts: Mapping[str, Account], basket: Basket, stamp: Stamp, ask: Ask
) -> BasketVerdict:
    """Return the verdict of a basket; what it approves is reserved when this returns.

    A basket of n orders costs n in every throttle. One that does not fit is refused whole: what was
    charged stays charged, or nothing is charged, as `basket_rate` says. A repeat gets its first
    verdicts.
    """
    version = boards.limits_version
    wrong = _wrong(basket)
    if wrong is not None:
        verdicts = [denied(order, stamp, (wrong,), version) for order in basket.orders]
        return _answer(basket, stamp, verdicts)
    no_room = _no_room(boards, accounts, basket, stamp)
    legs = []
    for order in basket.orders:
        account = accounts.get(order.account)
        fresh = account is None or not _is_known(account, order)
        asked = Leg(order, no_room if fresh else None)
        found = ask(order.account, asked) if account else answer_unknown(order, stamp, boards)
        assert isinstance(found, Verdict)  # A fault answers a leg with one as well.
        legs.append(_Judged(order, found, fresh))
    refusal, warnings = _judge_whole(boards, accounts, basket, legs)
    verdicts = [leg.verdict for leg in legs]
    for index, leg in enumerate(legs):
        if not (leg.fresh and leg.verdict.approved):
            continue
        if refusal is None:
            told = leg.verdict.warnings + warnings
            verdicts[index] = replace(leg.verdict, warnings=told) if warnings else leg.verdict
            if accounts[leg.order.account].crossed:
                ask(leg.order.account, Stands())
            continue
        taken = ask(leg.order.account, TakeBack(leg.order, refusal))
        if not isinstance(taken, Verdict):  # A fault: what it reserved stays until it is looked at.
            taken = denied(leg.order, stamp, (refusal,), version)
        verdicts[index] = taken
    return _answer(basket, stamp, verdicts)


def _wrong(basket: Basket) -> Reject | None:
    """Return why a basket is no basket at all: nothing of it is judged then."""
    text, ids = None, {(order.account, order.client_order_id) for order in basket.orders}
    if basket.account is not None and any(o.account != basket.account for o in basket.orders):
        text = f"every order of a basket of account {basket.account} is of that account"
    elif len(ids) < len(basket.orders):
        text = "every order of a basket has an id of its own"
    elif any(order.dry_run for order in basket.orders):
        text = "an order of a basket is no dry run"
    if text is None:
        return None
    return reject(RejectCode.MALFORMED, text, Scope.ACCOUNT, basket.account or "")


def _no_room(
    boards: Boards, accounts: Mapping[str, Account], basket: Basket, stamp: Stamp
) -> Reject | None:
    """Return why a basket does not fit the rates whole, where it must to be charged at all."""
    if boards.settings.basket_rate != "whole":
        return None
    legs = [
        (account, plan)
        for order in basket.orders
        for account in (accounts.get(order.account),)
        if account is not None and not _is_known(account, order)
        for plan in (account.plan(order.symbol, order.strategy, order.trader),)
        if plan is not None
    ]
    overrun = basket_overrun(legs, stamp)
    return None if overrun is None else over_rate(overrun)


def _is_known(account: Account, order: Check) -> bool:
    state, order_id = account.state, order.client_order_id
    return order_id in state.orders or order_id in state.finished or order_id in state.expired


def _judge_whole(
    boards: Boards, accounts: Mapping[str, Account], basket: Basket, legs: list[_Judged]
) -> tuple[Reject | None, tuple[Reject, ...]]:
    """Return why what was approved must be taken back, None if it stands, and the warnings."""
    if not any(leg.fresh for leg in legs):
        return None, ()
    failing = [leg.verdict for leg in legs if not leg.verdict.approved]
    if failing and basket.all_or_none:
        named = ", ".join(f"{verdict.account} {verdict.client_order_id}" for verdict in failing)
        first = failing[0].rejects[0]
        return replace(first, text=f"the basket fails with {named}: {first.text}"), ()
    warnings: tuple[Reject, ...] = ()
    approved = [leg.order for leg in legs if leg.verdict.approved]
    for cap in _caps(boards, accounts, approved):
        total_money = _total_money(boards, accounts, cap)
        if total_money is None:
            text = f"no exchange rate into {cap.currency} for the basket"
            return reject(RejectCode.FX_MISSING, text, cap.limit.scope, cap.limit.scope_id), ()
        total, unit = total_money / MONEY_SCALE, f"{cap.currency} in all"
        warnings += _thresholds(cap, accounts[cap.orders[0].account], total)
        if total_money <= cap.limit.money:
            continue
        found = exceeded(RejectCode.BASKET_NOTIONAL, cap.limit, total, unit)
        if cap.limit.hard:
            return found, ()
        warnings += (found,)
    return None, warnings


def _thresholds(cap: _Cap, account: Account, total: float) -> tuple[Reject, ...]:
    """Return the warning of a basket that is at a threshold of a cap; its alert goes with it."""
    level = level_of(cap.limit, total, cap.limit.value)
    if not cap.limit.is_table or level is Level.NORMAL:
        return ()
    alert = crossed_alert(cap.limit, level, total, account=account.id, symbol="")
    account.crossed += (alert,)  # A basket was nowhere before.
    if level is Level.BREACHED:
        return ()  # Its check says so itself.
    return (warning_of(cap.limit, RejectCode.BASKET_NOTIONAL, total),)


class _Cap(NamedTuple):
    """A limit on baskets, the orders that it holds together, and the currency it is in."""

    limit: ResolvedLimit
    orders: list[Check]
    currency: str


def _caps(boards: Boards, accounts: Mapping[str, Account], orders: list[Check]) -> Iterator[_Cap]:
    """Yield every cap: on what each account has in the basket, then on what groups have in it.

    A group's cap binds each of its accounts, in the account's currency, and all of them together
    in the firm's.
    """
    by_account: dict[str, list[Check]] = {}
    by_group: dict[str, dict[str, list[Check]]] = {}
    for order in orders:
        by_account.setdefault(order.account, []).append(order)
    for name, own in by_account.items():
        account = accounts[name]
        groups = boards.ancestry(account.state.spec.group)
        owners = [Owner(name, groups, o.symbol, o.strategy, o.trader) for o in own]
        yield from (_Cap(limit, own, account.currency) for limit in _tightest(boards, owners))
        for group in (*groups, FIRM):
            by_group.setdefault(group, {})[name] = own
    for group, members in by_group.items():
        scope = Scope.FIRM if group == FIRM else Scope.GROUP
        table = boards.limits.firm if group == FIRM else boards.limits.group.get(group)
        limit = None if table is None else limit_of(table, CAP, scope, group)
        if limit is not None and len(members) > 1:
            held = [order for own in members.values() for order in own]
            yield _Cap(limit, held, boards.settings.fx_pivot)


def _tightest(boards: Boards, owners: list[Owner]) -> list[ResolvedLimit]:
    """Return the tightest limit of all that orders fall under, and if it only warns, the hard."""
    found: list[ResolvedLimit] = []
    for hard_only in (False, True):
        limits = [resolve(boards.limits, owner, CAP, hard_only=hard_only) for owner in owners]
        known = [limit for limit in limits if limit is not None and limit not in found]
        if known and not (hard_only and found[0].hard):
            found.append(min(known, key=lambda limit: limit.value))
    return found


def _total_money(boards: Boards, accounts: Mapping[str, Account], cap: _Cap) -> int | None:
    """Return what orders come to in a currency, rounded up; None without an exchange rate."""
    total_money = 0
    for order in cap.orders:
        record = accounts[order.account].state.orders.get(order.client_order_id)
        if record is None or record.value_milliticks is None:
            continue  # Known before, and ended since: it is no part of what may go now.
        instrument = boards.instruments[order.symbol]
        rate = boards.quotes.rate(instrument.settlement, cap.currency)
        if rate is None:
            return None
        size = instrument.notional_money(record.lots, record.value_milliticks)
        total_money -= -size * rate.numerator // rate.denominator
    return total_money


def _answer(basket: Basket, stamp: Stamp, verdicts: list[Verdict]) -> BasketVerdict:
    names = dict.fromkeys(order.account for order in basket.orders)
    return BasketVerdict(
        basket_id=basket.basket_id,
        account=next(iter(names)) if len(names) == 1 else "",
        approved=all(verdict.approved for verdict in verdicts),
        seq=stamp.seq,
        verdicts=tuple(verdicts),
        request_id=basket.request_id,
    )
