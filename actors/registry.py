"""The registry of pykka made fit for 100,000 actors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias, cast, overload

from pykka import ActorRef, ActorRegistry

AnyRef: TypeAlias = ActorRef[Any]


class RefSequence:
    """The part of a list that `ActorRegistry` uses, with O(1) append, membership and removal.

    pykka keeps a list, so each stopping actor searches it twice and stopping all of them is
    quadratic: minutes for 100,000. Order is that of registration; a reference is held once.
    """

    __slots__ = ("_refs",)

    def __init__(self, refs: Iterable[AnyRef] = ()) -> None:
        self._refs: dict[AnyRef, None] = dict.fromkeys(refs)

    def append(self, ref: AnyRef) -> None:
        """Add `ref` at the end, or leave it where it is when it is held already."""
        self._refs[ref] = None

    def remove(self, ref: AnyRef) -> None:
        """Take `ref` out. Raises ValueError, as a list does, when it is not held."""
        try:
            del self._refs[ref]
        except KeyError:
            raise ValueError(f"{ref} is not registered") from None

    def clear(self) -> None:
        """Forget every reference."""
        self._refs.clear()

    def __contains__(self, ref: object) -> bool:
        return ref in self._refs

    def __iter__(self) -> Iterator[AnyRef]:
        return iter(self._refs)

    def __reversed__(self) -> Iterator[AnyRef]:
        return reversed(self._refs)

    def __len__(self) -> int:
        return len(self._refs)

    @overload
    def __getitem__(self, index: int) -> AnyRef: ...
    @overload
    def __getitem__(self, index: slice) -> list[AnyRef]: ...
    def __getitem__(self, index: int | slice) -> AnyRef | list[AnyRef]:
        """Return a reference or a list of them. O(n): a copy is made first."""
        return list(self._refs)[index]


def index_registry() -> None:
    """Replace the list inside `ActorRegistry` by a `RefSequence`, keeping who is registered.

    Idempotent. Safe while actors of other threads start and stop, for it holds the registry's lock.
    """
    with ActorRegistry._actor_refs_lock:
        refs: object = ActorRegistry._actor_refs
        if not isinstance(refs, RefSequence):
            # The class says list; `RefSequence` answers all that its methods ask of one.
            ActorRegistry._actor_refs = cast("list[AnyRef]", RefSequence(ActorRegistry._actor_refs))
