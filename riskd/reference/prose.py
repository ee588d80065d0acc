"""What the types cannot say: how to connect, how bytes are framed, what an error code means."""

from __future__ import annotations

INTRODUCTION = """\
<!-- Made by scripts/generate from riskd/messages.py and riskd/reference; do not edit. -->

# The protocol of riskd

Gateways, market data, subscribers and operators talk to riskd over ZeroMQ. Every message is
declared once, in `riskd/messages.py`, and this page is made from those declarations. The same as a
JSON Schema: [schema.json](schema.json).

## Connecting

| port | riskd's socket | yours | default address | for |
| --- | --- | --- | --- | --- |
| orders | ROUTER | REQ, or DEALER to pipeline | `tcp://127.0.0.1:5701` | order gateways |
| ticks | PULL | PUSH | `tcp://127.0.0.1:5702` | market data |
| ticks | SUB | PUB | as configured, riskd connects | market data |
| alerts | XPUB | SUB | `tcp://127.0.0.1:5703` | whoever wants to know |
| control | ROUTER | REQ or DEALER | `tcp://127.0.0.1:5704` | operators |

Where riskd has keys, a client over tcp sets CURVE_SERVERKEY to riskd's public key and
CURVE_PUBLICKEY and CURVE_SECRETKEY to its own pair; all three are in its key file. See
[Roles](#roles).

Every port may be bound to several `tcp://` and `ipc://` addresses. Set no routing id. A REQ puts an
empty frame before its message; a DEALER may, and gets it back. A REQ that had no answer in time can
send nothing more: close it and open another. 2 s is a good time to wait.

## Framing

- One message is one frame, and is either a JSON object or a msgpack map. The first byte tells: `{`
  is JSON, with no blank and no byte order mark before it; all else is taken for msgpack. An answer
  has the encoding of its request. Published messages are JSON.
- Every message has `type`. Required fields must be there; a field with a default may be left out;
  one that is optional may be left out or `null`. A field that is not listed is refused: a misspelt
  price must not pass for an absent one.
- Instants (`_ns`) are integers: nanoseconds since 1970-01-01T00:00:00Z. They are larger than 2^53:
  where JSON numbers are doubles, as in JavaScript, they are off by up to 128 ns. Spans (`age_ns`,
  `retry_after_ns`) are nanoseconds too. Prices and quantities are
  numbers in the instrument's own units. They are turned into whole ticks and lots at the door; an
  order that does not fit is refused, not rounded.
- Enumerations are text in lower case.
- `request_id` is yours: it is given back in the answer, and means nothing to riskd. Answers are
  matched by it, or by `client_order_id` and `ref`.
- Sizes: a message has at most 64 KiB on the orders port and 256 KiB on ticks and control. Keep at
  most 1,000 requests per connection unanswered (100 on control): what a peer does not read beyond
  that is dropped, and counted, so that it costs nobody else.
- A message that cannot be taken is answered by `error`; on the ticks port, which answers nothing,
  it is counted. Either way the state is untouched and the socket goes on.

## The life of an order

1. `check`. Only a `verdict` with `approved` true lets the order go; `error`, silence and anything
   unknown do not. What it could come to is now reserved.
2. Send it to the venue, then tell each thing the venue says: `order_report` with `accepted` or
   `rejected`, a `fill` for every execution, `canceled` or `expired` at its end. Fills and those
   ends free what was reserved; without news until `valid_until_ns` an alert asks for it.
3. An approved order that was not sent after all: `order_report` with `canceled`.
4. To change it: `amend`, and `replaced` or `replace_rejected` when the venue has answered.

Listen to topic `heartbeat` of the alerts port as well. A gateway that hears none for some time,
three seconds in riskd's own clients, sends nothing more until it does.

## Asking again

No answer is a denial. To ask again, send the same message with the same id (`client_order_id`,
`report_id`, `exec_id`, `transfer_id`): the first answer comes back with `duplicate` true, and
nothing happens twice. The same id with another body is refused or flagged, never booked."""

# Code -> what it means, what to do.
ERROR_MEANINGS: dict[str, tuple[str, str]] = {
    "malformed": (
        "The bytes are no message, or a field is missing, unknown or of the wrong type.",
        "Correct what `field` or the text names; its row on this page says what it may be.",
    ),
    "unknown_type": (
        "`type` is missing, or names no message of this port.",
        "Look for it on this page: it may belong to another port.",
    ),
    "too_large": ("The message is larger than the port takes.", "Send less at once."),
    "not_authorized": (
        "The key that authenticated the connection may not do this.",
        "Use a key of a role that may, or ask who holds one.",
    ),
    "overloaded": (
        "Too many messages are waiting, from this peer or in all, or it sends too many a second.",
        "Wait, then send the same message again.",
    ),
    "not_found": (
        "What the request names does not exist.",
        "Ask for the list it should be in: `accounts`, `orders`, `breakers`.",
    ),
    "refused": ("The request is understood and cannot be carried out.", "The text says why."),
    "internal": (
        "riskd had a fault; the text carries no cause, its log does.",
        "Tell the operator. Whether the request took effect can be seen in the state.",
    ),
}
