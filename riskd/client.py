"""The synchronous client of the orders port: ask, wait, get one answer."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self, TypeVar

from riskd.codec import answers_codec
from riskd.denial import Heard, basket_verdict_on, verdict_on
from riskd.errors import BadAnswer, NoAnswer, Refused
from riskd.keys import Key
from riskd.messages import (
    Ack,
    Amend,
    Basket,
    BasketVerdict,
    Check,
    Error,
    Fill,
    FillBust,
    FillCorrect,
    Funding,
    Hello,
    OrderReport,
    OrdersRequest,
    Ping,
    Pong,
    PositionReport,
    Resync,
    Resynced,
    Transfer,
    Verdict,
    Welcome,
    WorkingOrders,
)
from riskd.request import Encoding, RequestSocket

ORDERS_ADDRESS = "tcp://127.0.0.1:5701"
TIMEOUT_MS = 1000

Expected = TypeVar("Expected", Ack, Pong, Welcome, WorkingOrders)


class RiskClient:
    """Asks riskd whether orders may go, and tells it what became of them.

    Confined to the thread that made it (another thread gets WrongThread); usable as a context
    manager. Each attempt waits `timeout_ms`; after silence the same message is sent again
    `retries` times, which is safe because riskd takes every id once: a repeated check gets its
    first verdict again, a repeated fact is acknowledged as a duplicate. `key` is the file of its
    key, where riskd has keys.

    `check`, `amend` and `basket` never raise for what riskd or the network did: silence, an error
    and an unreadable answer are verdicts that are not approved (codes NO_ANSWER, BAD_ANSWER or the
    error's), so that `if verdict.approved` is all a gateway needs. Facts raise instead, because
    they must be repeated until they are acknowledged: NoAnswer, BadAnswer, Refused.
    """

    def __init__(
        self,
        address: str = ORDERS_ADDRESS,
        *,
        timeout_ms: int = TIMEOUT_MS,
        retries: int = 1,
        encoding: Encoding = "msgpack",
        key: Key = None,
    ) -> None:
        if retries < 0:
            raise ValueError(f"retries must not be negative, not {retries}")
        self._socket = RequestSocket(address, timeout_ms=timeout_ms, encoding=encoding, key=key)
        self._attempts = retries + 1

    def check(self, order: Check | None = None, /, **fields: Any) -> Verdict:
        """Return the verdict on an order, given as a `Check` or as its fields.

        After a NO_ANSWER denial the same order with the same id may be checked again: if riskd
        had approved it, that approval is what comes back. Raises TypeError for unknown fields.
        """
        asked = _message(Check, order, fields)
        return verdict_on(asked, self._heard(asked))

    def amend(self, change: Amend | None = None, /, **fields: Any) -> Verdict:
        """Return the verdict on a change of a working order, given as an `Amend` or as its fields.

        It denies as `check` does. Tell with `report` whether the venue replaced the order.
        """
        asked = _message(Amend, change, fields)
        return verdict_on(asked, self._heard(asked))

    def basket(self, basket: Basket | None = None, /, **fields: Any) -> BasketVerdict:
        """Return the verdicts on orders that go together, given as a `Basket` or as its fields.

        Without riskd's own verdicts every order of it is denied.
        """
        asked = _message(Basket, basket, fields)
        return basket_verdict_on(asked, self._heard(asked))

    def report(self, report: OrderReport | None = None, /, **fields: Any) -> Ack:
        """Tell what the venue said of an order, given as an `OrderReport` or as its fields."""
        return self._tell(_message(OrderReport, report, fields), Ack)

    def fill(self, fill: Fill | None = None, /, **fields: Any) -> Ack:
        """Tell of an execution, given as a `Fill` or as its fields."""
        return self._tell(_message(Fill, fill, fields), Ack)

    def bust(self, bust: FillBust | None = None, /, **fields: Any) -> Ack:
        """Tell that the venue cancelled an execution."""
        return self._tell(_message(FillBust, bust, fields), Ack)

    def correct(self, correction: FillCorrect | None = None, /, **fields: Any) -> Ack:
        """Tell that the venue corrected an execution."""
        return self._tell(_message(FillCorrect, correction, fields), Ack)

    def transfer(self, transfer: Transfer | None = None, /, **fields: Any) -> Ack:
        """Tell of a deposit (positive) or a withdrawal (negative)."""
        return self._tell(_message(Transfer, transfer, fields), Ack)

    def hello(self, hello: Hello | None = None, /, **fields: Any) -> Welcome:
        """Open a session, given as a `Hello` or as its fields; raise Refused if it may not be.

        `ping` must then be called in every `heartbeat_ms`, and tells in `session` whether the
        session stands. It cannot carry out instructions: that takes `riskd.AsyncGateway`.
        """
        return self._tell(_message(Hello, hello, fields), Welcome)

    def resync(self) -> WorkingOrders:
        """Return the orders of the session's accounts that riskd counts as working."""
        return self._tell(Resync(), WorkingOrders)

    def resynced(self, seq: int) -> Ack:
        """Say that the gateway's orders are those of the `working_orders` of this seq."""
        return self._tell(Resynced(seq=seq), Ack)

    def funding(self, funding: Funding | None = None, /, **fields: Any) -> Ack:
        """Tell of funding or interest of a position, received (positive) or paid."""
        return self._tell(_message(Funding, funding, fields), Ack)

    def positions(self, report: PositionReport | None = None, /, **fields: Any) -> Ack:
        """Tell what the venue says is held, or with `failed` that it could not be asked."""
        return self._tell(_message(PositionReport, report, fields), Ack)

    def ping(self) -> Pong:
        """Return what riskd says of itself; raise NoAnswer if it says nothing."""
        return self._tell(Ping(), Pong)

    def close(self) -> None:
        """Close the socket. A message that has not left is dropped."""
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

    def _heard(self, asked: Check | Amend | Basket) -> Heard:
        try:
            return self._socket.ask(asked, answers_codec, attempts=self._attempts)
        except (NoAnswer, BadAnswer) as nothing:
            return nothing

    def _tell(self, message: OrdersRequest, expected: type[Expected]) -> Expected:
        answer = self._socket.ask(message, answers_codec, attempts=self._attempts)
        if isinstance(answer, Error):
            raise Refused(answer.code, answer.text, answer.field)
        if not isinstance(answer, expected):
            raise BadAnswer(f"Expected {expected.__name__}, got {type(answer).__name__}.")
        return answer


Asked = TypeVar(
    "Asked",
    Check,
    Amend,
    Basket,
    OrderReport,
    Fill,
    FillBust,
    FillCorrect,
    Funding,
    Hello,
    PositionReport,
    Transfer,
)


def _message(kind: type[Asked], message: Asked | None, fields: dict[str, Any]) -> Asked:
    if message is None:
        return kind(**fields)
    if fields:
        raise TypeError(f"Give a {kind.__name__} or its fields, not both.")
    return message
