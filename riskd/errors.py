"""What can go wrong for a client of riskd. A check raises none of these: it denies instead."""

from __future__ import annotations


class RiskdError(Exception):
    """Base of every error that a client of riskd raises."""


class NoAnswer(RiskdError):
    """No answer came in time: whether the message was taken is unknown.

    Messages of the orders port may be sent again with the same id: riskd takes each id once.
    """


class BadAnswer(RiskdError):
    """An answer came that cannot be read, or that answers something else."""


class Refused(RiskdError):
    """riskd answered `error`: the message was not taken and state is untouched."""

    def __init__(self, code: str, text: str, field: str | None = None) -> None:
        place = f" (at {field})" if field else ""
        super().__init__(f"{code}: {text}{place}")
        self.code = code
        self.text = text
        self.field = field


class ControlError(Refused):
    """An operator's request was refused; `code` and `text` say why."""


class WrongThread(RiskdError):
    """A client was used from a thread that did not make it; sockets belong to one thread."""


class KeysError(RiskdError):
    """A file of keys cannot be used: it is missing, damaged, or others could read it."""
