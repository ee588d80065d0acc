"""The universe: what a configuration declares, put in force without changing what is booked."""

from __future__ import annotations

from collections.abc import Collection

from engine.boards import Boards, value_changed
from engine.facts import Stamp
from engine.instruments import Instrument, InstrumentError
from engine.limits import FIRM
from engine.misfits import account_misfits, instrument_misfits
from engine.money import is_amount
from riskd.messages import AccountSpec, InstrumentSpec, LimitsUpdate, Universe


def universe_conflicts(
    boards: Boards, accounts: dict[str, AccountSpec], universe: Universe
) -> list[str]:
    """Return why a universe cannot be put in force, a sentence each; empty if it can.

    What is booked stays what it is: neither the numbers of an instrument nor the currency, cost
    method and position mode of an account may change.
    """
    found: list[str] = []
    for instrument in universe.instruments:
        wrong = instrument_conflict(boards, instrument)
        if wrong is not None:
            found.append(wrong)
    groups = {FIRM, *boards.groups, *(group.id for group in universe.groups)}
    for account in universe.accounts:
        wrong = account_conflict(accounts.get(account.id), account, groups)
        if wrong is not None:
            found.append(wrong)
    return found


def instrument_conflict(boards: Boards, spec: InstrumentSpec) -> str | None:
    """Return why an instrument cannot be added or changed, None if it can."""
    try:
        Instrument(spec, boards.settings.stale_after_ms)
    except InstrumentError as error:
        return str(error)
    wrong = _margin_invalid(spec)
    if wrong is not None:
        return f"instrument {spec.symbol}: {wrong}"
    for misfit in instrument_misfits(spec):
        return f"instrument {spec.symbol}: {misfit}"
    standing = boards.instruments.get(spec.symbol)
    name = value_changed(standing.spec, spec) if standing is not None else None
    if standing is None or name is None:
        return None
    old, new = getattr(standing.spec, name), getattr(spec, name)
    return f"instrument {spec.symbol}: {name} is {old} in the journal, {new} would revalue books"


def _margin_invalid(spec: InstrumentSpec) -> str | None:
    for name in ("initial_margin", "maintenance_margin", "hedged_margin"):
        if not is_amount(getattr(spec, name)):
            return f"{name} must be finite and in range"
    for tier in spec.tiers:
        for name in ("notional", "initial_margin", "maintenance_margin"):
            if not is_amount(getattr(tier, name)):
                return f"{name} of a tier must be finite and in range"
    return None


def account_conflict(
    standing: AccountSpec | None, spec: AccountSpec, groups: Collection[str]
) -> str | None:
    """Return why an account cannot be added or changed, None if it can."""
    if spec.group not in groups:
        return f"account {spec.id}: there is no group {spec.group}"
    if not is_amount(spec.balance):
        return f"account {spec.id}: balance {spec.balance} must be finite and in range"
    if spec.leverage is not None and not is_amount(spec.leverage):
        return f"account {spec.id}: leverage {spec.leverage} must be finite and in range"
    for misfit in account_misfits(spec):
        return f"account {spec.id}: {misfit}"
    if standing is None:
        return None
    for name in ("currency", "cost_method", "position_mode"):
        old, new = getattr(standing, name), getattr(spec, name)
        if old != new:
            return f"account {spec.id}: {name} is {old} in the journal and cannot become {new}"
    return None


def apply_universe(boards: Boards, universe: Universe) -> None:
    """Put settings, instruments, groups and limits in force.

    `universe_conflicts` was empty. Accounts are opened by whoever owns them.
    """
    boards.put_settings(universe.settings)
    for instrument in universe.instruments:
        boards.put_instrument(instrument)
    boards.put_groups(universe.groups)
    boards.put_permissions(universe.permissions)
    boards.policies = universe.responses
    boards.limit_book.configured = universe.limits
    boards.put_limits(boards.limit_book.in_force())


def limits_update(limits_version: int, stamp: Stamp) -> LimitsUpdate:
    """Return what is published when another limit set is in force."""
    return LimitsUpdate(limits_version=limits_version, seq=stamp.seq, at_ns=stamp.recv_ns)
