"""`docs/asyncapi.json`: which messages travel where, and what answers them, as AsyncAPI 3.0."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from riskd import __version__, messages
from riskd.codec import encode_json
from riskd.examples import example_of
from riskd.reference.catalogue import types_of
from riskd.reference.schema import definitions_of_all

Shown = dict[str, Any]
Types = tuple[type[Struct], ...]
PORTS = {"orders": 5701, "ticks": 5702, "alerts": 5703, "control": 5704}
ABOUT = (
    "Made by scripts/generate from riskd/messages.py; not written by hand. One message is one "
    "ZeroMQ frame, JSON or msgpack; on the alerts port a frame with the topic comes before it."
)
REQUESTS: dict[str, Types] = {
    "orders": types_of(messages.OrdersRequest),
    "control": types_of(
        messages.ControlQuery | messages.ControlCommand | messages.ControlWork | messages.Stop
    ),
}
ANSWERS: dict[type[Struct], type[Struct]] = {  # Of other requests: an ack, of the control a result.
    messages.Check: messages.Verdict,
    messages.Amend: messages.Verdict,
    messages.Basket: messages.BasketVerdict,
    messages.Hello: messages.Welcome,
    messages.Resync: messages.WorkingOrders,
    messages.Ping: messages.Pong,
}
TOPICS = re.compile(r"[Tt]opics? (`[^`]+`(?: and `[^`]+`)*)")
PLACE = re.compile(r"<([^>]+)>")


def render_asyncapi() -> str:
    """Return the document: a channel a port and a topic, an operation a message. Deterministic."""
    channels, operations = {}, {}
    for name, channel, action, carried in _channels():
        channels[name] = channel
        for struct in carried:
            operations[f"{name}.{struct.__name__}"] = _operation(name, action, struct)
    carried_types = sorted({key for channel in channels.values() for key in channel["messages"]})
    document = {
        "asyncapi": "3.0.0",
        "info": {"title": "riskd", "version": __version__, "description": ABOUT},
        "defaultContentType": "application/json",
        "servers": {
            port: {"host": f"127.0.0.1:{number}", "protocol": "zmq"}
            for port, number in PORTS.items()
        },
        "channels": channels,
        "operations": operations,
        "components": {
            "messages": {name: _message(getattr(messages, name)) for name in carried_types},
            "schemas": dict(sorted(definitions_of_all("#/components/schemas/{name}").items())),
        },
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def answer_to(port: str, request: type[Struct]) -> type[Struct]:
    """Return what answers a request of a port that is not refused by an `error`."""
    return messages.Result if port == "control" else ANSWERS.get(request, messages.Ack)


def topics_of(published: type[Struct]) -> tuple[str, ...]:
    """Return the topics of a message as its text names them; `LookupError` if it names none."""
    named = TOPICS.search(" ".join((inspect.getdoc(published) or "").split()))
    if named is None:
        raise LookupError(f"{published.__name__}: say in its text: Topic `...`")
    return tuple(re.findall("`([^`]+)`", named[1]))


def _channels() -> Iterator[tuple[str, Shown, str, Types]]:
    """Yield each channel with its name, what riskd does there, and the messages it does it with."""
    for port, requests in REQUESTS.items():
        answers = tuple(answer_to(port, request) for request in requests)
        yield port, _channel(port, None, (*requests, *answers, messages.Error)), "receive", requests
    pushed = types_of(messages.OrdersPush)
    yield "orders unasked", _channel("orders", None, pushed), "send", pushed
    ticks = types_of(messages.TicksMessage)
    yield "ticks", _channel("ticks", None, ticks), "receive", ticks
    by_topic: dict[str, Types] = {}
    for published in types_of(messages.Published):
        for topic in topics_of(published):
            by_topic[topic] = (*by_topic.get(topic, ()), published)
    for topic, carried in by_topic.items():
        yield topic, _channel("alerts", topic, carried), "send", carried


def _channel(port: str, topic: str | None, carried: Types) -> Shown:
    places = [] if topic is None else PLACE.findall(topic)
    shown: Shown = {
        "address": None if topic is None else PLACE.sub(lambda x: f"{{{_name(x[1])}}}", topic),
        "servers": [{"$ref": f"#/servers/{port}"}],
        "messages": {
            struct.__name__: {"$ref": f"#/components/messages/{struct.__name__}"}
            for struct in carried
        },
    }
    if places:
        shown["parameters"] = {_name(place): {"description": place} for place in places}
    return shown


def _operation(channel: str, action: str, struct: type[Struct]) -> Shown:
    shown = {"action": action, "channel": _within(channel), "messages": [_within(channel, struct)]}
    if channel in REQUESTS:
        answers = (answer_to(channel, struct), messages.Error)
        told = [_within(channel, answer) for answer in answers]
        shown["reply"] = {"channel": _within(channel), "messages": told}
    return shown


def _within(channel: str, struct: type[Struct] | None = None) -> Shown:
    place = "#/channels/" + channel.replace("~", "~0").replace("/", "~1")
    return {"$ref": place if struct is None else f"{place}/messages/{struct.__name__}"}


def _message(struct: type[Struct]) -> Shown:
    text = (inspect.getdoc(struct) or "").partition("\n\n")
    return {
        "name": struct.__struct_config__.tag,
        "title": struct.__name__,
        "summary": " ".join(text[0].split()),
        "payload": {"$ref": f"#/components/schemas/{struct.__name__}"},
        "examples": [{"payload": json.loads(encode_json(example_of(struct)))}],
    }


def _name(place: str) -> str:
    return place.replace(" ", "_")
