"""Other limits in the shadow of those in force: which verdicts of the journal would differ."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from engine.desk import Answer
from riskd.messages import Error, Result, Shadow
from transport.aside import Aside, AsideError
from transport.process_door import Door
from transport.process_inquiry import judged_under

Reply = Callable[[Answer], None]


class Shadows:
    """Judges the journal under other limits in a child, one set at a time; nothing changes."""

    def __init__(self, door: Door, aside: Aside) -> None:
        self._door, self._aside = door, aside

    def ask(self, request: Shadow, reply: Reply) -> None:
        """Begin; answer when the journal is through, or why it is not."""
        if self._aside.is_busy:
            text = "other limits are being tried: ask again"
            reply(Error(code="overloaded", text=text, request_id=request.request_id))
            return

        def told(found: bytes | AsideError) -> None:
            if isinstance(found, AsideError):
                reply(Error(code="internal", text=str(found), request_id=request.request_id))
            else:
                shown = msgspec.json.decode(found)
                reply(Result(ok=True, data=shown, request_id=request.request_id))

        data_dir, limits = self._door.journal.directory.parent, request.limits
        shown_max = request.differences_max
        self._aside.start(
            lambda: msgspec.json.encode(judged_under(data_dir, limits, shown_max=shown_max)), told
        )
