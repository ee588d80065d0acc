"""What the holder of a key may ask: the table of roles, and whose accounts it speaks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from riskd.contract.roles import LEAST_ROLE, Role, admits
from riskd.key_folder import AllowedKey
from riskd.messages import Basket, Hello, InstructionReport, Message

# Types of the orders port that name no account: they are about the connection or its session.
NAMELESS = frozenset(("ping", "resync", "resynced"))
InstructedAccount = Callable[[str], str | None]


def refusal_of(
    holder: AllowedKey, message: Message, instructed: InstructedAccount = lambda _: None
) -> str:
    """Return why a holder may not ask this; empty if it may.

    `instructed` tells the account of an instruction by its id, None if there is no such.
    """
    least = LEAST_ROLE[type(message)]
    if not admits(holder.role, least):
        return f"{holder.name} is {holder.role}; this needs {least}"
    if holder.role is not Role.GATEWAY:
        return ""
    if isinstance(message, Hello) and message.gateway != holder.name:
        return f"this key is that of gateway {holder.name}, not of {message.gateway}"
    for account in _accounts_of(message, instructed):
        if not holder.covers(account):
            return f"{holder.name} does not speak for account {account}"
    return ""


def _accounts_of(message: Any, instructed: InstructedAccount) -> Iterator[str]:
    """Yield every account that a message of a gateway is about."""
    if isinstance(message, Hello):
        yield from message.accounts
    elif isinstance(message, Basket):
        yield from (order.account for order in message.orders)
        if message.account is not None:
            yield message.account
    elif isinstance(message, InstructionReport):
        account = instructed(message.instruction_id)
        if account is not None:
            yield account
    elif message.__struct_config__.tag not in NAMELESS:
        yield message.account
