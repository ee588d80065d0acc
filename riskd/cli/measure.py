"""Commands that measure: trades, concentration, correlation, advice, size, statistics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from cyclopts import Parameter

from riskd.cli.connection import Connection
from riskd.cli.failure import DONE, FAILED, CommandError
from riskd.cli.look import HERE, Json, ask_of, ask_scope, check_known, tree
from riskd.cli.text import BOLD, coloured, print_json, table
from riskd.messages import (
    AdviceRequest,
    ConcentrationRequest,
    CorrelationRequest,
    Side,
    SizeRequest,
    StatisticsRequest,
    TradesBy,
    TradesRequest,
)

Shown = Mapping[str, Any]
TOTALS = (
    *("trades", "win_rate", "profit_factor", "expectancy", "reward_to_risk", "realized", "fees"),
    *("average_mfe", "average_mae"),
)
TRADES = (
    *("closed_ns", "symbol", "strategy", "side", "quantity", "entry", "exit", "realized"),
    *("fees", "currency", "mfe", "mae", "planned_reward_to_risk"),
)
ADVICE = ("symbol", "quantity", "margin_freed", "cost", "cost_per_margin", "liquidation_price")
WEIGHTS = ("symbol", "weight")
PAIRS = ("symbol", "other", "correlation")
STANDING = ("mfe", "mae", "reward_to_risk", "score", "rank")


def trades(
    account: str,
    /,
    *,
    by: Annotated[TradesBy, Parameter(help="One line for all, or for each.")] = "account",
    limit: Annotated[int, Parameter(help="At most so many of the newest trades.")] = 20,
    json: Json = False,
    connection: Connection = HERE,
) -> int:
    """Show how the closed trades of ACCOUNT went: win rate, profit factor, expectancy, excursions.

    Example: riskd trades A1 --by strategy
    """
    found = ask_of(account, TradesRequest(account=account, by=by, limit=limit), connection)
    if json:
        print_json(found)
        return DONE
    warn_incomplete(found)
    if len(found["totals"]) == 1 and by == "account":
        print_map(found["totals"][0])
        print()
    elif found["totals"]:
        _print_table(found["totals"], (by, *TOTALS))
        print()
    _print_table(found["trades"], TRADES, none="no trade has closed yet")
    return DONE


def concentration(
    scope: str = "firm", /, *, json: Json = False, connection: Connection = HERE
) -> int:
    """Show how much of a book hangs on few names. SCOPE is firm, group:G or account:A1.

    Example: riskd concentration account:A1
    """
    found = ask_scope(scope, ConcentrationRequest(scope=scope), connection)
    if json:
        print_json(found)
        return DONE
    warn_incomplete(found)
    weights = found["weights"]
    print_map({key: value for key, value in found.items() if key != "weights"})
    print()
    rows = [{"symbol": key, "weight": weight} for key, weight in weights.items()]
    _print_table(rows, WEIGHTS, none="no position is open")
    return DONE


def correlation(*, json: Json = False, connection: Connection = HERE) -> int:
    """Show the correlation of every pair of sampled symbols, the strongest first, and clusters.

    Example: riskd correlation
    """
    found = connection.ask(CorrelationRequest()).data
    if json:
        print_json(found)
        return DONE
    symbols, matrix = found["symbols"], found["matrix"]
    pairs = [
        {"symbol": one, "other": other, "correlation": matrix[row][column]}
        for row, one in enumerate(symbols)
        for column, other in enumerate(symbols[:row])
        if matrix[row][column] is not None
    ]
    pairs.sort(key=lambda pair: -abs(pair["correlation"]))
    _print_table(pairs, PAIRS, none="no two symbols have enough samples yet")
    for cluster in found["clusters"]:
        print(coloured("together  ", BOLD) + " ".join(cluster))
    return DONE


def advice(account: str, /, *, json: Json = False, connection: Connection = HERE) -> int:
    """List what could be done about the positions of ACCOUNT, cheapest margin first.

    Example: riskd advice A1
    """
    found = ask_of(account, AdviceRequest(account=account), connection)
    if json:
        print_json(found)
        return DONE
    warn_incomplete(found)
    print_map({key: value for key, value in found.items() if key != "positions"})
    print()
    legs = any(line["position_id"] for line in found["positions"])
    columns = (*("position_id",) * legs, *ADVICE, *STANDING)
    _print_table(found["positions"], columns, none="no position is open")
    for line in found["positions"]:
        for one in line["suggestions"]:
            at = {key: one[key] for key in ("price", "quantity") if one[key] is not None}
            figure = "  ".join(f"{key} {value:g}" for key, value in at.items())
            print(f"{line['symbol']}  {one['action'].replace('_', ' ')}  {figure}  {one['why']}")
    return DONE


def size(
    account: str,
    symbol: str,
    /,
    *,
    stop_loss: Annotated[float, Parameter(help="Where the trade would be given up.")],
    side: Side = Side.BUY,
    price: Annotated[float | None, Parameter(help="Of the entry; else the touch.")] = None,
    risk_pct: Annotated[float | None, Parameter(help="Else risk_per_trade_pct.")] = None,
    json: Json = False,
    connection: Connection = HERE,
) -> int:
    """Show the quantity of SYMBOL whose loss at the stop fits the risk of ACCOUNT.

    Example: riskd size A1 AAPL --price 187.50 --stop-loss 184 --risk-pct 1
    """
    asked = SizeRequest(
        account=account,
        symbol=symbol,
        stop_loss=stop_loss,
        side=side,
        price=price,
        risk_pct=risk_pct,
    )
    found = ask_of(account, asked, connection)
    if json:
        print_json(found)
    elif found["missing"] is None:
        print_map(found)
    else:
        check_known("symbol", symbol, connection)
        raise CommandError(f"{found['missing']}.", exit_code=FAILED)
    return DONE if found["missing"] is None else FAILED


def statistics(
    account: str,
    /,
    *,
    periods: Annotated[int, Parameter(help="Days that make a year.")] = 252,
    json: Json = False,
    connection: Connection = HERE,
) -> int:
    """Show volatility, ratios and values at risk of the daily returns of ACCOUNT.

    Example: riskd statistics A1 --periods 252
    """
    found = ask_of(account, StatisticsRequest(account=account, periods=periods), connection)
    if json:
        print_json(found)
    else:
        print_map(found)
    return DONE


def warn_incomplete(found: Shown) -> None:
    """Say that figures are a part, if they are."""
    if not found["complete"]:
        print(coloured("INCOMPLETE", BOLD), "a mark or an exchange rate is missing")


def print_map(found: Shown) -> None:
    """Print a map, a line a field."""
    for line in tree(found, depth=0):
        print(line)


def _print_table(rows: Sequence[Shown], columns: Sequence[str], *, none: str = "none") -> None:
    chosen = [{name: row[name] for name in columns} for row in rows]
    for line in table(chosen, columns) if rows else [none]:
        print(line)
