"""Digests: one hash of everything, and one of the books alone, which knows no instants."""

from __future__ import annotations

from hashlib import blake2b

import msgspec

from engine.books import Books
from engine.core_state import CoreState

DIGEST_BYTES = 16
_encode = msgspec.json.Encoder().encode  # Not msgpack: money outgrows its 64-bit integers.
_decode = msgspec.json.Decoder(CoreState).decode


def encode_state(state: CoreState) -> bytes:
    """Return the canonical bytes of a state: equal states give equal bytes."""
    return _encode(state)


def decode_state(payload: bytes | memoryview) -> CoreState:
    """Return the state in `payload`; raise `msgspec.DecodeError` if there is none."""
    return _decode(payload)


def state_digest(state: CoreState) -> str:
    """Return the hash of everything, instants and sequence numbers included."""
    return blake2b(encode_state(state), digest_size=DIGEST_BYTES).hexdigest()


def books_digest(state: CoreState) -> str:
    """Return the hash of what is owned, owed and promised, without instants or numbering.

    Two runs that took the same inputs at other times, or were interrupted and went on, agree on it.
    """
    accounts = {}
    for key, account in sorted(state.accounts.items()):
        accounts[key] = {
            "cash": sorted(account.cash.items()),
            "transfers": sorted(account.transfers.items()),
            "positions": [
                (symbol, _booked(held.books), held.open_buy_lots, held.open_sell_lots)
                for symbol, held in sorted(account.positions.items())
            ],
            "orders": [
                (order_id, order.state, order.leaves_lots, order.filled_lots)
                for order_id, order in sorted(({**account.orders, **account.finished}).items())
            ],
            "frozen": account.frozen,
        }
    quotes = [
        (symbol, quote.bid, quote.ask, quote.last) for symbol, quote in sorted(state.quotes.items())
    ]
    return blake2b(_encode([accounts, quotes]), digest_size=DIGEST_BYTES).hexdigest()


def _booked(books: Books) -> tuple[object, ...]:
    """Return books without their trades, which know instants."""
    fees = (books.fees_money, dict(books.foreign_fees))
    legs = [(name, _booked(leg)) for name, leg in books.legs.items()]
    return books.lots, books.cost_money, books.realized_money, fees, books.open_lots or [], legs
