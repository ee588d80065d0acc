"""Questions of the control port that the journal answers: why, and what other limits would say."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from engine.desk import Answer
from riskd.messages import Error, Result, Shadow, VerdictRequest
from transport.aside import Aside, AsideError
from transport.process_door import Door
from transport.process_inquiry import judged_under, why

Reply = Callable[[Answer], None]


class Inquiries:
    """Reads the journal in a child, one question at a time; nothing changes."""

    def __init__(self, door: Door, aside: Aside) -> None:
        self._door, self._aside = door, aside

    def ask(self, request: Shadow | VerdictRequest, reply: Reply) -> None:
        """Begin; answer when the journal is through, or why it is not."""
        if self._aside.is_busy:
            text = "another question is put to the journal: ask again"
            reply(Error(code="overloaded", text=text, request_id=request.request_id))
            return

        def told(found: bytes | AsideError) -> None:
            shown = None if isinstance(found, AsideError) else msgspec.json.decode(found)
            if isinstance(found, AsideError):
                reply(Error(code="internal", text=str(found), request_id=request.request_id))
            elif shown is None:
                text = "the journal keeps no such order"
                reply(Error(code="not_found", text=text, request_id=request.request_id))
            else:
                reply(Result(ok=True, data=shown, request_id=request.request_id))

        self._aside.start(lambda: msgspec.json.encode(self._found(request)), told)

    def _found(self, request: Shadow | VerdictRequest) -> dict[str, Any] | None:
        """Return what the journal says. In the child."""
        data_dir = self._door.journal.directory.parent
        if isinstance(request, Shadow):
            return judged_under(data_dir, request.limits, shown_max=request.differences_max)
        order_id, account = request.client_order_id or "", request.account or ""
        answers = why(data_dir, seq=request.seq, client_order_id=order_id, account=account)
        if not answers or (answers[0]["answer"] or {}).get("client_order_id") is None:
            return None
        found = answers[0]
        return {"check": found["request"], "verdict": found["answer"], "checks": found["checks"]}
