"""Making an account anew: from snapshot and journal, without the records that it failed on.

A child replays while the house goes on. What the account is told meanwhile is noted, and told
again to the account that the child made: executions and reports are known by their ids.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from actors.system import System
from engine.account_state import decode_account, encode_account
from engine.desk import AddressedMessage, Answer, account_of, answer_fault
from engine.facts import Facts, Moved
from engine.rebuilt import adopt
from riskd.messages import (
    AccountRebuild,
    AccountRebuilt,
    Checkpoint,
    Error,
    Result,
    StateDigest,
    TicksMessage,
)
from transport.aside import Aside, AsideError
from transport.journal_format import JournalRecord
from transport.journal_reading import JournalReader
from transport.journal_settings import SCHEMA
from transport.process_door import Door
from transport.process_replay import Replay, begin, decode_record, stamp_of

PART_CHARACTERS = 30_000  # At most four bytes each, in a record that a small segment can hold.
MISSED_MAX = 100_000  # What the account may be told meanwhile; beyond it the rebuild is given up.
_FAULT = re.compile(r"fault at seq (\d+)")

Reply = Callable[[Answer], None]


class Rebuilt(msgspec.Struct, frozen=True):
    """What a child made of the journal."""

    state: str  # JSON of the account's.
    base_seq: int
    records: int
    left_out: list[str]


class Rebuilds:
    """Carries out rebuilds, one at a time."""

    def __init__(self, system: System, door: Door, aside: Aside) -> None:
        self._system, self._door, self._aside = system, door, aside

    def ask(self, request: AccountRebuild, reply: Reply) -> None:
        """Begin one; answer when the account is the rebuilt one, or why it is not."""
        account = self._system.accounts.get(request.account)
        if account is None:
            text = f"no account {request.account}"
            reply(Error(code="not_found", text=text, request_id=request.request_id))
        elif not account.state.frozen:
            text = f"account {account.id} is not frozen: only one that is can be made anew"
            reply(Error(code="refused", text=text, request_id=request.request_id))
        elif self._aside.is_busy:
            text = "another account is being made anew"
            reply(Error(code="overloaded", text=text, request_id=request.request_id))
        else:
            fault = _FAULT.search(account.state.frozen)
            before_seq = int(fault[1]) if fault is not None else self._door.last_seq
            # The directory that holds the journal's own: a reader is given what a command is.
            data_dir, key, until_seq = self._door.journal.directory.parent, account.id, before_seq
            self._door.note_taken(key)
            self._aside.start(
                lambda: msgspec.json.encode(rebuild(data_dir, key, until_seq)),
                lambda told: self._on_done(request, reply, told),
            )

    def _on_done(self, request: AccountRebuild, reply: Reply, told: bytes | AsideError) -> None:
        missed = self._door.taken_since()
        if isinstance(told, AsideError):
            text = f"nothing was changed: {told}"
            reply(Error(code="internal", text=text, request_id=request.request_id))
            return
        if len(missed) > MISSED_MAX or not all(_names(x.message, request.account) for x in missed):
            text = (
                "nothing was changed: too much was told meanwhile, or something to all: ask again"
            )
            reply(Error(code="overloaded", text=text, request_id=request.request_id))
            return
        rebuilt = msgspec.json.decode(told, type=Rebuilt)
        parts = [
            rebuilt.state[at : at + PART_CHARACTERS]
            for at in range(0, len(rebuilt.state), PART_CHARACTERS)
        ]
        for part, state in enumerate(parts):
            message = AccountRebuilt(
                account=request.account,
                part=part,
                parts=len(parts),
                state=state,
                reason=request.reason,
            )
            if not self._door.inject(message):
                text = f"nothing was changed: {self._door.refusal}"
                reply(Error(code="internal", text=text, request_id=request.request_id))
                return
        for taken in missed:
            self._door.tell_again(taken)
        shown = {
            "account": request.account,
            "seq": self._door.last_seq,
            "base_seq": rebuilt.base_seq,
            "records": rebuilt.records,
            "left_out": rebuilt.left_out,
            "told_again": len(missed),
        }
        reply(Result(ok=True, data=shown, request_id=request.request_id))


def rebuild(data_dir: Path, account: str, before_seq: int) -> Rebuilt:
    """Return an account's state as the journal gives it, what it fails on left out.

    Begins at the newest snapshot before `before_seq`. Raises JournalError; JournalDamaged too when
    neither such a snapshot nor the journal's beginning is kept.
    """
    reader = JournalReader(data_dir, SCHEMA)
    begun = begin(reader, before_seq)
    replay, left_out = begun.replay, []
    for record in begun.records:
        message = decode_record(record)
        held = replay.core.accounts.get(account)
        kept = (
            encode_account(held.state) if held is not None and _may_touch(message, account) else b""
        )
        replay.take(record, message)
        if any(failed.account == account for failed in replay.core.faults):
            assert held is not None
            _take_back(replay, held.id, kept, record, message)
            left_out.append(f"seq {record.seq}: {message.__struct_config__.tag}")
    state = replay.core.accounts[account].state
    told = ", ".join(left_out) or "nothing"
    state.frozen = f"made anew without {told}: compare its books"[:1000]
    text = encode_account(state).decode()
    return Rebuilt(text, replay.base_seq, replay.count, left_out)


def _take_back(
    replay: Replay, account: str, kept: bytes, record: JournalRecord, message: Any
) -> None:
    """Put an account back to before a record that it failed on; the answer it gave stands."""
    held = replay.core.accounts[account]
    stamp = stamp_of(record)
    facts: Facts = []
    adopt(held, decode_account(kept), facts)
    answer_fault(held, message, stamp, [])
    for fact in facts:
        if isinstance(fact, Moved):
            replay.core.watch.take(fact, stamp, [])


def _names(message: Any, account: str) -> bool:
    return isinstance(message, AddressedMessage) and account_of(message) == account


def _may_touch(message: Any, account: str) -> bool:
    """Return whether a message goes to an account: those that name none go to many."""
    if isinstance(message, AddressedMessage):
        return account_of(message) in ("", account)
    return not isinstance(message, TicksMessage | Checkpoint | StateDigest)
