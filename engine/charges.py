"""Charges: what an order, a change or a cancel costs in every sliding window it falls under."""

from __future__ import annotations

from bisect import bisect_right

from engine.account import Account
from engine.boards import Boards
from engine.case import Case, Plan
from engine.facts import MS_NS, SECOND_NS, Stamp
from engine.kinds import Kind, Rate
from engine.limits import RateLimit, ResolvedLimit
from engine.overruns import Overrun, Slowed
from engine.throttle import Window, charge_content, content_wait_ns, content_window
from riskd.messages import Scope

SESSION = "session "  # What the names of the windows of sessions begin with.
SLOW = "slow "  # What the names of the windows of slowing breakers begin with.


def charge(account: Account, case: Case) -> None:
    """Charge an order to every window it falls under, and note in the case which have no room.

    A dry run finds the same and charges nothing.
    """
    plan, conduct = case.plan, account.state.conduct
    case.rate_refusal = case.rate_warning = case.slowed = case.fill_overrun = None
    case.conduct = conduct
    responses, order = account.boards.responses, case.order
    case.is_exit = bool(responses.exits) and responses.is_exit(account.id, order.client_order_id)
    if not case.order.dry_run:
        conduct.messages += 1
    if plan.fill_rates:
        case.fill_overrun = _fill_overrun(account, case)
    rates = _rates(account.boards, plan, case.stamp)
    overruns = _charge_rates(account, case, rates) if rates else []
    case.repeated = None
    case.repeat_after_ns = _charge_content(account, plan, case) if plan.duplicates else 0
    if plan.watches:
        case.counts = {}
        _count(account, case, rates, overruns)


def charge_within(account: Account, kind: Kind, content: str, stamp: Stamp) -> bool:
    """Charge an order to every window it falls under if all have room, else charge none.

    Returns whether they were charged. `content` is that of the order, see `content_of`.
    """
    boards, state, now_ns, rates = account.boards, account.state, stamp.steady_ns, kind.rates
    if stamp.session and kind.session_rate is not None:
        name, limit, is_shared = _session_rate(boards, kind.session_rate, stamp)
        rates = (*rates, Rate(name, int(limit.value), is_shared))
    contents, windows = state.contents, []
    for name, count_max, window_ns in kind.contents:
        key = content + name
        if key in contents and content_wait_ns(
            contents, key, now_ns, count_max=count_max, window_ns=window_ns
        ):
            return False
    for name, count_max, is_shared in rates:
        named = boards.windows if is_shared else state.windows
        window = named.get(name)
        if window is None:
            window = named[name] = Window()
        if len(rates) > 1 and window.wait_ns(count_max, SECOND_NS, now_ns):
            return False
        windows.append((window, count_max))
    for window, count_max in windows:
        if window.charge(count_max, SECOND_NS, now_ns):
            return False  # The only one has no room, and was not charged.
    for name, count_max, window_ns in kind.contents:
        key = content + name
        charge_content(contents, key, now_ns, count_max=count_max, window_ns=window_ns)
    state.conduct.messages += 1
    return True


def basket_overrun(legs: list[tuple[Account, Plan]], stamp: Stamp) -> Overrun | None:
    """Return a rate without room for all orders of a basket, None if they fit; charges nothing."""
    needed: dict[tuple[str, str], list[tuple[Account, RateLimit]]] = {}
    for account, plan in legs:
        for rate in _rates(account.boards, plan, stamp):
            owner = "" if rate.is_shared else account.id
            if rate.limit.hard:
                needed.setdefault((owner, rate.window), []).append((account, rate))
    for several in needed.values():
        account, rate = several[0]
        windows = account.boards.windows if rate.is_shared else account.state.windows
        window = windows.get(rate.window) or Window()
        room = int(min(one.limit.value for _, one in several)) - len(several) + 1
        after_ns = SECOND_NS if room < 1 else window.wait_ns(room, SECOND_NS, stamp.steady_ns)
        if after_ns:
            return Overrun(rate.limit, after_ns)
    return None


def _rates(boards: Boards, plan: Plan, stamp: Stamp) -> tuple[RateLimit, ...]:
    if plan.session_rate is None or not stamp.session:
        return plan.rates
    return (*plan.rates, _session_rate(boards, plan.session_rate, stamp))


def _session_rate(boards: Boards, limit: ResolvedLimit, stamp: Stamp) -> RateLimit:
    """Return the rate of the gateway that sent an order; a new session is no fresh burst."""
    gateway = boards.sessions.gateway_of(stamp.session)
    name = f"{SESSION}{gateway}"
    if name not in boards.windows:
        _forget_sessions(boards, stamp.steady_ns - SECOND_NS)
    return RateLimit(name, limit._replace(scope_id=gateway), is_shared=True)


def _forget_sessions(boards: Boards, horizon_ns: int) -> None:
    """Drop the windows of gateways that have sent nothing of late."""
    for name, window in list(boards.windows.items()):
        if name.startswith(SESSION) and (not window.charges or window.charges[-1] <= horizon_ns):
            del boards.windows[name]


