"""What the control port answers by looking: read between inputs, so it is one consistent state."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any

from msgspec.structs import replace

from actors.system import System
from engine.account import Account
from engine.advice import advice_view, size_view
from engine.alert_views import alert_view, alerts_view, done_about
from engine.alerts import AlertBook
from engine.digest import books_digest, state_digest
from engine.firm import firm_drawdown, firm_exposure
from engine.limits import FIRM
from engine.measures import check_view, drawdown_update, exposure_update, margin_update
from engine.pnl_view import pnl_view
from engine.portfolio import accounts_in, concentration_view, correlation_view
from engine.responses import responses_view
from engine.sweep import sweep_view
from engine.trade_views import statistics_view, trades_view
from engine.views import (
    account_line,
    account_view,
    breakers_view,
    instruments_view,
    limits_view,
    orders_view,
    positions_view,
    sessions_view,
    verdict_view,
)
from riskd.messages import (
    EVERY_ACCOUNT,
    AccountRequest,
    Accounts,
    AdviceRequest,
    Alerts,
    Breakers,
    CheckState,
    ConcentrationRequest,
    ControlQuery,
    CorrelationRequest,
    DrawdownRequest,
    Error,
    ExposureRequest,
    Instruments,
    Limits,
    MarginRequest,
    MeasuresQuery,
    Metrics,
    NotifyTest,
    Orders,
    Pnl,
    Positions,
    Responses,
    Result,
    Sessions,
    SizeRequest,
    StatisticsRequest,
    Status,
    TradesRequest,
    VerdictRequest,
)


class Queries:
    """Answers control queries from the live state."""

    def __init__(
        self,
        system: System,
        *,
        now_ns: Callable[[], int],
        status: Callable[[], dict[str, Any]],
        metrics: Callable[[], dict[str, Any]],
        heard_ns: Callable[[int], int | None],
        notify_test: Callable[[], dict[str, Any]] = dict,
        own_alerts: AlertBook | None = None,
    ) -> None:
        self._system = system
        self._now_ns = now_ns
        self._status = status
        self._metrics = metrics
        self._heard_ns = heard_ns
        self._notify_test = notify_test
        self._alert_books = [system.alert_book, own_alerts or AlertBook()]

    def answer(self, query: ControlQuery) -> Result | Error:
        """Return the answer of one query."""
        if isinstance(query, CheckState) and query.account == EVERY_ACCOUNT:
            query = replace(query, account=None)
        account = getattr(query, "account", None)
        if account is not None and account not in self._system.accounts:
            text = f"no account {account}"
            return Error(code="not_found", text=text, request_id=query.request_id)
        shown = self._shown(query)
        if isinstance(shown, Error):
            return shown
        if shown is None:
            text = "nothing is remembered of this order"
            if isinstance(query, ConcentrationRequest | DrawdownRequest | ExposureRequest | Pnl):
                text = f"no scope {query.scope}; firm, group:G or account:A1 are"
            return Error(code="not_found", text=text, request_id=query.request_id)
        return Result(ok=True, data=shown, request_id=query.request_id)

    def _shown(self, query: ControlQuery) -> Any:
        system, now_ns = self._system, self._now_ns()
        accounts, boards = system.accounts, system.boards
        match query:
            case Status():
                return self._with_digests(query)
            case Metrics():
                return {**self._metrics(), "sweep": sweep_view(boards)}
            case NotifyTest():
                return self._notify_test()
            case Accounts():
                return [account_line(account, now_ns) for account in accounts.values()]
            case AccountRequest():
                return account_view(accounts[query.account], now_ns)
            case Positions():
                return positions_view(self._asked(query.account), now_ns)
            case Orders():
                return orders_view(accounts[query.account])
            case Instruments():
                return instruments_view(boards, now_ns)
            case Pnl():
                scope = accounts_in(query.scope, accounts, boards)
                return None if scope is None else pnl_view(boards, scope, query, now_ns)
            case Limits():
                return limits_view(boards, accounts, query.scope)
            case Breakers():
                return breakers_view(boards)
            case Sessions():
                rows = sessions_view(boards, accounts)
                return [{**row, "heard_ns": self._heard_ns(row["session"])} for row in rows]
            case Responses():
                return responses_view(boards.responses, query)
            case Alerts():
                return self._alerts(query)
            case VerdictRequest():
                return self._verdict(query)
            case TradesRequest():
                return trades_view(accounts[query.account], query.by, query.limit)
            case StatisticsRequest():
                return statistics_view(accounts[query.account], query.periods)
            case AdviceRequest():
                return advice_view(accounts[query.account])
            case SizeRequest():
                return size_view(accounts[query.account], query)
            case CorrelationRequest():
                return correlation_view(boards)
            case ExposureRequest() | MarginRequest() | DrawdownRequest() | CheckState():
                return self._measured(query)
            case ConcentrationRequest():
                return self._concentration(query.scope)

    def _verdict(self, query: VerdictRequest) -> Any:
        """Return what is remembered of an order, or an error where that is not one order's."""
        order_id = query.client_order_id
        if order_id is None:
            text = "client_order_id or seq says which order"
            return Error(code="malformed", text=text, request_id=query.request_id)
        asked = self._asked(query.account)
        known = {x.id: shown for x in asked if (shown := verdict_view(x, order_id)) is not None}
        if len(known) > 1:
            text = f"several accounts have an order {order_id}: {', '.join(known)[:200]}; name one"
            return Error(code="refused", text=text, request_id=query.request_id)
        return next(iter(known.values()), None)

    def _alerts(self, query: Alerts) -> Any:
        """Return the alerts that match, or the one that is asked for, with its life."""
        if query.alert_id is None:
            return alerts_view(self._alert_books, query)
        found = (alert_view(book, query.alert_id) for book in self._alert_books)
        boards = self._system.boards
        return [
            shown | done_about(boards, shown["cause"], shown["first_ns"])
            for shown in found
            if shown is not None
        ]

    def _asked(self, account: str | None) -> list[Account]:
        accounts = self._system.accounts
        return list(accounts.values()) if account is None else [accounts[account]]

    def _measured(self, query: MeasuresQuery) -> Any:
        now_ns = self._now_ns()
        match query:
            case ExposureRequest():
                return self._exposure(query.scope)
            case MarginRequest():
                return [margin_update(x, now_ns) for x in self._asked(query.account)]
            case DrawdownRequest(scope=str() as scope):
                group = self._group_of(scope)
                boards = self._system.boards
                told = partial(firm_drawdown, boards, history=query.history)
                return None if group is None else [told(group, now_ns)]
            case DrawdownRequest():
                asked = self._asked(query.account)
                return [drawdown_update(x, now_ns, history=query.history) for x in asked]
            case CheckState():
                return [check_view(x) for x in self._asked(query.account)]

    def _concentration(self, scope: str) -> Any:
        boards = self._system.boards
        found = accounts_in(scope, self._system.accounts, boards)
        return None if found is None else concentration_view(scope, found, boards)

    def _exposure(self, scope: str) -> Any:
        accounts, boards, now_ns = self._system.accounts, self._system.boards, self._now_ns()
        kind, _, name = scope.partition(":")
        if kind == "account" and name in accounts:
            return exposure_update(accounts[name], now_ns)
        group = self._group_of(scope)
        return None if group is None else firm_exposure(boards, group, now_ns)

    def _group_of(self, scope: str) -> str | None:
        """Return the group that a scope names, or the firm; None if there is none."""
        kind, _, name = scope.partition(":")
        if scope == FIRM:
            return FIRM
        return name if kind == "group" and name in self._system.boards.groups else None

    def _with_digests(self, query: Status) -> dict[str, Any]:
        shown = {**self._status(), "pid": os.getpid()}
        if query.digest:
            state = self._system.state()
            shown["state_hash"] = state_digest(state)
            shown["books_hash"] = books_digest(state)
        return shown
