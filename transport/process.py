"""The process: configuration, books recovered, ports bound, served until it is told to stop."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import resource
import signal
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path

import structlog
import uvloop

from config.errors import ConfigError
from config.load import Configuration, load
from engine.limits import unenforced
from engine.universe import universe_conflicts
from riskd import __version__
from riskd.errors import KeysError
from transport.audit_schema import AuditError
from transport.binding import PRIVATE_UMASK, BindError
from transport.cores import core_problem, keep_core
from transport.data_directory import DataDirectory, DataDirectoryBusyError
from transport.journal import Journal
from transport.journal_format import JournalError
from transport.journal_settings import SCHEMA, JournalSettings, SyncMode
from transport.keyring import Keyring
from transport.process_house import House
from transport.process_ports import Ports
from transport.process_replay import Recovery
from transport.supervision import Supervision

DESCRIPTORS_OWN = 256  # For the journal, the audit and ZeroMQ itself.
SWITCH_INTERVAL_S = 0.0001  # So long another thread may hold the loop up; as shipped it is 5 ms.
DONE, FAILED, MISCONFIGURED = 0, 1, 2


def serve(config: Path | None = None) -> int:
    """Run riskd in the foreground until it is stopped; return the exit code.

    0 stopped as asked, 1 could not start or go on, 2 the configuration is wrong.
    """
    if not __debug__:
        return _complain("riskd relies on its assertions: start it without python -O", FAILED)

    def read() -> Configuration:
        return load(config, os.environ)

    try:
        configuration = read()
    except ConfigError as error:
        return _complain(str(error), MISCONFIGURED)
    _set_up_logs(configuration.settings.env)
    for warning in configuration.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    _warn_unenforced(configuration)
    _seed_generated_ids()
    os.umask(PRIVATE_UMASK)
    _raise_descriptors(configuration.settings.security.peers_max)
    try:
        keyring = _keyring(configuration)
    except KeysError as error:
        return _complain(f"security.keys: {error}", MISCONFIGURED)
    core = configuration.settings.loop.core
    if problem := core_problem(core):
        return _complain(f"loop.core = {core}: {problem}", MISCONFIGURED)
    try:
        with DataDirectory(Path(configuration.settings.data_dir)) as directory:
            return uvloop.run(_run(configuration, directory, keyring, read))
    except DataDirectoryBusyError as error:
        return _complain(str(error), FAILED)
    except OSError as error:
        return _complain(f"data_dir {configuration.settings.data_dir}: {error}", FAILED)


async def _run(
    configuration: Configuration,
    directory: DataDirectory,
    keyring: Keyring | None,
    read: Callable[[], Configuration],
) -> int:
    begun_s = time.monotonic()
    settings = configuration.settings
    loop, stopping = asyncio.get_running_loop(), asyncio.Event()
    house = House(settings, loop, stopping, read=read, keyring=keyring)
    try:
        journal = Journal.open(
            directory,
            JournalSettings(
                schema=SCHEMA,
                sync=SyncMode(settings.journal.sync.value),
                interval_ms=settings.journal.sync_interval_ms,
                segment_bytes=settings.journal.segment_bytes,
            ),
            on_synced=house.on_synced,
            on_failure=house.on_journal_failure,
        )
    except JournalError as error:
        return _complain(str(error), FAILED)
    try:
        return await _serve(configuration, house, journal, begun_s)
    except ConfigError as error:
        return _complain(str(error), MISCONFIGURED)
    except JournalError as error:
        return _complain(str(error), FAILED)
    except (AuditError, sqlite3.Error) as error:
        return _complain(f"audit database: {error}", FAILED)
    except (BindError, KeysError) as error:
        return _complain(str(error), FAILED)
    finally:
        house.close()


async def _serve(
    configuration: Configuration, house: House, journal: Journal, begun_s: float
) -> int:
    gc.collect()
    gc.disable()  # A replay makes no cycles; then `House` collects when no verdict waits.
    recovery = house.recover(journal)
    recovered_s = time.monotonic() - begun_s
    accounts = {key: account.state.spec for key, account in house.system.accounts.items()}
    conflicts = universe_conflicts(house.system.boards, accounts, configuration.universe)
    if conflicts:
        lines = "\n".join(f"  {conflict}" for conflict in conflicts)
        text = f"the configuration does not fit the books in {configuration.settings.data_dir}:"
        return _complain(f"{text}\n{lines}", MISCONFIGURED)
    house.door.put_in_force(configuration.universe)
    if house.door.refusal:
        return _complain(house.door.refusal, FAILED)
    for reason in recovery.unsafe:
        house.door.reduce_only(f"safe mode: {reason}")
    ports = house.open()
    gc.freeze()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    keep_core(configuration.settings.loop.core)
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, house.stop)
    loop.add_signal_handler(signal.SIGHUP, house.beside.reloads.by_signal)
    _announce(configuration, house, ports, recovery, recovered_s)
    print(f"ready in {time.monotonic() - begun_s:.2f} s", flush=True)
    supervision = Supervision(os.environ)
    supervision.ready(loop, f"serving since seq {house.door.last_seq}")
    await house.stopping.wait()
    supervision.stopping()
    if house.fault is not None:
        text = f"riskd stopped: {house.fault.actor_ref} failed: {house.fault.exception!r}"
        return _complain(text, FAILED)
    print(f"stopped at seq {house.door.last_seq}", flush=True)
    return DONE


def _keyring(configuration: Configuration) -> Keyring | None:
    """Return the keys in force, None if riskd is to have none. Raises KeysError."""
    folder = configuration.settings.security.keys
    return Keyring(Path(folder)) if folder else None


def _announce(
    configuration: Configuration,
    house: House,
    ports: Ports,
    recovery: Recovery,
    recovered_s: float,
) -> None:
    settings, universe = configuration.settings, configuration.universe
    print(
        f"riskd {__version__} · env {settings.env} · {len(universe.accounts)} accounts · "
        f"{len(universe.instruments)} instruments · limits v{house.system.boards.limits_version}"
    )
    for name in ("orders", "ticks", "alerts", "control"):
        print(f"  {name:<9} {'  '.join(ports.bound.get(name, ()))}")
    for address in settings.ports.ticks_connect:
        print(f"  {'ticks':<9} subscribed to {address}")
    print(f"  {'data_dir':<9} {Path(settings.data_dir).resolve()}")
    if house.access.keyring is not None:
        keys, folder = len(house.access.keyring), Path(settings.security.keys).resolve()
        print(f"  {'keys':<9} {keys} in {folder}")
    report = house.journal.report
    if report is not None and report.bytes_cut:
        print(f"  {'journal':<9} torn tail cut: {report}", file=sys.stderr)
    replay = recovery.replay
    for told in recovery.notes:
        print(f"  {'journal':<9} {told}", file=sys.stderr)
    for told in recovery.unsafe:
        print(f"  {'safe mode':<9} {told}: only what reduces risk passes", file=sys.stderr)
    base = f" after the snapshot at seq {replay.base_seq:,}" if replay.base_seq else ""
    print(f"  {'journal':<9} {replay.count:,} records replayed in {recovered_s:.2f} s{base}")


def _warn_unenforced(configuration: Configuration) -> None:
    names = unenforced(configuration.universe.limits)
    keys = sorted({name.rpartition(" ")[2] for name in names})
    if keys:
        print(f"warning: set, but not enforced by this version: {', '.join(keys)}", file=sys.stderr)


def _set_up_logs(env: str) -> None:
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
    )
    structlog.contextvars.bind_contextvars(env=env)


def _raise_descriptors(peers_max: int) -> None:
    """Let the process have as many descriptors as peers of four ports and its files may take."""
    wanted = 4 * peers_max + DESCRIPTORS_OWN
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        ceiling = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, ceiling), hard))
        if ceiling < wanted:
            told = f"{ceiling:,} descriptors may be open, [security] peers_max asks for {wanted:,}"
            print(f"warning: {told}: raise the limit (LimitNOFILE)", file=sys.stderr)


def _seed_generated_ids() -> None:
    """Seed libc's generator: ZeroMQ makes routing ids with it, and they must not be guessed."""
    ctypes.CDLL(None).srand(int.from_bytes(os.urandom(4)) & 0x7FFFFFFF)


def _complain(text: str, code: int) -> int:
    print(f"riskd: {text}", file=sys.stderr, flush=True)
    return code
