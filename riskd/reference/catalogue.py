"""What there is to document: the sections of the contract, in reading order, and their messages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple, get_args

from msgspec import Struct
from msgspec import inspect as types

from riskd import messages


class Section(NamedTuple):
    """One table of contents entry: messages that travel the same way."""

    title: str
    introduction: str
    union: Any

    def structs(self) -> tuple[type[Struct], ...]:
        """Return the message types of this section, as declared."""
        return types_of(self.union)


def types_of(union: Any) -> tuple[type[messages.Message], ...]:
    """Return the message types of a union, as declared."""
    return get_args(union) or (union,)


SECTIONS = (
    Section(
        "Orders port: requests",
        "From gateways. Every one is answered exactly once, with the answer its text names or "
        "with `error`.",
        messages.OrdersRequest,
    ),
    Section(
        "Orders port: answers",
        "To gateways, in the encoding of the request. `error` is also an answer of the control "
        "port.",
        messages.OrdersAnswer,
    ),
    Section(
        "Orders port: unasked",
        "To a gateway that is a DEALER and said `hello` in one frame, as one frame in the encoding "
        "of its hello; `pong` comes so too, as a heartbeat. Published as well, see the alerts "
        "port.",
        messages.OrdersPush,
    ),
    Section(
        "Ticks port",
        "Market data. Nothing is answered; what cannot be taken is counted and left out.",
        messages.TicksMessage,
    ),
    Section(
        "Alerts port",
        "What riskd publishes: two frames, the topic and the message. Subscribe by the beginning "
        "of a topic. On subscribing, the last value of each matching state topic comes first. "
        "`pub_seq` rises by one within the first word of a topic: a step of more than one is a "
        "gap, and what was lost must be asked for.",
        messages.Published,
    ),
    Section(
        "Control port: questions",
        "From operators; they change nothing. Answered by `result`, or by `error`.",
        messages.ControlQuery,
    ),
    Section(
        "Control port: commands",
        "From operators; each is journalled before it takes effect, but for `stop`, `reload` and "
        "what is done beside the loop: `snapshot` and `account_rebuild`. Answered by `result`, or "
        "by `error`.",
        messages.ControlCommand | messages.ControlWork | messages.Reload | messages.Stop,
    ),
    Section(
        "Control port: answers",
        "The answer to a question or a command that was carried out.",
        messages.Result,
    ),
    Section(
        "Journal only",
        "riskd writes these into its journal itself, so that a replay knows all that it knew. No "
        "port takes them.",
        messages.InternalMessage,
    ),
)


def message_types() -> tuple[type[Struct], ...]:
    """Return every message type of the sections, once each, in reading order."""
    return tuple(dict.fromkeys(struct for section in SECTIONS for struct in section.structs()))


def unlisted_types(declared: Iterable[object]) -> list[str]:
    """Return the names among `declared` that are messages of no section and base of no message."""
    listed = set(message_types())
    return sorted(
        value.__name__
        for value in declared
        if isinstance(value, type) and issubclass(value, messages.Message)
        if value not in listed and not value.__subclasses__()
    )


def part_types() -> tuple[type[Struct], ...]:
    """Return every struct that a message contains and that is no message, ordered by name."""
    found: dict[str, type[Struct]] = {}
    waiting: list[types.Type] = list(types.multi_type_info(message_types()))
    while waiting:
        node = waiting.pop()
        if isinstance(node, types.StructType):
            if node.cls.__name__ in found:
                continue
            found[node.cls.__name__] = node.cls
            waiting.extend(field.type for field in node.fields)
        else:
            waiting.extend(_inside(node))
    listed = set(message_types())
    return tuple(struct for _, struct in sorted(found.items()) if struct not in listed)


def _inside(node: types.Type) -> list[types.Type]:
    match node:
        case types.Metadata():
            return [node.type]
        case types.UnionType():
            return list(node.types)
        case types.TupleType():
            return list(node.item_types)
        case types.ListType() | types.VarTupleType() | types.SetType() | types.FrozenSetType():
            return [node.item_type]
        case types.DictType():
            return [node.key_type, node.value_type]
        case _:
            return []
