"""How a command ends: documented exit codes, and errors that say what to do next."""

from __future__ import annotations

DONE = 0  # Done, or accepted.
FAILED = 1
USAGE = 2  # Usage or configuration.
REJECTED = 3  # Rejected, or would be rejected.
UNREACHABLE = 4  # No riskd answers there.
NOT_ALLOWED = 5  # No right to do it, or the confirmation is missing.


class CommandError(Exception):
    """A command cannot go on. Printed as what happened, where, what was expected, what next."""

    def __init__(
        self, what: str, *, exit_code: int, where: str = "", expected: str = "", next_step: str = ""
    ) -> None:
        super().__init__(what)
        self.exit_code = exit_code
        self.where, self.expected, self.next_step = where, expected, next_step

    def lines(self) -> list[str]:
        """Return the error as lines for stderr."""
        rows = [f"riskd: {self}"]
        labels = (("where", self.where), ("expected", self.expected), ("next", self.next_step))
        rows += [f"  {label:<9} {text}" for label, text in labels if text]
        return rows


def unreachable(address: str, port: str, text: str) -> CommandError:
    """Return the error for a riskd that does not answer."""
    return CommandError(
        text or "riskd does not answer.",
        exit_code=UNREACHABLE,
        where=f"{port} port, {address}",
        expected="a running riskd",
        next_step=f"start one (riskd serve, or riskd demo), or name its address with --{port}; "
        "where riskd has keys, yours with --key",
    )
