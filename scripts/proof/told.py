"""What a subscriber and an operator are told, held against what the raw file makes of it.

Each function returns what is expected of one published message, by the definitions of
docs/measures.md, in wire units.
"""

from __future__ import annotations

from fractions import Fraction
from math import ceil
from typing import Any

import numpy as np
from msgspec import Struct

from riskd.messages import (
    AccountSpec,
    InstrumentKind,
    InstrumentSpec,
    MarginModel,
    MarginTier,
    PositionMode,
)
from scripts.proof.sameness import CLOSE, Expected
from scripts.proof.truth import LEGS, MONEY, PaperTruth, SpanTruth, Truth


class Account:
    """One account of the truth, as it is told."""

    def __init__(self, truth: Truth, index: int) -> None:
        self._truth, self._index = truth, index
        self.spec = truth.accounts[index]
        self.is_hedging = self.spec.position_mode is PositionMode.HEDGING
        rates = truth.rates()
        self._to_own = {
            currency: 1 if truth.exact else float(rates[number] / rates[truth.own[index]])
            for number, currency in enumerate(truth.currencies)
        }
        self.equity = self._of(truth.equity)
        self.sides = {symbol: self._sides(paper) for symbol, paper in truth.papers.items()}
        self.gross = sum(sum(sides) for sides in self.sides.values())

    def _of(self, figures: Any) -> Any:
        """Return this account's figure, as a plain number."""
        return figures[self._index].item()

    def _sum(self, paper: PaperTruth, name: str) -> Any:
        return self._of(paper.sums[name])

    def _own(self, money: Any, paper: PaperTruth) -> Any:
        return money * self._to_own[paper.settlement]

    def _sides(self, paper: PaperTruth) -> tuple[Any, Any]:
        """Return what is held long and short, each positive, in account money."""
        long, short = (abs(unit) for unit in paper.units)
        longs, shorts = self._sum(paper, "longs") * long, -self._sum(paper, "shorts") * short
        return self._own(longs, paper), self._own(shorts, paper)

    def pnl(self) -> Expected:
        """Return what `pnl.<account>` tells."""
        truth, found = self._truth, {"equity": self.equity / MONEY, "complete": True}
        for name in ("realized", "fees", "funding"):
            parts = (self._own(self._sum(x, name), x) for x in truth.papers.values())
            found[name] = sum(parts) / MONEY
        profits = (self._own(self._of(x.profit), x) for x in truth.papers.values())
        found["unrealized"] = sum(profits) / MONEY
        for period in ("day", "week", "month"):
            found[period] = self._of(truth.earned(period)) / MONEY
        return found

    def exposure(self) -> Expected:
        """Return what `exposure.<account>` tells."""
        longs, shorts = (sum(one[side] for one in self.sides.values()) for side in (0, 1))
        held = {symbol: sides for symbol, sides in self.sides.items() if any(sides)}
        top = max(held, key=lambda symbol: sum(held[symbol]), default=None)
        whole = max(self.gross, self.equity)
        worst = [self._worst(paper) for paper in self._truth.papers.values()]
        traded = (self._own(self._of(x.filled + x.worked), x) for x in self._truth.papers.values())
        return {
            "long": longs / MONEY,
            "short": shorts / MONEY,
            "gross": self.gross / MONEY,
            "net": (longs - shorts) / MONEY,
            "leverage": self.gross / self.equity if self.equity > 0 else None,
            "largest_symbol": top,
            "largest_pct": (sum(held[top]) if top else 0) * 100 / whole if whole > 0 else None,
            "worst_long": sum(upper for upper, _, _ in worst) / MONEY,
            "worst_short": sum(lower for _, lower, _ in worst) / MONEY,
            "worst_gross": sum(gross for _, _, gross in worst) / MONEY,
            "by_symbol": {key: (long - short) / MONEY for key, (long, short) in held.items()},
            "turnover": sum(traded) / MONEY,
            "by_currency": currency_nets(
                self._truth, np.arange(len(self._truth.all)) == self._index
            ),
        }

    def _worst(self, paper: PaperTruth) -> tuple[Any, Any, Any]:
        """Return a symbol if all buys filled, if all sells did, and its gross at worst."""
        longs, shorts = self._sum(paper, "longs"), self._sum(paper, "shorts")
        buys, sells = self._sum(paper, "buys"), self._sum(paper, "sells")
        long, short = (abs(unit) for unit in paper.units)
        unit = long if self.is_hedging or longs + shorts >= 0 else short
        upper, lower = (longs + shorts + buys) * unit, (longs + shorts - sells) * unit
        gross = max(abs(upper), abs(lower))
        if self.is_hedging:
            gross = (longs + buys) * long + (sells - shorts) * short
        return self._own(upper, paper), self._own(lower, paper), self._own(gross, paper)

    def margin(self) -> Expected:
        """Return what `margin.<account>` tells."""
        used = initial = kept = 0.0
        for paper in self._truth.papers.values():
            long, short = (abs(unit) for unit in paper.units)
            longs, shorts = self._sum(paper, "longs"), -self._sum(paper, "shorts")
            buys, sells = self._sum(paper, "buys"), self._sum(paper, "sells")
            unit = long if longs >= shorts else short
            held = sorted((longs * long, shorts * short))
            worst = sorted(((longs + buys) * long, (shorts + sells) * short))
            if not self.is_hedging:
                net = longs - shorts
                held = [0, abs(net) * unit]
                worst = [0, max(abs(net + buys), abs(net - sells)) * unit]
            used += self._own(self._asked(paper, held, "initial_margin"), paper)
            initial += self._own(self._asked(paper, worst, "initial_margin"), paper)
            kept += self._own(self._asked(paper, held, "maintenance_margin"), paper)
        return {
            "equity": self.equity / MONEY,
            "used": used / MONEY,
            "initial": initial / MONEY,
            "maintenance": kept / MONEY,
            "free": (self.equity - used) / MONEY,
            "level_pct": self.equity * 100 / used if used else None,
        }

    def _asked(self, paper: PaperTruth, sides: list[Any], name: str) -> float:
        """Return the margin of a smaller and a larger side."""
        spec, model = paper.spec, self.spec.margin_model
        if paper.is_inverse:  # Small numbers: that they are whole units, rounded up, is seen.
            return _asked_up([round(side) for side in sides], spec, self.spec, name)
        smaller, larger = sides
        flat: float = getattr(spec, name)
        if model is MarginModel.LEVERAGE:
            assert self.spec.leverage is not None
            flat = min(flat, 1 / self.spec.leverage)
        part = larger * flat
        if model is MarginModel.TIERS:
            part = _bracketed(larger / MONEY, spec.tiers, name) * MONEY
        return float(part + smaller * spec.hedged_margin)

    def drawdown(self, now_ns: int) -> Expected:
        """Return what `drawdown.<account>` tells."""
        spans = self._truth.spans
        opened = self._of(spans["day"].opened)
        fallen = max(0, opened - self.equity)
        return {
            "equity": self.equity / MONEY,
            **{
                name: span_of(span, self._index, self.equity, now_ns, exact=self._truth.exact)
                for name, span in spans.items()
            },
            "from_open": fallen / MONEY,
            "from_open_pct": fallen * 100 / opened,
        }

    def position(self, symbol: str, now_ns: int) -> Expected:
        """Return what `position.<account>.<symbol>` tells, legs included, to the last unit."""
        paper = self._truth.papers[symbol]
        both = range(2 * self._index, 2 * self._index + 2)
        net = sum(paper.legs[leg].lots for leg in both)
        mark = paper.marks[-1][0 if net >= 0 else 1]
        held = [leg for leg in both if paper.legs[leg].lots]
        profits = {leg: self._profit(paper, leg) for leg in held}
        told: Expected = {
            "quantity": float(net),
            "mark": mark,
            "mark_age_ns": now_ns - paper.recv_ns,
            "realized": sum(paper.legs[leg].ledger.realized for leg in both) / MONEY,
            "unrealized": sum(profits.values()) / MONEY,
            "fees": -sum(paper.legs[leg].fees for leg in both) / MONEY,
            "open_buy_quantity": float(self._sum(paper, "buys")),
            "open_sell_quantity": float(self._sum(paper, "sells")),
            "funding": {paper.settlement: self._sum(paper, "funding") / MONEY},
        }
        if not told["funding"][paper.settlement]:
            del told["funding"]
        if self.is_hedging:
            legs = {LEGS[leg % 2]: self._leg(paper, leg, profits[leg]) for leg in held}
            return told | {"legs": legs}
        return told | (self._leg(paper, held[0], profits[held[0]]) if held else {})

    def _profit(self, paper: PaperTruth, leg: int) -> int:
        one = paper.legs[leg]
        return one.value(paper.marks[-1][0 if one.lots > 0 else 1]) - one.ledger.cost

    def _leg(self, paper: PaperTruth, leg: int, profit: int) -> Expected:
        one = paper.legs[leg]
        best, worst = one.excursion(paper.seen(leg))
        average = abs(one.ledger.cost / one.lots) / MONEY
        if paper.is_inverse:
            average = int(paper.spec.multiplier) / average
        found = {
            "quantity": float(one.lots),
            "average_price": average,
            "unrealized": profit / MONEY,
            "mfe": best / MONEY,
            "mae": worst / MONEY,
        }
        if self.is_hedging:
            found["realized"] = (one.ledger.realized - one.earned_before) / MONEY
        return found

    def measures(self) -> dict[str, float | None]:
        """Return what each `risk_update` of the account tells."""
        margin, peak = self.margin(), self._of(self._truth.spans["max"].peak)
        return {
            "pnl": self._of(self._truth.earned("day")) / MONEY,
            "drawdown": (peak - self.equity) * 100 / peak,
            "margin": margin["level_pct"],
            "exposure": self.gross / MONEY,
        }


