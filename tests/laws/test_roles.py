"""Every message that a port takes has its row in the table of roles, and nothing else has."""

from __future__ import annotations

from typing import get_args

import pytest

from riskd.contract.roles import LADDER, LEAST_ROLE, Role, admits
from riskd.examples import example_of
from riskd.messages import ControlMessage, Message, OrdersRequest, TicksMessage
from riskd.reference.catalogue import types_of
from transport.orders import FACTS
from transport.rights import NAMELESS

ORDERS = types_of(OrdersRequest)
TAKEN = (*ORDERS, *types_of(TicksMessage), *types_of(ControlMessage))


def test_every_message_that_a_port_takes_has_a_least_role():
    missing = [kind.__name__ for kind in TAKEN if kind not in LEAST_ROLE]
    assert not missing, (
        f"{', '.join(missing)}: say in riskd/contract/roles.py who may ask it. A message without a "
        "row is refused to nobody by mistake: it stops the port."
    )


def test_table_of_roles_has_no_row_for_what_no_port_takes():
    assert [kind.__name__ for kind in LEAST_ROLE if kind not in TAKEN] == []


@pytest.mark.parametrize("kind", ORDERS, ids=lambda kind: kind.__name__)
def test_message_of_the_orders_port_names_its_account_or_is_known_not_to(kind: type[Message]):
    """A gateway is held to its accounts by what a message names: a new kind must name them so."""
    names = {"account", "accounts", "orders", "instruction_id"}
    assert bool(names & set(kind.__struct_fields__)) != (kind.__struct_config__.tag in NAMELESS)


def test_facts_have_a_reserve_and_questions_have_not():
    tags = {str(example_of(kind).__struct_config__.tag) for kind in ORDERS}
    assert tags - FACTS == {"check", "amend", "basket", "ping"}


@pytest.mark.parametrize(
    ("role", "least", "may"),
    [
        (Role.VIEWER, Role.VIEWER, True),
        (Role.VIEWER, Role.OPERATOR, False),
        (Role.OPERATOR, Role.VIEWER, True),
        (Role.OPERATOR, Role.RISK_MANAGER, False),
        (Role.RISK_MANAGER, Role.OPERATOR, True),
        (Role.RISK_MANAGER, Role.ADMIN, False),
        (Role.ADMIN, Role.ADMIN, True),
        (Role.ADMIN, Role.GATEWAY, True),
        (Role.ADMIN, Role.FEED, True),
        (Role.RISK_MANAGER, Role.GATEWAY, False),
        (Role.GATEWAY, Role.GATEWAY, True),
        (Role.GATEWAY, Role.VIEWER, False),
        (Role.GATEWAY, Role.FEED, False),
        (Role.FEED, Role.FEED, True),
        (Role.FEED, Role.VIEWER, False),
        (Role.FEED, Role.GATEWAY, False),
        *((role, None, True) for role in Role),
    ],
)
def test_role_may_do_what_its_own_step_of_the_ladder_allows(role, least, may):
    assert admits(role, least) is may


def test_ladder_has_every_role_of_people():
    assert [*LADDER, Role.GATEWAY, Role.FEED] == sorted(
        Role, key=["viewer", "operator", "risk_manager", "admin", "gateway", "feed"].index
    )
    assert get_args(OrdersRequest)
