"""What an order is, apart from how it was sent: the fields that make it the same order."""

from __future__ import annotations

from hashlib import blake2b

import msgspec

from riskd.contract.orders import Check

ORDER_HASH_BYTES = 16
BODY_FIELDS = tuple(
    name
    for name in Check.__struct_fields__
    if name not in ("request_id", "deadline_ns", "dry_run", "explain")
)
_encode = msgspec.json.Encoder().encode


def order_hash(order: Check) -> str:
    """Return the hash of an order's body, 32 hexadecimal digits: what an override names.

    Account, client_order_id and every field that a repeat must have the same are part of it.
    """
    body = _encode([getattr(order, name) for name in BODY_FIELDS])
    return blake2b(body, digest_size=ORDER_HASH_BYTES).hexdigest()