def _charge_rates(account: Account, case: Case, rates: tuple[RateLimit, ...]) -> list[Overrun]:
    """Charge every scope's window; of those without room the longest to wait for is told."""
    overruns = charge_rates(account, rates, case.now_steady_ns, dry_run=case.order.dry_run)
    for overrun in overruns:
        told = case.rate_refusal if overrun.limit.hard else case.rate_warning
        if told is not None and told.retry_after_ns >= overrun.retry_after_ns:
            continue
        if overrun.limit.hard:
            case.rate_refusal = overrun
        else:
            case.rate_warning = overrun
    return overruns


def _count(
    account: Account, case: Case, rates: tuple[RateLimit, ...], overruns: list[Overrun]
) -> None:
    """Note how many orders, this one counted, are in the windows that have thresholds."""
    counts, is_dry, now_ns = case.counts, case.order.dry_run, case.now_steady_ns
    for name, limit, is_shared in rates:
        if limit.is_table:
            window = (account.boards.windows if is_shared else account.state.windows).get(name)
            is_charged = not is_dry and all(overrun.limit != limit for overrun in overruns)
            key = str(Scope.SESSION) if limit.scope is Scope.SESSION else name
            counts[key] = (window or Window()).count(SECOND_NS, now_ns) + (not is_charged)
    for told in case.plan.duplicates:
        if told.warning is not None or told.critical is not None:
            key = content_window(told)
            instants = account.state.contents.get(_content(case) + key, [])
            before = bisect_right(instants, now_ns - told.window_ms * MS_NS)
            counts[key] = len(instants) - before + is_dry


def charge_slow(account: Account, case: Case) -> None:
    """Charge the spacing of every breaker that slows the order; the longest to wait is told.

    What reduces is not slowed, and costs nothing; but more of it might be.
    """
    if case.breakers.quiet:
        return
    windows, now_ns = account.state.windows, case.now_steady_ns
    is_free = case.order.dry_run or case.reducing
    for state in case.breakers.slowing(case.plan.breaker_keys, now_ns):
        name = f"{SLOW}{state.breaker_id}"
        window = windows.get(name) or Window()
        charge = window.wait_ns if is_free else window.charge
        after_ns = charge(1, state.spacing_ms * MS_NS, now_ns)
        if not is_free:
            _forget_slow(account, case)
            windows[name] = window
        if after_ns and (case.slowed is None or after_ns > case.slowed.retry_after_ns):
            case.slowed = Slowed(state, after_ns)


def _forget_slow(account: Account, case: Case) -> None:
    """Drop the windows of breakers that are closed."""
    windows, standing = account.state.windows, case.breakers.book.open
    for name in [name for name in windows if name.startswith(SLOW)]:
        if int(name.removeprefix(SLOW)) not in standing:
            del windows[name]


def _fill_overrun(account: Account, case: Case) -> Overrun | None:
    found = None
    for name, limit, is_shared in case.plan.fill_rates:
        windows = account.boards.windows if is_shared else account.state.windows
        window = windows.get(name)
        if window is None or not limit.hard:
            continue
        after_ns = window.overrun_ns(int(limit.value), SECOND_NS, case.now_steady_ns)
        if after_ns and (found is None or after_ns > found.retry_after_ns):
            found = Overrun(limit, after_ns)
    return found


def charge_rates(
    account: Account, rates: tuple[RateLimit, ...], now_steady_ns: int, *, dry_run: bool = False
) -> list[Overrun]:
    """Charge the window of every rate; return those without room, which are not charged.

    A dry run finds the same and charges nothing.

    Windows that accounts share are charged in place: a message to an owner would come after the
    verdict, and no other account can come between, since an input runs to completion.
    """
    found = []
    own, shared = account.state.windows, account.boards.windows
    for name, limit, is_shared in rates:
        windows = shared if is_shared else own
        window = windows.get(name) or Window()
        charge = window.wait_ns if dry_run else window.charge
        after_ns = charge(int(limit.value), SECOND_NS, now_steady_ns)
        if not dry_run:
            windows[name] = window
        if after_ns:
            found.append(Overrun(limit, after_ns))
    return found


def content_of(
    symbol: str, signed_lots: int, price_milliticks: int | None, stop_milliticks: int | None = None
) -> str:
    """Return what tells an order's content from others."""
    return f"{symbol} {signed_lots:+} {price_milliticks} {stop_milliticks}"


def _charge_content(account: Account, plan: Plan, case: Case) -> int:
    if case.lots is None:
        return 0
    charge = content_wait_ns if case.order.dry_run else charge_content
    content, after_ns = _content(case), 0
    for duplicates in plan.duplicates:
        found_ns = charge(
            account.state.contents,
            content + content_window(duplicates),
            case.now_steady_ns,
            count_max=duplicates.count,
            window_ns=duplicates.window_ms * 1_000_000,
        )
        if found_ns > after_ns:
            after_ns, case.repeated = found_ns, duplicates
    return after_ns


def _content(case: Case) -> str:
    lots = case.lots or 0
    prices = case.price_milliticks, case.stop_milliticks
    return content_of(case.plan.instrument.symbol, lots if case.buying else -lots, *prices)
