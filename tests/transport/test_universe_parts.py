"""A configuration with more accounts than a record can hold is journalled in parts."""

import pytest
from msgspec.structs import replace

from engine.core import Core
from engine.digest import state_digest
from engine.facts import Stamp
from riskd.codec import encode_msgpack
from riskd.messages import Configure
from tests.builders import a_universe, an_account
from transport.process_door import parts_of

ACCOUNTS = tuple(an_account(f"A{number}" * 5) for number in range(300))
WHOLE = replace(a_universe(None), accounts=ACCOUNTS)
BARE_BYTES = len(encode_msgpack(Configure(universe=replace(WHOLE, accounts=()))))


@pytest.mark.parametrize("room", [200, 2_000, 20_000, 1 << 20])
def test_parts_of_a_universe_fit_and_together_are_the_whole(room):
    raw_bytes_max = BARE_BYTES + room
    parts = list(parts_of(WHOLE, raw_bytes_max))
    assert [spec for part in parts for spec in part.accounts] == list(ACCOUNTS)
    assert (len(parts) == 1) is (room == 1 << 20)
    one, other = Core(), Core()
    for part in parts:
        message = Configure(universe=part)
        assert len(encode_msgpack(message)) <= raw_bytes_max
        one.apply(message, Stamp(9, 9, 9))
    other.apply(Configure(universe=WHOLE), Stamp(9, 9, 9))
    assert state_digest(one.state()) == state_digest(other.state())


def test_parts_of_a_universe_without_accounts_are_one():
    assert list(parts_of(replace(WHOLE, accounts=()), 10)) == [replace(WHOLE, accounts=())]
