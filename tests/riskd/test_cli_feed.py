from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from riskd.cli.app import run
from riskd.messages import Result
from tests.riskd.fake import FakeRiskd


@pytest.mark.parametrize(
    ("after", "warning"),
    [
        ({"applied": 7}, ""),
        ({"applied": 5, "unknown_symbol": 4}, "unknown_symbol 2\n"),
        ({"applied": 5, "unknown_symbol": 2, "crossed": 1200}, "crossed 1,200\n"),
    ],
)
def test_feed_warns_of_ticks_that_riskd_did_not_apply(after, warning, tmp_path: Path, capsys):
    counts = iter(({"applied": 5, "unknown_symbol": 2}, after))

    def control(message):
        is_status = message["type"] == "status"
        return Result(ok=True, data={"ticks": next(counts)} if is_status else [])

    path = tmp_path / "mtgox_btcusd_trades.csv.gz"
    with gzip.open(path, "wt") as file:
        file.write("id,price,amount,type\n1356998400000000,13.5,2.0,bid\n")
    with FakeRiskd(control=control) as fake:
        ports = [f"--{name}={fake.addresses[name]}" for name in ("orders", "ticks", "control")]
        assert run(["feed", str(path), "--format", "mtgox-trades", "--symbol", "X", *ports]) == 0
    assert capsys.readouterr().err.partition("every tick: ")[2] == warning
