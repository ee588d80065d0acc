"""Questions to a journal: what it led to again, why, and under other limits."""

import json
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace

from actors.sequencer import Source
from engine.core import Core
from engine.facts import Stamp
from riskd.cli.app import run
from riskd.messages import (
    AccountSpec,
    Basket,
    BasketVerdict,
    Check,
    Configure,
    LimitSet,
    LimitsSpec,
    Side,
    Tick,
    Universe,
    Verdict,
)
from tests.builders import STEADY_NS, STOCK, WALL_NS
from tests.transport.kept import COUNT, SMALL, Kept
from transport.data_directory import DataDirectory
from transport.journal import Journal
from transport.journal_format import JournalDamaged, JournalRecord
from transport.journal_reading import JournalReader
from transport.process_inquiry import compare, under_limits, verify, why
from transport.process_replay import recover_books

ROOT = Path(__file__).parents[2]
OTHER = """
[default]
order_quantity = 3
order_notional = 500
"""


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A journal with two snapshots and a checkpoint between them."""
    path = tmp_path_factory.mktemp("kept")
    with DataDirectory(path) as directory:
        found = Kept(directory, seed=5, snapshots=(150, 450), checkpoints=(300,))
        found.journal.close()
        yield found


def data_dir(kept: Kept) -> Path:
    return kept.journal.directory.parent


def test_replay_of_what_was_recorded_is_equal_and_compares_every_hash(kept):
    found = compare(data_dir(kept))
    assert (found["divergences"], found["first_divergence"]) == (0, None)
    assert found["records"] == found["last_seq"] == kept.journal.last_seq
    assert found["hashes_compared"] == 3 + 2  # Of checkpoints, and of snapshots.
    assert found["state_hash"] == kept.digest()
    assert found["answers_hash"] == kept.chain.value()


@pytest.mark.parametrize("what", ["answers", "state"])
def test_replay_names_the_first_place_that_differs(tmp_path, what):
    with DataDirectory(tmp_path) as directory:
        kept = Kept(directory, seed=5, checkpoints=(100,), count=200)
        at_seq = kept.journal.last_seq + 1
        for wrong in ("00" * 16, "11" * 16):
            answers, state = (wrong, "") if what == "answers" else ("", wrong)
            kept.checkpoint(answers=answers, state=state)
        kept.journal.close()
    found = compare(tmp_path)
    assert found["divergences"] == 2
    first = found["first_divergence"]
    assert (first["seq"], first["what"], first["recorded"]) == (at_seq, what, "00" * 16)
    assert run(["replay", str(tmp_path)]) == 1


@pytest.mark.parametrize("edit", [{"client_order_id": "forged"}, {"quantity": 1.0}])
def test_record_that_was_edited_is_found_though_every_crc_was_made_anew(kept, tmp_path, edit):
    """The checkpoint after the record has another hash of all answers until then."""
    records = list(JournalReader(data_dir(kept), SMALL.schema).replay())
    edited = next(record for record in records if is_approved(kept, record))
    raw = msgspec.msgpack.encode(msgspec.msgpack.decode(edited.raw) | edit)
    with DataDirectory(tmp_path) as directory, Journal.open(directory, SMALL) as forged:
        for record in records:
            forged.append(*record[:4], raw if record is edited else record.raw)
    assert verify(tmp_path)["records"] == len(records)
    first = compare(tmp_path)["first_divergence"]
    later = [x.seq for x in records if x.seq > edited.seq and b"checkpoint" in x.raw]
    assert (first["seq"], first["what"]) == (min(later), "answers")


def is_approved(kept: Kept, record: JournalRecord) -> bool:
    """Return whether a record is an order, of no session, for several lots, that may go."""
    if record.source != Source.ORDERS or b"check" not in record.raw:
        return False
    answer = kept.answers.get(record.seq)
    quantity = msgspec.msgpack.decode(record.raw).get("quantity", 0)
    return isinstance(answer, Verdict) and answer.approved and quantity > 1


def test_start_on_what_differs_tells_it(tmp_path):
    with DataDirectory(tmp_path) as directory:
        kept = Kept(directory, seed=5, count=200)
        kept.checkpoint(answers="00" * 16)
        found = recover_books(kept.journal)
        kept.journal.close()
    (divergence,) = found.replay.divergences
    assert "hash to" in str(divergence)
    assert divergence.what == "answers"


def test_why_derives_every_verdict_again_bit_for_bit(kept):
    """By seq, each begun at another snapshot or at the start."""
    asked = [seq for seq, answer in kept.answers.items() if isinstance(answer, Verdict)]
    assert len(asked) > 50
    for seq in asked[:: len(asked) // 12]:
        (found,) = why(data_dir(kept), seq=seq, client_order_id="", account="")
        assert found["answer"] == msgspec.to_builtins(kept.answers[seq])
        stamp = kept.messages[seq][1]
        assert (found["seq"], found["recv_ns"]) == (seq, stamp.recv_ns)


def test_why_by_order_tells_every_record_of_it_the_first_first(kept):
    checks = {
        seq: message for seq, (message, _) in kept.messages.items() if isinstance(message, Check)
    }
    repeated = next(
        message
        for seq, message in checks.items()
        if any(
            later > seq
            and (other.account, other.client_order_id) == (message.account, message.client_order_id)
            for later, other in checks.items()
        )
    )
    found = why(
        data_dir(kept),
        seq=None,
        client_order_id=repeated.client_order_id,
        account=repeated.account,
    )
    expected = [
        seq
        for seq, (message, _) in kept.messages.items()
        if repeated.client_order_id
        in (
            getattr(message, "client_order_id", None),
            getattr(message, "new_client_order_id", None),
        )
        and message.account == repeated.account
    ]
    assert [answer["seq"] for answer in found] == expected
    assert len(expected) > 1


def test_why_of_an_order_of_a_basket_is_its_own_verdict_with_its_own_numbers(tmp_path):
    """The second order meets what the first reserved, and is refused for it: 4 + 6 over 9."""
    universe = Universe(
        instruments=(STOCK,),
        accounts=(AccountSpec(id="A1"),),
        limits=LimitSet(default=LimitsSpec(position_quantity=9)),
    )
    first = Check(
        account="A1", client_order_id="b-1", symbol="X", side=Side.BUY, quantity=4, price=100.0
    )
    second = replace(first, client_order_id="b-2", quantity=6)
    basket = Basket(basket_id="basket", orders=[first, second], all_or_none=False)
    with DataDirectory(tmp_path) as directory:
        kept = Kept(directory, seed=5, count=0)
        for message in (Configure(universe=universe), Tick(symbol="X", bid=100.0, ask=100.0)):
            kept.put(message, Stamp(0, WALL_NS, STEADY_NS))
        answer = kept.put(basket, Stamp(0, WALL_NS, STEADY_NS))
        kept.journal.close()
    assert isinstance(answer, BasketVerdict)
    assert [verdict.approved for verdict in answer.verdicts] == [True, False]
    (found,) = why(tmp_path, seq=None, client_order_id="b-2", account="")
    assert found["answer"] == msgspec.to_builtins(answer.verdicts[1])
    assert found["request"] == msgspec.to_builtins(second)
    held = [one for one in found["checks"] if one["code"] == "POSITION_LIMIT"]
    assert [one["value"] for one in held] == [10]
    by_seq = why(tmp_path, seq=found["seq"], client_order_id="", account="")
    assert [one["answer"]["client_order_id"] for one in by_seq] == ["b-1", "b-2"]


def test_under_other_limits_names_exactly_the_verdicts_that_differ(kept, tmp_path):
    config = tmp_path / "riskd.toml"
    config.write_text(OTHER)
    limits = LimitSet(default=LimitsSpec(order_quantity=3, order_notional=500))
    other, differ = Core(), {}
    for seq, (message, stamp) in kept.messages.items():
        if isinstance(message, Configure):
            message = replace(message, universe=replace(message.universe, limits=limits))
        now, was = other.apply(message, stamp), kept.answers[seq]
        if isinstance(was, BasketVerdict) and isinstance(now, BasketVerdict):
            pairs = list(zip(was.verdicts, now.verdicts, strict=True))
        else:
            pairs = [(was, now)] if isinstance(was, Verdict) and isinstance(now, Verdict) else []
        for pair in pairs:
            codes = [v.rejects[0].code if v.rejects else "APPROVED" for v in pair]
            if codes[0] != codes[1]:
                differ[seq, pair[0].account, pair[0].client_order_id] = codes
    assert len(differ) > 10
    assert any(isinstance(kept.messages[seq][0], Basket) for seq, *_ in differ)
    found = under_limits(data_dir(kept), config)
    shown = {
        (row["seq"], row["account"], row["client_order_id"]): [row["was"], row["would_be"]]
        for row in found["differences"]
    }
    assert shown == differ
    assert found["differ"] == len(differ)


def test_verify_reads_what_a_start_from_a_snapshot_would_not(tmp_path):
    with DataDirectory(tmp_path) as directory:
        kept = Kept(directory, seed=5, snapshots=(COUNT,))
        kept.journal.close()
    assert verify(tmp_path)["records"] == kept.journal.last_seq
    first = min((tmp_path / "journal").glob("*.journal"))
    blob = bytearray(first.read_bytes())
    blob[600] ^= 4
    first.write_bytes(blob)
    with pytest.raises(JournalDamaged, match=first.name):
        verify(tmp_path)
    assert run(["journal", "verify", str(tmp_path)]) == 1


def test_command_shows_stat_verify_trim_and_why(kept, tmp_path, capsys):
    folder = str(data_dir(kept))
    seq = next(
        seq
        for seq, answer in kept.answers.items()
        if isinstance(answer, Verdict) and answer.rejects and seq > 50
    )
    verdict = kept.answers[seq]
    assert isinstance(verdict, Verdict)
    tick_seq = next(seq for seq, (message, _) in kept.messages.items() if isinstance(message, Tick))
    for command, expected in (
        (["journal", "stat", folder], ".snapshot"),
        (["journal", "verify", folder], "WHOLE"),
        (["replay", folder], "EQUAL"),
        (["replay", folder, "--seq", str(seq)], str(verdict.rejects[0].code)),
        (["replay", folder, "--seq", str(tick_seq)], 'said   {"type":"tick"'),
    ):
        assert run(command) == 0
        assert expected in capsys.readouterr().out
    assert run(["journal", "stat", folder, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["last_seq"] == kept.journal.last_seq
    assert run(["replay", folder, "--why", "nobody"]) == 1
    assert run(["journal", "trim", folder]) == 2
    assert run(["journal", "stat", str(tmp_path)]) == 1
    assert "holds no journal" in capsys.readouterr().err


def test_trim_by_command_leaves_what_still_recovers(tmp_path):
    with DataDirectory(tmp_path) as directory:
        kept = Kept(directory, seed=5, snapshots=(300, 500))
        kept.journal.close()
    command = [sys.executable, "-m", "riskd", "journal", "trim", str(tmp_path), "--yes"]
    told = subprocess.run(
        [*command, "--retain-bytes", "0"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert told.stdout.startswith("TRIMMED ")
    assert "0000000001.journal" in told.stdout
    found = compare(tmp_path)
    assert (found["base_seq"], found["divergences"]) == (kept.written[0], 0)
    assert found["state_hash"] == kept.digest()
