"""The totals of one group behind an inbox: their only writer."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from actors.inputs import Ref
from actors.runtime import LoopActor, RunQueue
from engine.boards import Boards
from engine.facts import GroupMoved
from engine.limits import FIRM


class ClearGroup(Struct, frozen=True):
    """Begin the totals anew: every account will tell its part."""


class GroupActor(LoopActor):
    """A desk, a client or the firm: takes the changes of its accounts and passes them upwards."""

    def __init__(
        self, name: str, boards: Boards, groups: Mapping[str, Ref], *, run_queue: RunQueue
    ) -> None:
        super().__init__(run_queue=run_queue)
        self._name = name
        self._boards = boards
        self._groups = groups

    def on_receive(self, message: GroupMoved | ClearGroup) -> None:
        """Take one change, or begin anew."""
        total = self._boards.group_totals[self._name]
        if isinstance(message, ClearGroup):
            total.clear()
            return
        total.apply(message)
        if self._name != FIRM:
            self._groups[self._boards.parent_of(self._name)].tell(message)
