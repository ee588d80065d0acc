"""The configuration that protocol.md prints starts and serves, exactly as printed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq

from tests.end_to_end.process import PORTS, RiskdProcess

pytestmark = pytest.mark.end_to_end

SAMPLE = Path(__file__).with_name("sample")
ORDER = {"type": "check", "account": "A1", "symbol": "AAPL", "side": "buy", "price": 187.51}


@pytest.fixture(scope="module")
def riskd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RiskdProcess]:
    """riskd on the sample. The addresses are free ones: the sample's may be somebody's."""
    folder = tmp_path_factory.mktemp("riskd")
    with RiskdProcess(folder, config=SAMPLE / "riskd.toml") as process:
        yield process
        process.require_running()


def test_sample_files_are_what_the_protocol_prints(shared):
    printed = (shared / "design" / "protocol.md").read_text()
    block = re.search(r"```toml\n(.*?)```", printed, re.DOTALL)
    assert block is not None
    files = re.split(r"(?m)^(?=# \w+\.toml)", block[1])
    names = [re.findall(r"\w+\.toml", text)[0] for text in files if text.strip()]
    texts = [text.rstrip() + "\n" for text in files if text.strip()]
    assert [(SAMPLE / name).read_text() for name in names] == texts
    assert {path.name for path in SAMPLE.iterdir()} == {*names, "responses.toml"}
    assert (SAMPLE / "responses.toml").read_text() == ""  # The design does not say what is in it.


def test_sample_serves_on_every_port_and_says_so(riskd):
    lines = riskd.output.splitlines()
    assert any(line.startswith("ready") for line in lines)
    assert {line.split()[0] for line in lines if "://" in line} == set(PORTS)
    status = riskd.status()
    assert (status["env"], status["state"]) == ("uat", "active")
    assert status["journal"]["sync"] == "interval"
    (account,) = (x for x in riskd.control("accounts") if x["account"] == "A1")
    assert (account["group"], account["currency"], account["equity"]) == ("desk-1", "USD", 100_000)
    (instrument,) = riskd.control("instruments")
    assert (instrument["symbol"], instrument["tick_size"]) == ("AAPL", "0.01")


def test_sample_limits_decide(riskd):
    """order_notional is 1000: five at 187.51 are 937.55, six are 1125.06."""
    with riskd.peer("ticks", zmq.PUSH) as feed:
        feed.tell({"type": "tick", "symbol": "AAPL", "bid": 187.49, "ask": 187.51})
        riskd.wait_until(lambda: riskd.control("instruments")[0]["ask"])
    with riskd.peer("orders", zmq.REQ) as gateway:
        five = gateway.ask({**ORDER, "client_order_id": "five", "quantity": 5})
        six = gateway.ask({**ORDER, "client_order_id": "six", "quantity": 6})
    assert five["approved"]
    assert not six["approved"]
    (reject,) = six["rejects"]
    assert (reject["code"], reject["value"], reject["limit"]) == ("ORDER_NOTIONAL", 1125.06, 1000.0)