def span_of(span: SpanTruth, index: int, equity: Any, now_ns: int, *, exact: bool) -> Expected:
    """Return what is told of a span of an account or a group, whose number is `index`."""
    columns = span.peak, span.trough, span.opened, span.deepest()
    # Plain numbers: a hundred times a fall of a hundred thousand outgrows 64 bits.
    peak, trough, opened, deepest = (column[index : index + 1].tolist()[0] for column in columns)
    below = peak - equity
    found: Expected = {
        "peak": float(peak / MONEY),
        "drawdown": float(below / MONEY),
        "drawdown_pct": float(below * 100 / peak),
        "deepest": float(deepest / MONEY),
    }
    if exact or not span.is_tied()[index]:
        recovered = float((equity - trough) / MONEY)
        found |= {"trough": float(trough / MONEY), "recovered": recovered}
    if exact:  # Else a difference of floats says which instant it was.
        since_ns = int(span.peak_ns[index]) if below else None
        depth = peak - trough
        found |= {
            "since_ns": since_ns,
            "under_water_ns": now_ns - since_ns if since_ns is not None else 0,
            "recovery_factor": float((equity - opened) / deepest) if deepest else None,
            "recovered_pct": float((equity - trough) * 100 / depth) if depth else None,
        }
    return found


def group_drawdown(truth: Truth, group: int, now_ns: int) -> Expected:
    """Return what `firm.drawdown`, or that of a group, tells."""
    equity = truth.group_equity[group]
    return {
        "equity": float(equity / MONEY),
        "complete": True,
        **{
            name: span_of(span, group, equity, now_ns, exact=truth.exact)
            for name, span in truth.group_spans.items()
        },
    }


