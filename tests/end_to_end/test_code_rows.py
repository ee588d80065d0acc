"""E11 through the sockets: the table of codes against one real riskd, its rows side by side."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import zmq

from riskd.messages import Kill, LimitsSpec, Reset, Trip, Unkill
from tests.end_to_end.books import replayed_hash
from tests.end_to_end.peer import Peer
from tests.end_to_end.process import RiskdProcess
from tests.engine.code_rows import (
    MARKET,
    ROWS,
    SETTINGS,
    addressed,
    check_answer,
    named_in,
    universe,
)
from tests.engine.code_steps import Row

pytestmark = pytest.mark.end_to_end

OF_OPERATORS = (Kill, Unkill, Trip, Reset)


@pytest.fixture(scope="module")
def riskd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RiskdProcess]:
    folder = tmp_path_factory.mktemp("riskd")
    with RiskdProcess(folder, config=write_configuration(folder)) as process:
        with process.peer("ticks", zmq.PUSH) as feed:
            for message in MARKET:
                feed.tell(message)
            process.wait_until(lambda: phase_of(process) == "closed")  # The last of them.
        yield process
        process.require_running()


def phase_of(process: RiskdProcess) -> str:
    symbol = MARKET[-1].symbol
    (shown,) = (x for x in process.control("instruments") if x["symbol"] == symbol)
    return str(shown["state"])


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_e11_code_is_given_over_its_limit_and_not_under_or_at_it_by_a_real_riskd(
    riskd: RiskdProcess, row: Row
):
    with riskd.peer("orders") as gateway, riskd.peer("control", zmq.REQ) as operator:
        last: dict[str, Any] = {}
        for step in row.steps:
            message = addressed(step.message, row, last)
            peer = operator if isinstance(message, OF_OPERATORS) else gateway
            answer = asked(peer, message)
            last |= named_in(answer)
            check_answer(step, answer)


def asked(peer: Peer, message: Any) -> dict[str, Any]:
    """Return the answer to a message; what riskd says of its own accord is left out."""
    answer: dict[str, Any] = peer.ask(message, packed=True)
    while answer["type"] == "pong":
        answer = msgspec.msgpack.decode(peer.receive())
    return answer


def test_e04_retry_after_a_kill_gets_its_first_verdict_and_the_journal_the_same_state(
    riskd: RiskdProcess,
):
    """What all rows did is known again, refusals as well as approvals."""
    row = next(row for row in ROWS if row.name == "open-orders")
    orders = [addressed(step.message, row, {}) for step in row.steps]
    with riskd.peer("orders") as gateway:
        first = [asked(gateway, order) for order in orders]
    status = riskd.status()
    riskd.kill()
    assert replayed_hash(riskd.books, status["seq"]) == status["state_hash"]
    riskd.start()
    assert riskd.status()["books_hash"] == status["books_hash"]
    with riskd.peer("orders") as gateway:
        assert [asked(gateway, order) for order in orders] == first
    assert [verdict["approved"] for verdict in first] == [True, True, True, False]


def write_configuration(folder: Path) -> Path:
    """Write the world of the table as an operator would, and return its riskd.toml."""
    world = universe()
    head = ['env = "test"', 'include = ["accounts.toml", "limits.toml"]']
    head += ["[prices]", f"stale_after_ms = {SETTINGS.stale_after_ms}"]
    head += [f"last_after_ms = {SETTINGS.last_after_ms}"]
    head += [f"mark_after_ms = {SETTINGS.mark_after_ms}"]
    head += ["[sessions]", f"heartbeat_ms = {SETTINGS.heartbeat_ms}"]
    head += ["[permissions]", f"restricted = {toml(world.permissions.restricted)}"]
    head += tables("instrument", world.instruments)
    path = folder / "riskd.toml"
    path.write_text("\n".join(head) + "\n")
    people = [*tables("group", world.groups), *tables("account", world.accounts)]
    (folder / "accounts.toml").write_text("\n".join(people) + "\n")
    limits = ["[default]"]
    for section, found in (("account", world.limits.account), ("group", world.limits.group)):
        for name, spec in found.items():
            limits += table(f"[{section}.{name}]", spec) if spec != LimitsSpec() else []
    (folder / "limits.toml").write_text("\n".join(limits) + "\n")
    return path


def tables(section: str, structs: tuple[msgspec.Struct, ...]) -> list[str]:
    return [line for struct in structs for line in table(f"[[{section}]]", struct)]


def table(head: str, struct: msgspec.Struct) -> list[str]:
    told = msgspec.to_builtins(struct)
    return [head, *(f"{name} = {toml(value)}" for name, value in told.items())]


def toml(value: Any) -> str:
    """Return a value as TOML writes it."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            return f'"{value}"'
        case dict():
            return "{" + ", ".join(f"{name} = {toml(x)}" for name, x in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(toml(msgspec.to_builtins(x)) for x in value) + "]"
    return repr(value)
