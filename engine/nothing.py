"""What is empty until somebody writes to it: one mapping that all structs share.

An account has some forty mappings of which it uses a few. Those that are rarely used begin as
`NOTHING`, which nobody can write to, and become the struct's own by the first write. A struct that
has any leaves out its defaults when it is encoded, so that a snapshot keeps what is shared apart
from what is empty by now, and a restored state is the very state that was written.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn, TypeVar

Value = TypeVar("Value")


class Shared(dict[str, Value]):
    """A mapping that nobody writes to, so that many may have it."""

    __slots__ = ()

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("this mapping is shared: `own` gives one to write to")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse


NOTHING: Mapping[str, Any] = Shared()


def own(holder: Any, field: str) -> dict[str, Any]:
    """Return a mapping of a struct, or of an object, to write to; the first write makes it."""
    found = getattr(holder, field)
    if found is NOTHING:
        found = {}
        setattr(holder, field, found)
    assert type(found) is dict, "what is not shared is the struct's own"
    return found


def forget(mapping: Mapping[str, Any], key: str) -> Any:
    """Take a key out of a mapping that may be `NOTHING`; return its value, None without one."""
    return mapping.pop(key, None) if type(mapping) is dict else None
