"""The model beside the engine: it takes each message with the engine's answer, and objects."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, NamedTuple

import pytest
from msgspec.structs import replace

from riskd.messages import (
    Ack,
    Amend,
    Check,
    Error,
    Fill,
    FillBust,
    FillCorrect,
    OrderReport,
    OrderType,
    Reject,
    Transfer,
    Verdict,
)
from tests.engine.model.books import Booked
from tests.engine.model.judge import ENDLESS, Case, Charged, Found
from tests.engine.model.market import MS, exact
from tests.engine.model.orders import Asked, Change
from tests.engine.model.rules import SECOND_NS, duplicate_rules, rate_bounds
from tests.engine.model.world import World

Flags = tuple[str, ...]
ENDINGS = ("rejected", "canceled", "expired")
NEEDS = {  # (price, stop_price) of each order type.
    OrderType.LIMIT: (True, False),
    OrderType.MARKET: (False, False),
    OrderType.STOP: (False, True),
    OrderType.STOP_LIMIT: (True, True),
}
UNITS_MAX = 10**15


class Remembered(NamedTuple):
    """A judged change, to tell repeats."""

    amend: Amend
    verdict: Verdict


class Witness:
    """Says of every answer of the engine whether it is right."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.amends: dict[tuple[object, ...], Remembered] = {}

    # Orders.

    def check(self, order: Check, verdict: Verdict) -> None:
        world, key = self.world, (order.account, order.client_order_id)
        known = world.orders.get(key)
        if known is not None and not order.dry_run:
            return self._repeated(known, order, verdict)
        if key in world.aliases and not order.dry_run:
            return codes_are(verdict, ["ID_REUSED"])
        early = self._early(order)
        if early is not None:
            codes_are(verdict, [early])
        else:
            case = Case(world, order, charged=self._charge(order))
            self._slow(case)
            self._judged(case, verdict)
        if order.dry_run:
            assert verdict.reservation_id is None
            return None
        asked = Asked(order, verdict, state="pending" if verdict.approved else "denied")
        if verdict.approved:
            asked.quantity, asked.value = case.quantity, case.value
            asked.suspect_ns = world.now_ns + world.universe.settings.reservation_ms * MS
        world.orders[key] = asked
        return None

    def _early(self, order: Check) -> str | None:
        """What is wrong with an order before anything about it is looked up."""
        price, stop = NEEDS[order.order_type]
        if (order.price is not None, order.stop_price is not None) != (price, stop):
            return "MALFORMED"
        if order.symbol not in self.world.market.instruments:
            return "UNKNOWN_SYMBOL"
        prices = (order.price, order.stop_price, order.stop_loss, order.take_profit)
        numbers = (order.quantity, *(x for x in prices if x is not None))
        return None if all(number > 0 for number in numbers) else "VALUE_INVALID"

    def _repeated(self, known: Asked, order: Check, verdict: Verdict) -> None:
        """The first verdict again, or the first field that differs by name."""
        same = {"request_id": None, "deadline_ns": None, "dry_run": False, "explain": False}
        if replace(known.first, **same) == replace(order, **same):
            first = replace(known.verdict, duplicate=True, request_id=order.request_id)
            assert verdict == first
        else:
            codes_are(verdict, ["ID_REUSED"])

    def _charge(self, order: Check) -> Charged:
        """Every scope is charged, whatever any of them says; a refusal is not charged.

        A dry run asks the same and charges nothing.
        """
        world, now_ns = self.world, self.world.now_ns
        ask = world.throttle.wait if order.dry_run else world.throttle.charge
        owner = world.owner(order)
        told: dict[bool, list[tuple[Any, int]]] = {True: [], False: []}
        for bound in rate_bounds(world.limits, owner):
            after_ns = ask((bound.scope, bound.scope_id), int(bound.value), SECOND_NS, now_ns)
            if after_ns:
                told[bound.hard].append((bound, after_ns))
        repeated = False
        lots = exact(order.quantity) / world.market.lot(order.symbol)
        if lots.denominator == 1:
            for rule in duplicate_rules(world.limits, owner):
                prices = (order.price, order.stop_price)
                content = (order.account, order.symbol, order.side, lots, *prices, rule.window_ms)
                span_ns = rule.window_ms * MS
                repeated |= bool(ask(content, rule.count, span_ns, now_ns))
        return Charged(told[True], told[False], repeated)

    def _slow(self, case: Case) -> None:
        """Breakers that slow space out what does not reduce; of that more might have to wait."""
        world, account = self.world, case.check.account
        is_free = case.check.dry_run or case.reducing
        ask = world.throttle.wait if is_free else world.throttle.charge
        for number, stop in case.stops().items():
            if stop.action == "slow" and not stop.is_kill:
                span_ns = stop.spacing_ms * MS
                after_ns = ask(("slow", account, number), 1, span_ns, world.now_ns)
                case.slowed_ns = max(case.slowed_ns, after_ns)

    def _judged(self, case: Case, verdict: Verdict) -> None:
        """Every reason in order, or the first; every number; the largest that would pass."""
        found = list(case.reasons())
        refusals, warnings = [x for x in found if x.hard], [x for x in found if not x.hard]
        if refusals:
            told = refusals if case.check.explain else refusals[:1]
            says(verdict.rejects, told)
            assert verdict.warnings == ()
        else:
            says(verdict.rejects, [])
            says(past(verdict.warnings), warnings)
            assert exact(verdict.certified_quantity or 0) == case.certified
        if refusals or case.check.explain:
            assert exact(verdict.reducing_quantity or 0) == case.closing
            self._largest(case, verdict)
        else:
            assert verdict.max_quantity is None

    def _largest(self, case: Case, verdict: Verdict) -> None:
        """What is told to pass passes, and one lot more does not, for what is told to bind."""
        if case.off_lot:
            assert verdict.max_quantity is None
            return
        assert verdict.max_quantity is not None
        assert verdict.reference is not None
        told = exact(verdict.reference.price), verdict.reference.source
        assert told == (case.reference, case.source)
        lot, most = self.world.market.lot(case.check.symbol), exact(verdict.max_quantity)
        if verdict.binding_limit is None:
            assert most == UNITS_MAX * lot
            return
        filled = case.old.filled if case.old else Fraction(0)
        if most:
            assert most > filled
            assert self._first_refusal(case, most) is None
        over = self._first_refusal(case, max(most, filled) + lot)
        assert over is not None
        named = over.bound.key if over.bound and over.code not in BY_CODE else over.code.lower()
        assert verdict.binding_limit == named

    def _first_refusal(self, case: Case, quantity: Fraction) -> Found | None:
        closes = case.check.close_position  # What is asked here is no more than what closes.
        check = replace(
            case.check,
            quantity=float(quantity),
            close_position=False,
            reduce_only=case.check.reduce_only or closes,
        )
        other = Case(self.world, check, old=case.old, charged=case.charged)
        other.slowed_ns = case.slowed_ns
        return next((x for x in other.reasons() if x.hard), None)

    # Changes.

    def amend(self, amend: Amend, verdict: Verdict) -> None:
        world = self.world
        root = world.root(amend.account, amend.client_order_id)
        order = world.orders.get(root)
        order = order if order is not None and order.is_working else None
        known = self.amends.get(identity(amend))
        if known is not None and not self._is_over(known, order):
            if replace(known.amend, request_id=None) == replace(amend, request_id=None):
                first = replace(known.verdict, duplicate=True, request_id=amend.request_id)
                assert verdict == first
                return None
            return codes_are(verdict, ["ID_REUSED"])
        if order is None:
            return codes_are(verdict, ["UNKNOWN_ORDER"])
        merged = self.merged(order, amend)
        early = self._wrong(amend) or self._early(merged)
        case = None
        if early is None:
            case = Case(world, merged, old=order, charged=self._charge(merged))
            if case.off_lot or case.quantity > order.filled:
                self._slow(case)
            else:
                early = "VALUE_INVALID"
        if early is not None:
            codes_are(verdict, [early])
        elif case is not None:
            self._judged(case, verdict)
        if verdict.approved or amend.new_client_order_id is not None:
            self.amends[identity(amend)] = Remembered(amend, verdict)
        if verdict.approved and case is not None:
            order.changes.append(Change(amend, merged, case.quantity, case.value, verdict))
            if amend.new_client_order_id is not None:
                world.aliases[amend.account, amend.new_client_order_id] = root[1]
        return None

    def merged(self, order: Asked, amend: Amend) -> Check:
        """The order as the newest change in flight would leave it, with what this one says."""
        told = {"quantity": amend.quantity, "price": amend.price, "stop_price": amend.stop_price}
        changed: dict[str, Any] = {key: x for key, x in told.items() if x is not None}
        return replace(order.newest(), **changed, explain=False, deadline_ns=None)

    def _wrong(self, amend: Amend) -> str | None:
        if amend.quantity is None and amend.price is None and amend.stop_price is None:
            return "MALFORMED"
        new = amend.account, amend.new_client_order_id or ""
        used = new in self.world.orders or new in self.world.aliases
        return "ID_REUSED" if amend.new_client_order_id is not None and used else None

    def _is_over(self, known: Remembered, order: Asked | None) -> bool:
        """Whether words without an id of their own ask for another change by now."""
        if known.amend.new_client_order_id is not None or order is None:
            return False
        return not order.changes or order.changes[-1].verdict != known.verdict

    # What the venue says.

    def report(self, report: OrderReport, ack: Ack) -> None:
        root = self.world.root(report.account, report.client_order_id)
        order = self.world.orders.get(root)
        if order is None or not order.is_working:
            unknown = order is None or order.state in ("denied", "void")
            if order is not None and report.report_id in order.reports:
                return acked(ack, (), duplicate=True)
            if order is not None:
                order.reports.add(report.report_id)
            return acked(ack, ("unknown_order" if unknown else "already_terminal",))
        if report.report_id in order.reports:
            return acked(ack, (), duplicate=True)
        order.reports.add(report.report_id)
        order.suspect_ns = None
        if self._is_old_news(order, report, root[1]):
            return acked(ack, ("already_answered",))
        acked(ack, ())
        if report.status in ENDINGS:
            order.end(report.status)
        elif report.status == "cancel_pending":
            order.state = "cancel_pending"
        elif report.status == "accepted":
            order.hear()
        else:
            self._replaced(order, report, root[1])
        return None

    def _is_old_news(self, order: Asked, report: OrderReport, root: str) -> bool:
        """Whether it is about a change that was answered before."""
        answers = report.status in ("replaced", "replace_rejected")
        is_bare = report.leaves_quantity is None and report.client_order_id != root
        return answers and is_bare and not self._may_be_of(order, report, root)

    def _may_be_of(self, order: Asked, report: OrderReport, root: str) -> list[Change]:
        """The changes in flight that a report may be about: the oldest of them is."""
        named = report.client_order_id
        own = [change for change in order.changes if change.amend.new_client_order_id == named]
        bare = [change for change in order.changes if change.amend.new_client_order_id is None]
        return own or (order.changes if named == root else bare)

    def _replaced(self, order: Asked, report: OrderReport, root: str) -> None:
        """What was taken is the order, with those before it void; what was refused never was."""
        answered = self._may_be_of(order, report, root)
        index = order.changes.index(answered[0]) if answered else 0
        if report.status == "replace_rejected":
            del order.changes[index : index + len(answered[:1])]
        elif answered:
            taken = answered[0]
            order.check, order.quantity, order.value = taken.check, taken.quantity, taken.value
            del order.changes[: index + 1]
        if report.status == "replaced" and report.leaves_quantity is not None:
            order.quantity = order.filled + exact(report.leaves_quantity)
            order.check = replace(order.check, quantity=float(order.quantity))
        order.state = "accepted"
        order.end_if_done()

    def fill(self, fill: Fill, ack: Ack) -> None:
        world, books = self.world, self.world.books[fill.account]
        known = books.fills.get(fill.exec_id)
        if known is not None:
            same = fill in (known.fill, known.first)
            return acked(ack, () if same else ("conflict",), duplicate=True)
        on_tick = world.market.is_on_tick(fill.symbol, exact(fill.price))
        acked(ack, (() if on_tick else ("off_tick",)) + self._used_up(fill))
        books.fills[fill.exec_id] = Booked(fill, fill, books.day)
        return None

    def _used_up(self, fill: Fill) -> Flags:
        """What a fill leaves of its order; what is odd about the two."""
        order = self.world.orders.get(self.world.root(fill.account, fill.client_order_id or ""))
        if fill.client_order_id is None or order is None or order.state in ("denied", "void"):
            return ("unknown_order",)
        if order.check.symbol != fill.symbol or order.check.side is not fill.side:
            return ("mismatch", "unknown_order")
        order.filled += exact(fill.quantity)
        over = ("over_fill",) if order.filled > order.most() else ()
        if not order.is_working:
            return (() if order.state == "filled" else ("late_fill",)) + over
        order.hear()
        order.end_if_done()
        return over

    def bust(self, bust: FillBust, ack: Ack) -> None:
        booked = self.world.books[bust.account].fills.get(bust.exec_id)
        if booked is None:
            return acked(ack, ("unknown_exec",))
        acked(ack, (), duplicate=booked.busted)
        booked.busted = True
        return None

    def correct(self, correct: FillCorrect, ack: Ack) -> None:
        booked = self.world.books[correct.account].fills.get(correct.exec_id)
        if booked is None:
            return acked(ack, ("unknown_exec",))
        told = {"quantity": correct.quantity, "price": correct.price}
        changed: dict[str, Any] = {key: x for key, x in told.items() if x is not None}
        fill = replace(booked.fill, **changed)
        if fill == booked.fill and not booked.busted:
            return acked(ack, (), duplicate=True)
        on_tick = self.world.market.is_on_tick(fill.symbol, exact(fill.price))
        booked.fill, booked.busted = fill, False
        return acked(ack, () if on_tick else ("off_tick",))

    def transfer(self, transfer: Transfer, answer: Ack | Error) -> None:
        books = self.world.books[transfer.account]
        amount, currency = exact(transfer.amount), transfer.currency or books.spec.currency
        if not amount:
            assert isinstance(answer, Error)
            return None
        assert isinstance(answer, Ack)
        known = books.transfers.get(transfer.transfer_id)
        if known is not None:
            flags = () if known == (amount, currency) else ("conflict",)
            return acked(answer, flags, duplicate=True)
        acked(answer, ())
        books.transfers[transfer.transfer_id] = amount, currency
        books.pay_in(amount, currency)
        return None