def _asked_up(sides: list[int], spec: InstrumentSpec, account: AccountSpec, name: str) -> int:
    """Return the same in whole units; nothing here is larger than the first bracket."""
    first: Struct = spec.tiers[0] if account.margin_model is MarginModel.TIERS else spec
    part = Fraction(str(getattr(first, name)))
    if account.margin_model is MarginModel.LEVERAGE:
        part = min(part, 1 / Fraction(str(account.leverage)))
    smaller, larger = sides
    assert larger <= spec.tiers[0].notional * MONEY
    return ceil(larger * part) + ceil(smaller * Fraction(str(spec.hedged_margin)))


def _bracketed(size: float, tiers: tuple[MarginTier, ...], name: str) -> float:
    """Return the margin of a size in brackets, each rate for the part of it inside its own."""
    below, found = 0.0, 0.0
    for tier in tiers:
        inside = max(0.0, min(size, tier.notional) - below)
        found, below = found + inside * getattr(tier, name), tier.notional
    return found


def currency_nets(truth: Truth, members: Any) -> dict[str, float]:
    """Return what members have of each currency together, in itself; zero is left out."""

    def total(figures: Any) -> Any:  # Of many accounts it may outgrow 64 bits.
        return sum(figures[members].tolist())

    found = {currency: total(cash) for currency, cash in truth.cash.items()}
    for paper in truth.papers.values():
        sums, base = paper.sums, paper.spec.base
        if paper.spec.kind is InstrumentKind.FX and base is not None:
            found[base] = found.get(base, 0) + total(sums["longs"] + sums["shorts"]) * MONEY
            found[paper.settlement] -= total(sums["cost"])
        else:
            found[paper.settlement] += total(paper.profit)
    shown = {currency: float(money) / MONEY for currency, money in found.items()}
    return {currency: net for currency, net in shown.items() if abs(net) > CLOSE}


def firm_exposure(truth: Truth, members: Any) -> Expected:
    """Return what `firm.exposure`, or that of a group, tells: members added up, not netted."""
    longs = shorts = 0.0
    rates = truth.rates()
    by_symbol: dict[str, float] = {}
    for symbol, paper in truth.papers.items():
        rate = 1 if truth.exact else rates[truth.currencies.index(paper.settlement)]
        long, short = (abs(unit) * rate for unit in paper.units)
        held = paper.sums["longs"][members].sum().item() * long
        owed = -paper.sums["shorts"][members].sum().item() * short
        longs, shorts = longs + held, shorts + owed
        if held or owed:
            by_symbol[symbol] = float(held - owed) / MONEY
    return {
        "long": float(longs) / MONEY,
        "short": float(shorts) / MONEY,
        "gross": float(longs + shorts) / MONEY,
        "net": float(longs - shorts) / MONEY,
        "by_symbol": by_symbol,
        "by_currency": currency_nets(truth, members),
    }
