"""What every account reads in place: instruments, quotes, breakers, limits, groups, settings."""

from __future__ import annotations

from engine.breakers import BreakerBoard
from engine.instruments import Instrument
from engine.quotes import QuoteBoard
from riskd.messages import GroupSpec, InstrumentSpec, LimitSet, RiskSettings

FIRM = "firm"


class Boards:
    """Shared read-only views, each written by one owner; `version` changes with what plans use."""

    __slots__ = (
        "breakers",
        "groups",
        "instruments",
        "limits",
        "limits_version",
        "quotes",
        "settings",
        "version",
    )

    def __init__(self) -> None:
        self.settings = RiskSettings()
        self.instruments: dict[str, Instrument] = {}
        self.groups: dict[str, GroupSpec] = {}
        self.quotes = QuoteBoard(self.settings)
        self.breakers = BreakerBoard()
        self.limits = LimitSet()
        self.limits_version = 0
        self.version = 0

    def put_settings(self, settings: RiskSettings) -> None:
        """Put settings in force."""
        self.settings = settings
        self.quotes.configure(settings)
        self.version += 1

    def put_instrument(self, spec: InstrumentSpec) -> Instrument:
        """Add an instrument, or replace the parts of one that do not touch its value."""
        instrument = Instrument(spec, self.settings.stale_after_ms)
        self.instruments[spec.symbol] = instrument
        self.quotes.add(instrument)
        self.version += 1
        return instrument

    def put_groups(self, groups: tuple[GroupSpec, ...]) -> None:
        """Put the tree of groups in force."""
        self.groups.update({group.id: group for group in groups})
        self.version += 1

    def put_limits(self, limits: LimitSet) -> bool:
        """Put a limit set in force if it is another one; return whether it was."""
        if limits == self.limits and self.limits_version:
            return False
        self.limits = limits
        self.limits_version += 1
        self.version += 1
        return True

    def ancestry(self, group: str) -> tuple[str, ...]:
        """Return `group` and every group above it, without the firm. Cycles were refused before."""
        found: list[str] = []
        while group != FIRM and group not in found:
            found.append(group)
            spec = self.groups.get(group)
            group = spec.parent if spec is not None else FIRM
        return tuple(found)


VALUE_FIELDS = (
    "currency",
    "kind",
    "tick_size",
    "lot_size",
    "multiplier",
    "base",
    "settlement",
)


def value_changed(old: InstrumentSpec, new: InstrumentSpec) -> str | None:
    """Return the first field that would change what booked lots are worth, None if none would."""
    for name in VALUE_FIELDS:
        if getattr(old, name) != getattr(new, name):
            return name
    return None
