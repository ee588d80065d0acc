"""E11: the table of codes against the engine; `tests/end_to_end` runs it through the sockets."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from engine.account_state import FINISHED_MAX
from engine.limits import ENFORCED, GROUP_ENFORCED
from engine.orders import AMENDS_MAX
from riskd.codes import CODES, RejectCode
from riskd.messages import Configure, LimitsSpec, Resync
from tests.builders import MS, StampedCore
from tests.engine import code_steps
from tests.engine.code_rows import (
    ELSEWHERE,
    KEYS_ELSEWHERE,
    KEYS_OF_NO_ORDER,
    MARKET,
    ROWS,
    addressed,
    check_answer,
    named_in,
    universe,
)
from tests.engine.code_steps import Row


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_e11_code_passes_under_and_at_its_limit_and_is_given_over_it(row: Row):
    house = StampedCore()
    house.send(Configure(universe=universe()))
    for message in MARKET:
        house.send(message)
    house.elapse(2 * MS)
    last: dict[str, Any] = {}
    for step in row.steps:
        message = addressed(step.message, row, last)
        if isinstance(message, Resync):  # It is answered beside the engine, of this state.
            last["seq"] = house.stamp.seq
            continue
        answer: dict[str, Any] = msgspec.to_builtins(
            house.send(message, session=last.get("session", 0))
        )
        last |= named_in(answer)
        check_answer(step, answer)


def test_rows_refuse_by_every_code_there_is():
    tested = {step.code for row in ROWS for step in row.steps if step.code}
    assert {row.code for row in ROWS} == tested
    assert set(RejectCode) - tested == set(ELSEWHERE), "a code without a row in code_rows.py"


def test_rows_are_held_to_every_limit_that_may_refuse_an_order():
    own = {key for row in ROWS for key in LimitsSpec.__struct_fields__ if getattr(row.limits, key)}
    of_groups = {
        key
        for row in ROWS
        for key in LimitsSpec.__struct_fields__
        if row.group_limits is not None and getattr(row.group_limits, key)
    }
    least = {"ratio_floor"}  # Nothing is under it.
    assert own | least == set(ENFORCED) - set(KEYS_ELSEWHERE) - set(KEYS_OF_NO_ORDER)
    assert of_groups == set(GROUP_ENFORCED)


def test_rows_of_a_code_also_pass_and_refuse_by_that_code_alone():
    for row in ROWS:
        codes = [step.code for step in row.steps if step.code is not None]
        assert "" in codes, row.name
        assert set(codes) <= {"", row.code, *({"MALFORMED"} if row.code == "ID_EXPIRED" else ())}


def test_rows_each_have_a_name_of_their_own_and_a_fix_code():
    assert len({row.name for row in ROWS}) == len(ROWS)
    assert all(CODES[row.code].fix_code for row in ROWS)


def test_rows_know_the_promised_sizes():
    assert (code_steps.FINISHED_MAX, code_steps.AMENDS_MAX) == (FINISHED_MAX, AMENDS_MAX)
