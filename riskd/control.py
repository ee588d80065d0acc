"""The client of the control port: an operator's requests, one at a time."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from riskd.codec import control_answers_codec
from riskd.errors import ControlError
from riskd.keys import Key
from riskd.messages import ControlMessage, Error, Result
from riskd.request import Encoding, RequestSocket

CONTROL_ADDRESS = "tcp://127.0.0.1:5704"
TIMEOUT_MS = 3000


class ControlClient:
    """Asks and commands riskd. Confined to the thread that made it.

    Nothing is sent twice by itself: an operator's command has no id, so after NoAnswer look at
    what is in force before repeating it. `key` is the file of the operator's key.
    """

    def __init__(
        self,
        address: str = CONTROL_ADDRESS,
        *,
        timeout_ms: int = TIMEOUT_MS,
        encoding: Encoding = "msgpack",
        key: Key = None,
    ) -> None:
        self._socket = RequestSocket(address, timeout_ms=timeout_ms, encoding=encoding, key=key)

    def request(self, message: ControlMessage) -> Result:
        """Return the result of `message`; raise ControlError if refused, NoAnswer on silence."""
        answer = self._socket.ask(message, control_answers_codec, attempts=1)
        if isinstance(answer, Error):
            raise ControlError(answer.code, answer.text, answer.field)
        if not answer.ok:
            raise ControlError("refused", str(answer.data))
        return answer

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
