"""Recorded trades booked as fills of two accounts: the ledger on real prices, sizes and fees.

The rule of the test: odd rows of a file are bought, even rows sold, so that the position drifts
and goes through zero. Every fourth fill earns a rebate, the others pay; every tenth pays in euros.
The equity files have no print off the tick; Mt.Gox's have five decimals where the tick is a cent,
so the value of a fill there ends beyond 10^-12 and is rounded.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator
from decimal import Decimal
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from riskd.aio import AsyncRiskClient
from riskd.client import RiskClient
from riskd.messages import Ack, Fill, Side
from tests.end_to_end.books import replayed
from tests.recorded.recount import UNITS, Deal, SlowLedger, rows_of
from tests.recorded.world import AVERAGE, BALANCE, FIFO, recorded_riskd

pytestmark = [pytest.mark.recorded, pytest.mark.end_to_end]

ROWS_MAX = 11_000  # Of each file: more than a position keeps to be busted, so old ones are folded.
FIRST_ONE_BY_ONE = 50  # By the plain client; the rest are pipelined.
METHODS = {AVERAGE: "average", FIFO: "fifo"}


class Booking(NamedTuple):
    """A deal with the fee that it pays (positive) in a currency."""

    deal: Deal
    fee: Decimal
    fee_currency: str | None


def bookings(prints: Iterable[tuple[Decimal, Decimal]]) -> Iterator[Booking]:
    """Apply the rule of the test to sizes and prices."""
    for row, (size, price) in enumerate(islice(prints, ROWS_MAX), start=1):
        deal = Deal(size if row % 2 else -size, price)
        cents = (size * Decimal("0.0035")).quantize(Decimal("1e-9"))
        yield Booking(deal, -cents if row % 4 == 0 else cents, "EUR" if row % 10 == 0 else None)


def equity_prints(path: Path) -> Iterator[tuple[Decimal, Decimal]]:
    """Yield size and price of every trade."""
    for row in rows_of(path):
        yield Decimal(row["size"]), Decimal(row["price_x10000"]).scaleb(-4)


def fill_of(account: str, symbol: str, row: int, booking: Booking) -> Fill:
    """Return what a gateway would say of a booking."""
    quantity, price = booking.deal
    return Fill(
        account=account,
        exec_id=f"{symbol}-{row}",
        symbol=symbol,
        side=Side.BUY if quantity > 0 else Side.SELL,
        quantity=float(abs(quantity)),
        price=float(price),
        fee=float(booking.fee),
        fee_currency=booking.fee_currency,
    )


async def told(address: str, fills: list[Fill]) -> list[Ack]:
    """Tell fills pipelined, in their order; return the answers in the same order."""
    async with AsyncRiskClient(address, timeout_ms=60_000, attempt_ms=20_000) as client:
        futures = [await client.submit(fill) for fill in fills]
        answers = await asyncio.gather(*futures)
    assert all(isinstance(answer, Ack) for answer in answers)
    return [answer for answer in answers if isinstance(answer, Ack)]


def test_booked_trades_make_the_same_books_as_pencil_and_paper(shared, tmp_path):
    folder = shared / "data"
    mtgox = folder / "crypto" / "mtgox_btcusd_trades_2013-01-01.csv.gz"
    sources = {
        "IBM": equity_prints(folder / "equity" / "ibm_trades_2013-10-08.csv.gz"),
        "BAC": equity_prints(folder / "equity" / "bac_trades_2013-10-09.csv.gz"),
        "BTCUSD": ((Decimal(row["amount"]), Decimal(row["price"])) for row in rows_of(mtgox)),
    }
    booked = {symbol: list(bookings(prints)) for symbol, prints in sources.items()}
    fills = [
        fill_of(account, symbol, row, booking)
        for account in METHODS
        for symbol, all_of_it in booked.items()
        for row, booking in enumerate(all_of_it)
    ]
    with recorded_riskd(tmp_path) as riskd:
        with RiskClient(riskd.addresses["orders"], timeout_ms=20_000) as client:
            acks = [client.fill(fill) for fill in fills[:FIRST_ONE_BY_ONE]]
        acks += asyncio.run(told(riskd.addresses["orders"], fills[FIRST_ONE_BY_ONE:]))
        assert [ack.ref for ack in acks] == [fill.exec_id for fill in fills]
        assert not any(ack.duplicate for ack in acks)
        assert [ack.seq for ack in acks] == sorted({ack.seq for ack in acks})
        flags = Counter(flag for ack in acks for flag in ack.flags)
        off_tick = sum(
            x.deal.price % Decimal("0.01") != 0 for rows in booked.values() for x in rows
        )
        assert off_tick > 1000
        assert flags == {"off_tick": 2 * off_tick, "unknown_order": len(fills)}
        require_shown_as_booked(riskd.control("positions"), booked)
        status = riskd.status()
        riskd.kill()
        core = replayed(riskd.books, status["seq"])
    for account, method in METHODS.items():
        state = core.accounts[account].state
        cash = {"USD": BALANCE * UNITS, "EUR": 0}
        for symbol, all_of_it in booked.items():
            ledger = SlowLedger(method).take(booking.deal for booking in all_of_it)
            books = state.positions[symbol].books
            lot = Fraction(core.boards.instruments[symbol].spec.lot_size)
            assert books.lots * lot == ledger.held
            assert (books.cost_money, books.realized_money) == (ledger.cost, ledger.realized)
            usd, eur = fees_of(all_of_it)
            assert (books.fees_money, books.foreign_fees) == (usd, {"EUR": eur})
            cash["USD"] += ledger.realized + usd
            cash["EUR"] += eur
        assert state.cash == cash


def fees_of(all_of_it: list[Booking]) -> tuple[int, int]:
    """Return the fees in dollars and euros, in units, what is paid negative."""
    by_currency: Counter[str] = Counter()
    for booking in all_of_it:
        by_currency[booking.fee_currency or "USD"] -= int(booking.fee * UNITS)
    return by_currency["USD"], by_currency["EUR"]


def require_shown_as_booked(
    positions: list[dict[str, Any]], booked: dict[str, list[Booking]]
) -> None:
    """Fail unless the control port shows quantity, realised P&L and fees of the slow ledger."""
    assert len(positions) == len(METHODS) * len(booked)
    for position in positions:
        method, all_of_it = METHODS[position["account"]], booked[position["symbol"]]
        ledger = SlowLedger(method).take(booking.deal for booking in all_of_it)
        assert position["quantity"] == float(ledger.held)
        assert position["realized"] == ledger.realized / UNITS
        assert position["fees"] == fees_of(all_of_it)[0] / UNITS
