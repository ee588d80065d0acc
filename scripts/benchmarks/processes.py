"""Processes of a benchmark: riskd, the echoes beside it, and clients, each on its cores."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from ctypes.util import find_library
from pathlib import Path
from typing import Self

import zmq

from scripts.benchmarks.machine import cores
from scripts.benchmarks.peer import Answers, write_frames

ROOT = Path(__file__).resolve().parents[2]
PEER_C = Path(__file__).with_name("peer.c")
COMPILE_S_MAX, STOP_S_MAX, CLIENT_S_MAX = 60, 10, 120


class ProcessError(Exception):
    """A process did not start, or ended as it should not; the text is what it said."""


def compile_peer(folder: Path) -> tuple[str, ...] | None:
    """Return the command of peer.c compiled into `folder`, None without compiler or libzmq.

    It is linked with the library of the pyzmq wheel, or else with the system's.
    """
    compiler = shutil.which(os.environ.get("CC", "cc"))
    package = Path(zmq.__file__).parent
    wheel = [*package.parent.glob("pyzmq.libs/libzmq*"), *package.glob(".dylibs/libzmq*")]
    if wheel:
        linked = [str(wheel[0]), f"-Wl,-rpath,{wheel[0].parent}"]
    elif find_library("zmq"):
        linked = ["-lzmq"]
    else:
        return None
    if not compiler:
        return None
    out = folder / "peer"
    command = [compiler, "-O2", "-std=gnu11", str(PEER_C), "-o", str(out), *linked]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=COMPILE_S_MAX
    )
    if done.returncode:
        print(f"peer.c does not compile, the clients are Python:\n{done.stderr}", file=sys.stderr)
        return None
    return (str(out),)


def python_peer() -> tuple[str, ...]:
    """Return the command of peer.py."""
    return (sys.executable, "-m", "scripts.benchmarks.peer")


@contextmanager
def pinned(where: Iterable[int]) -> Iterator[None]:
    """Run what is started inside on these cores; on none where the system cannot pin."""
    before = cores()
    if before:
        os.sched_setaffinity(0, where)
    try:
        yield
    finally:
        if before:
            os.sched_setaffinity(0, before)


class Stage:
    """A folder with sockets and files, and the servers that live in it. Use as a context."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.compiled = compile_peer(folder)
        self.client = self.compiled or python_peer()
        self.servers: dict[str, str] = {}  # Name to address.
        self._stack = ExitStack()
        self.all_cores = usable = cores()
        self.server_cores, self.other_cores = usable[:1], usable[1:2]
        self.loop_core: int | None = None  # That riskd's loop is to have for itself.

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def start_echoes(self) -> None:
        """Start the echo in C, if it could be compiled, and the one under uvloop."""
        peers = {"echo, C libzmq": self.compiled, "echo, pyzmq uvloop": python_peer()}
        for number, (name, peer) in enumerate(peers.items()):
            if peer is not None:
                address = f"ipc://{self.folder}/echo-{number}"
                self._start((*peer, "echo", address), {})
                self.servers[name] = address

    def start_riskd(self, toml: str) -> dict[str, str]:
        """Start `riskd serve`, journal on; return its addresses by port."""
        config = self.folder / "riskd.toml"
        config.write_text(toml)
        addresses = {
            port: f"ipc://{self.folder}/{port}" for port in ("orders", "ticks", "alerts", "control")
        }
        environment = {
            f"RISKD_PORTS__{port.upper()}": json.dumps([address])
            for port, address in addresses.items()
        }
        environment["RISKD_DATA_DIR"] = str(self.folder / "var")
        if self.loop_core is not None:
            environment["RISKD_LOOP__CORE"] = str(self.loop_core)
        command = (sys.executable, "-m", "riskd", "serve", "--config", str(config))
        self._start(command, environment)
        self.servers["riskd"] = addresses["orders"]
        return addresses

    def run(self, mode: str, server: str, requests: list[bytes], *rest: str) -> Answers:
        """Run a client to its end on this process's cores; return what it measured."""
        asked, answered = self.folder / "requests", self.folder / "answers"
        write_frames(asked, requests)
        command = (*self.client, mode, self.servers[server], str(asked), str(answered), *rest)
        done = subprocess.run(
            command,
            check=False,
            capture_output=True,
            text=True,
            env=_environment({}),
            timeout=CLIENT_S_MAX,
        )
        if done.returncode:
            raise ProcessError(f"{server}: {done.stderr}")
        return Answers.read(answered)

    @contextmanager
    def flooding(self, server: str, noise: list[bytes]) -> Iterator[list[float]]:
        """Let a client send `noise` as fast as it can while the block runs; none: nobody does.

        The list has how many it sent a second, once the block is left.
        """
        told: list[float] = []
        if not noise:
            yield told
            return
        asked = self.folder / "noise"
        write_frames(asked, noise)
        command = (*python_peer(), "flood", self.servers[server], str(asked))
        with ExitStack() as stack:
            process = self._spawn(stack, command, {})
            yield told
            process.terminate()
            assert process.stdout is not None
            told.append(float(process.stdout.readline()))

    def _start(self, command: tuple[str, ...], environment: dict[str, str]) -> None:
        with pinned(self.server_cores):
            self._spawn(self._stack, command, environment)

    def _spawn(
        self, stack: ExitStack, command: tuple[str, ...], environment: dict[str, str]
    ) -> subprocess.Popen[str]:
        """Start a process that ends with `stack`, and return it when it says that it is ready."""
        errors = stack.enter_context((self.folder / "errors").open("a+"))
        process = subprocess.Popen(
            command,
            cwd=self.folder,
            env=_environment(environment),
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        stack.callback(_end, process)
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            if line.startswith("ready"):
                return process
            said.append(line)
        errors.seek(0)
        raise ProcessError(f"{command[-1]} did not start:\n{''.join(said)}{errors.read()}")


def settings(stage: Stage) -> dict[str, tuple[int, ...]]:
    """Return where clients run, by a name for it."""
    if not stage.server_cores:
        return {"any core": ()}
    found = {"one core": stage.server_cores}
    if stage.other_cores:
        found["one core each"] = stage.other_cores
    return found


def interleaved(names: Iterable[str], rounds: int, run: Callable[[str], None]) -> None:
    """Call `run` for A, B, C, A, B, C: a slow minute meets all of them."""
    kept = tuple(names)
    for _ in range(rounds):
        for name in kept:
            run(name)


def _environment(extra: dict[str, str]) -> dict[str, str]:
    kept = {name: text for name, text in os.environ.items() if not name.startswith("RISKD_")}
    paths = filter(None, (str(ROOT), kept.get("PYTHONPATH")))
    return {**kept, **extra, "PYTHONPATH": os.pathsep.join(paths)}


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.wait(STOP_S_MAX)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    assert process.stdout is not None
    process.stdout.close()