BY_CODE = ("RATE_LIMIT", "GROUP_LIMIT", "CURRENCY_EXPOSURE")  # Told by code when they bind.


def identity(amend: Amend) -> tuple[object, ...]:
    if amend.new_client_order_id is not None:
        return amend.account, amend.client_order_id, amend.new_client_order_id
    values = (amend.quantity, amend.price, amend.stop_price)
    return amend.account, amend.client_order_id, None, *values


def codes_are(verdict: Verdict, codes: list[str]) -> None:
    assert [reject.code for reject in verdict.rejects] == codes
    assert verdict.approved is not bool(codes)


def says(told: tuple[Reject, ...], found: list[Found]) -> None:
    """The same reasons in the same order, with the same limits and numbers."""
    assert [x.code for x in told] == [x.code for x in found]
    for reject, reason in zip(told, found, strict=True):
        if reason.bound is not None:
            named = (reject.limit_type, reject.scope, reject.scope_id, reject.limit)
            bound = reason.bound
            assert named == (bound.key, bound.scope, bound.scope_id, float(bound.value))
        if reason.value == ENDLESS:
            assert reject.value is None  # JSON has no number for it.
        elif reason.value is not None:
            assert reject.value == pytest.approx(float(reason.value), rel=1e-9, abs=1e-9)


def past(told: tuple[Reject, ...]) -> tuple[Reject, ...]:
    """Return the warnings of limits that are past; what is only near one is checked here."""
    near = tuple(x for x in told if x.text.endswith((": warning", ": critical")))
    for found in near:
        assert found.value is not None
        assert found.limit is not None
        assert 0.8 * found.limit <= found.value * (1 + 1e-9)
        assert found.value <= found.limit
    return tuple(x for x in told if x not in near)


def acked(ack: Ack, flags: Flags, *, duplicate: bool = False) -> None:
    assert (ack.flags, ack.duplicate) == (flags, duplicate)
