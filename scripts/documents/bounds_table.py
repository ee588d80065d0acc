"""What can grow in riskd, how far, and what happens there. The law of bounds reads this too."""

from __future__ import annotations

from scripts.documents.bounds_of_state import ACCOUNTS, FIRM, Bound, row

PROCESS = (
    row(
        "messages of one peer that wait, in each direction",
        "transport.sockets.QUEUE_MAX",
        "its own answers are dropped and counted; it is not read meanwhile",
        "Router._answers",
    ),
    row(
        "ticks of a port that are read together, under load",
        "transport.ticks.BUNDLE_MAX",
        "they are conflated and taken before more is read",
        "Conflation._seqs Conflation._stay Conflation._stretches TicksPort._stays"
        " _Stretch._highest _Stretch._lowest",
    ),
    row(
        "answers of orders that wait for the disk",
        "overload.peer_backlog_max",
        "`OVERLOADED`, at once",
        "OrdersPort._held",
    ),
    row(
        "connections of a port",
        "security.peers_max",
        "one more is not let in",
        "Peers._standing Peers._silent Peers._speaking Peers._departed Peers._granted"
        " ZapPort.ports Keyring._by_id Refusals._seen",
    ),
    row(
        "topics that are subscribed to, by all",
        "transport.alerts.TOPICS_MAX",
        "one more is not admitted",
        "AlertsPort._subscribed AlertsPort._bound",
    ),
    row(
        "topics of one connection",
        "transport.alerts.TOPICS_PEER_MAX",
        "one more is not admitted",
        "Peer.topics",
    ),
    row(
        "connections whose sessions are remembered",
        "transport.sessions.PEERS_MAX",
        "the oldest that was lost is forgotten",
        "Links._links Links._sessions",
    ),
    row(
        "messages between actors, of other threads",
        "actors.run_queue.OUTSIDE_DEPTH_MAX",
        "one more is refused; those of the loop are run before the next input",
        "RunQueue._outside RunQueue._inside",
    ),
    row(
        "rows that wait for the audit database",
        "transport.audit_writer.ROWS_MAX",
        "one more is dropped, counted and found in the journal by the next start",
        "AuditWriter._rows Row.columns Audit._rolls",
    ),
    row(
        "alerts that wait for a channel of notifications",
        "transport.notify.PENDING_MAX",
        "of one more only the number is told",
        "Channel._pending Channel._sent_s",
    ),
    row(
        "requests that wait for a snapshot",
        "transport.process_checkpoint.WAITING_MAX",
        "one more is refused",
        "Checkpoints._waiting",
    ),
    row(
        "inputs that an account may miss while it is made anew",
        "transport.process_rebuild.MISSED_MAX",
        "the rebuild is given up",
        "Door._noted Rebuilt.left_out",
    ),
    row(
        "segments that are open",
        "the present one, two made ahead, those whose sync is under way",
        "an append waits, then fails: states `disk_full`, `disk_read_only`, `disk_slow`",
        "Journal._rolled Journal._signals Spares._ready",
    ),
    row(
        "verdicts that the chain of answers folds at once",
        "engine.chain.WAITING_MAX",
        "they are folded",
        "AnswerChain._waiting",
    ),
)

OTHERS = (
    row(
        "what is declared",
        "accounts, instruments, groups, limits and calendars of configuration and operators",
        "a start and each command say what they add",
        "Boards.cases Boards.groups Boards.instruments Boards.group_limits Boards.group_states"
        " Boards.group_totals Boards._group_rows Boards._group_worths Boards._groups_by_row"
        " Boards._margin_terms Boards._move_windows_ms Boards.windows Core.accounts"
        " CoreState.accounts CoreState.group_rows CoreState.groups CoreState.instruments"
        " CoreState.quotes CoreState.silent CoreState.windows Silence.silent Days._told"
        " CoreState.swings Swings.standing Swings.limits Case.counts"
        " ExchangeRates._instruments ExchangeRates.quotes ExchangeRates.renewed GroupWatch._guards"
        " RefSequence._refs System._groups System._refs Watch._guards Watch._owners"
        " Watch._rates Timers._heap Timers._wanted AccountState.windows AccountState.periods"
        " Poller._drained Poller._ports Poller._ready Poller._sockets Ports.bound Ports.peers"
        " House._timers Waiting._ticks AlertsPort._pub_seqs Publisher._last Account.parts",
    ),
    row(
        "what is held, by account or group",
        "a position per account and instrument; cash in `engine.booking.CURRENCIES_MAX` currencies",
        "a fact in one currency more is answered by an error",
        "AccountState.cash AccountState.transfers AccountState.positions AccountState.unrated"
        " AccountState.day_unrated AccountState.day_turnover PeriodOpening.symbol"
        " Position.funding Books.foreign_fees Above.cash Account._blank Account._transferred"
        " Account.crossed Instrument.lines Part.cash Part.held Book._exchanges Book._lines"
        " Book._pockets Book._woken"
        " Concentration.weights Exposure.by_symbol Exposure.sizes ExchangeRates._rates"
        " ExchangeRates._exposure_rates ExchangeRates._pairs GroupRow._gained GroupRow._lines"
        " GroupRow.cash GroupRow.held GroupRow.tallies GroupTotal.symbols GroupTotal.touched"
        " GroupTotal.turnover GroupWorth._seen HighWaterState.pockets HighWaterState.sizes"
        " HighWaterState.standings HighWaterState.unrated Holders._at Holders._few Holdings._above"
        " Holdings._ancestries Holdings._counted Holdings._told Holdings._waters"
        " Holdings.moved Membership._lots Membership._touched Membership._turnover"
        " Valuation._held Valuation._touched HighWaterState.paced HighWaterState.position_samples"
        " Conduct.risk_shrunk Bands._bands",
    ),
    row(
        "what one input leads to",
        "emptied before the next one; a basket has `BASKET_ORDERS_MAX` orders",
        "crowds are worked off in passes",
        "Core.published Core.said Core.faults Core.raised Core._fault_facts Door._failures"
        " RollCall._skipped _Cap.orders",
    ),
    row(
        "what one start finds",
        "as much as the journal holds",
        "let go of when the ports open",
        "Replay.divergences Replay.unsaid ReplayGuard.newly_skipped Checkpoints.last",
    ),
    row(
        "counters and latencies",
        "one per name of a counter or per step of a scale",
        "names are fixed",
        "AlertsPort.counts Peers.counts Refusals.counts Router.counts TicksPort.counts"
        " ZapPort.counts Core.tick_counts Latency._recent",
    ),
)

SECTIONS: tuple[tuple[str, tuple[Bound, ...]], ...] = (
    ("Of an account", ACCOUNTS),
    ("Of the firm", FIRM),
    ("Of the process", PROCESS),
    ("Bounded by something else", OTHERS),
)
