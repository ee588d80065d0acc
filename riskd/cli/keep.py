"""Commands about what riskd keeps: snapshot, rebuild, journal, replay."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import App, Parameter

from riskd.cli.act import Reason
from riskd.cli.connection import Connection
from riskd.cli.failure import DONE, FAILED, USAGE, CommandError
from riskd.cli.look import HERE, Json, ask_of
from riskd.cli.text import cell, instant, number, print_json, table
from riskd.messages import AccountRebuild, Snapshot

RETAIN_BYTES = 4 << 30
DataDir = Annotated[Path, Parameter(help="The data_dir of a riskd, running or not.")]
LINES_MAX = 40
SHOWN_MAX = 300  # Characters of a record: a configuration is very long.

HELP = """Show or verify the journal of a data_dir, or with its riskd stopped trim it.

Example: riskd journal stat var/riskd
"""

app = App(name="journal", help=HELP)


def snapshot(*, json: Json = False, connection: Connection = HERE) -> int:
    """Write the whole state to a file now, so that a restart replays little. Trading goes on.

    Example: riskd snapshot
    """
    found = connection.patient().ask(Snapshot()).data
    if json or not isinstance(found, Mapping):
        print_json(found)
        return DONE
    pause = f"verdicts paused {found.get('pause_ns', 0) / 1e6:.1f} ms"
    print(f"WRITTEN {found.get('file')}   seq {cell('seq', found.get('seq'))}   {pause}")
    return DONE


def rebuild(
    account: str,
    /,
    *,
    reason: Reason,
    json: Json = False,
    connection: Connection = HERE,
) -> int:
    """Make a frozen ACCOUNT anew from snapshot and journal, without what it failed on.

    It stays frozen: compare its books, then `riskd unfreeze`.

    Example: riskd rebuild A1 --reason "fault at seq 48,113"
    """
    found = ask_of(account, AccountRebuild(account=account, reason=reason), connection.patient())
    if json or not isinstance(found, Mapping):
        print_json(found)
        return DONE
    left_out = ", ".join(found.get("left_out", ())) or "nothing"
    print(
        f"REBUILT account:{account}   {number(found.get('records'))} records   left out {left_out}"
    )
    print(f"it is still frozen: compare its books, then riskd unfreeze {account} --reason WHY")
    return DONE


@app.command
def stat(data_dir: DataDir, /, *, json: Json = False) -> int:
    """Show the segments and snapshots of DATA_DIR. Reads headers alone.

    Example: riskd journal stat var/riskd
    """
    found = _asked(data_dir, "stat", data_dir)
    if json:
        print_json(found)
        return DONE
    print(f"{found['directory']}   seq {found['first_seq']:,} to {found['last_seq']:,}")
    if found["torn_bytes"]:
        print(f"torn tail of {found['torn_bytes']:,} bytes: nobody was promised it")
    _show(found["segments"])
    if found["snapshots"]:
        _show(found["snapshots"])
    return DONE


@app.command
def verify(data_dir: DataDir, /, *, json: Json = False) -> int:
    """Read every byte of DATA_DIR's records and snapshots; exit 1 if any is damaged.

    Example: riskd journal verify var/riskd
    """
    found = _asked(data_dir, "verify", data_dir)
    damaged = found["snapshots_damaged"]
    if json:
        print_json(found)
    else:
        word = "DAMAGED" if damaged else "WHOLE"
        print(f"{word}   {found['records']:,} records, {found['snapshots']} snapshots")
        for text in damaged:
            print(f"  {text}")
    return FAILED if damaged else DONE


@app.command
def trim(
    data_dir: DataDir,
    /,
    *,
    retain_bytes: Annotated[int, Parameter(help="Of segments, keep this much.")] = RETAIN_BYTES,
    yes: Annotated[bool, Parameter(negative="", help="Do it.")] = False,
    json: Json = False,
) -> int:
    """Remove segments of DATA_DIR that no snapshot needs, oldest first. Its riskd is stopped.

    What is removed can be asked about no more; a running riskd does this by itself.

    Example: riskd journal trim var/riskd --retain-bytes 0 --yes
    """
    if not yes:
        raise CommandError(
            "trim was not confirmed.",
            exit_code=USAGE,
            expected="--yes",
            next_step="look with `riskd journal stat`, then add --yes",
        )
    found = _asked(data_dir, "trim_segments", data_dir, retain_bytes)
    if json:
        print_json(found)
        return DONE
    print(f"TRIMMED {len(found['removed'])} segments")
    for name in found["removed"]:
        print(f"  {name}")
    return DONE


def replay(
    data_dir: DataDir,
    /,
    *,
    why: Annotated[str, Parameter(help="An order's id: why it was answered as it was.")] = "",
    account: Annotated[str, Parameter(help="Whose order, where an id is not unique.")] = "",
    seq: Annotated[int | None, Parameter(help="A record's number, instead of an id.")] = None,
    limits: Annotated[
        Path | None, Parameter(help="A configuration: which verdicts would its limits change.")
    ] = None,
    json: Json = False,
) -> int:
    """Derive again what DATA_DIR's journal led to, and compare it with what was recorded.

    Without options every hash of answers and states is compared; exit 1 at a difference.

    Example: riskd replay var/riskd

    Example: riskd replay var/riskd --why o-17 --account A1

    Example: riskd replay var/riskd --limits tighter/riskd.toml
    """
    if why or seq is not None:
        wanted = {"seq": seq, "client_order_id": why, "account": account}
        return print_why(_asked(data_dir, "why", data_dir, **wanted), json=json)
    if limits is not None:
        return print_under_limits(_asked(data_dir, "under_limits", data_dir, limits), json=json)
    found = _asked(data_dir, "compare", data_dir)
    first = found["first_divergence"]
    if json:
        print_json(found)
    elif first is not None:
        print(f"DIFFERS   {found['divergences']} of the hashes; first: {first['text']}")
    else:
        rate = found["records"] / max(found["seconds"], 1e-9)
        print(
            f"EQUAL   {found['records']:,} records to seq {found['last_seq']:,}, "
            f"{found['hashes_compared']} states compared, {rate:,.0f} records/s, "
            f"state {found['state_hash']}"
        )
    return FAILED if first is not None else DONE


def print_why(found: list[dict[str, Any]], *, json: bool) -> int:
    """Print how an order was answered, with the numbers of every check, and repeats of it."""
    if json:
        for answer in found:
            print_json(answer)
    elif found:
        same = [one for one in found if one["seq"] == found[0]["seq"]]  # Several of a basket.
        for one in same:
            _print_answer(one)
        later = len(found) - len(same)
        if later:
            records = "records" if later > 1 else "record"
            print(f"and {later:,} later {records} of the same order: --json shows all")
    if not found:
        raise CommandError(
            "nothing of that is in the journal.",
            exit_code=FAILED,
            next_step="riskd journal stat DATA_DIR shows from which seq on records are kept",
        )
    return DONE


def _print_answer(found: dict[str, Any]) -> None:
    verdict = found["answer"] or {}
    word = "APPROVED" if verdict.get("approved") else "REJECTED"
    if "approved" not in verdict:
        word = str(found["request"]["type"]).upper()  # No order: a tick, a command.
    named = f"{verdict.get('account', '')} {verdict.get('client_order_id', '')}".strip()
    at = f"{word} at seq {found['seq']:,}   {instant(found['recv_ns'])}"
    print(f"{at}   {named}" if named else at)
    if "approved" not in verdict:
        for label, part in (("said", found["request"]), ("answer", verdict)):
            if part:
                print(f"  {label:<6} {msgspec.json.encode(part).decode()[:SHOWN_MAX]}")
    for reject in verdict.get("rejects", ()):
        print(f"  {reject['code']:<18} {reject['text']}")
    for bug in found.get("bugs", ()):  # Of a journal alone.
        print(bug, end="")
    if found["checks"]:
        names = ("code", "limit_type", "passed", "value", "limit", "utilization")
        _show([{name: row.get(name) for name in names} for row in found["checks"]])


def print_under_limits(found: dict[str, Any], *, json: bool) -> int:
    """Print which verdicts would differ under other limits."""
    if json:
        print_json(found)
        return DONE
    print(f"{found['differ']:,} of {found['verdicts']:,} verdicts would differ")
    for change, count in found["changes"].items():
        print(f"  {number(count):>10}  {change}")
    names = ("seq", "account", "client_order_id", "was", "would_be", "text")
    rows = [{name: row[name] for name in names} for row in found["differences"][:LINES_MAX]]
    if rows:
        _show(rows)
    if len(found["differences"]) > LINES_MAX:
        print(f"the first {LINES_MAX} are shown; --json shows all")
    return DONE


def _show(rows: list[dict[str, Any]]) -> None:
    for line in table(rows, ()):
        print(line)


def _asked(data_dir: Path, question: str, *arguments: Any, **options: Any) -> Any:
    """Put a question to a journal; an error of it becomes one of the command."""
    inquiry = importlib.import_module("transport.process_inquiry")
    asked: Callable[..., Any] = getattr(inquiry, question)
    try:
        return asked(*arguments, **options)
    except inquiry.ERRORS as error:
        raise CommandError(
            str(error),
            exit_code=USAGE if isinstance(error, inquiry.ConfigError) else FAILED,
            where=str(data_dir),
        ) from error
