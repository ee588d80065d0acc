"""Timers: which accounts asked to be woken, and when."""

from __future__ import annotations

from heapq import heappop, heappush


class Timers:
    """At most one wake-up per account, the earliest asked for; derived, so no part of the state."""

    __slots__ = ("_heap", "_wanted")

    def __init__(self) -> None:
        self._heap: list[tuple[int, str]] = []
        self._wanted: dict[str, int] = {}

    def ask(self, account: str, steady_ns: int) -> None:
        """Wake `account` at `steady_ns`, unless it will be woken earlier anyway."""
        wanted = self._wanted.get(account)
        if wanted is None or steady_ns < wanted:
            self._wanted[account] = steady_ns
            heappush(self._heap, (steady_ns, account))

    def drop(self, account: str) -> None:
        """Wake an account no more."""
        self._wanted.pop(account, None)

    def next_ns(self) -> int | None:
        """Return when the next account is due, None if none asked."""
        return self._heap[0][0] if self._heap else None

    def take_due(self, steady_ns: int) -> list[str]:
        """Return the accounts due by now and forget them.

        In the order of their names: that of their instants would tell a run that was restored
        from one that was not, since an account may ask again for what it was asked before.
        """
        due = []
        while self._heap and self._heap[0][0] <= steady_ns:
            at_ns, account = heappop(self._heap)
            if self._wanted.get(account) == at_ns:
                del self._wanted[account]
                due.append(account)
        return sorted(due)


def earliest(*instants: int | None) -> int | None:
    """Return the first of the instants there are, None if there is none."""
    return min((ns for ns in instants if ns is not None), default=None)
