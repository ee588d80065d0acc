"""The command line of scripts/bench."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter_ns

import msgspec

from scripts.benchmarks.bench import Bench, timer_cost_ns
from scripts.benchmarks.crossing import bench_crossing
from scripts.benchmarks.excursion import bench_excursion
from scripts.benchmarks.flood import bench_flood
from scripts.benchmarks.growth import bench_growth, bench_memory
from scripts.benchmarks.machine import describe, load_text
from scripts.benchmarks.report import (
    Run,
    budget_lines,
    change_lines,
    load_line,
    load_run,
    machine_lines,
    save,
    table_lines,
)
from scripts.benchmarks.restart import bench_restart
from scripts.benchmarks.runtime import bench_actor, bench_journal, bench_replay
from scripts.benchmarks.ticks import bench_tick
from scripts.benchmarks.verdict import bench_verdict
from scripts.benchmarks.wire import bench_pipelined, bench_reqrep, bench_ticking

BENCHES: dict[str, Callable[[Bench], None]] = {
    "verdict": bench_verdict,
    "reqrep": bench_reqrep,
    "pipelined": bench_pipelined,
    "ticking": bench_ticking,
    "flood": bench_flood,
    "tick": bench_tick,
    "crossing": bench_crossing,
    "excursion": bench_excursion,
    "actor": bench_actor,
    "journal": bench_journal,
    "replay": bench_replay,
    "restart": bench_restart,
    "memory": bench_memory,
    "growth": bench_growth,  # Last: its 100,000 accounts leave the heap in another shape.
}


def main(arguments: list[str] | None = None) -> int:
    """Run what is asked for; return 0, whatever the figures are."""
    asked = _parser().parse_args(arguments)
    if asked.list:
        for name, bench in BENCHES.items():
            print(f"{name:<10} {(bench.__doc__ or '').splitlines()[0]}")
        return 0
    unknown = [name for name in asked.names if name not in BENCHES]
    if unknown:
        print(f"bench: no benchmark {unknown[0]}; there are {', '.join(BENCHES)}", file=sys.stderr)
        return 2
    try:
        before = load_run(asked.compare) if asked.compare else None
    except (OSError, msgspec.DecodeError) as error:
        print(f"bench: {asked.compare}: {error}", file=sys.stderr)
        return 2
    run = Run("smoke" if asked.smoke else "full", describe(timer_cost_ns()), {}, [], [])
    for line in machine_lines(run.machine, run.size):
        print(line)
    for name in asked.names or BENCHES:
        _measure(name, run)
    run.machine["load_after"] = load_text()
    print(f"\n{load_line(run.machine)}")
    for line in budget_lines(run.budgets):
        print(line)
    if asked.json:
        save(run, asked.json)
    if before is not None:
        for line in change_lines(before, run):
            print(line)
    return 0


def _measure(name: str, run: Run) -> None:
    bench = Bench(name, smoke=run.size == "smoke")
    begun_ns = perf_counter_ns()
    BENCHES[name](bench)
    for line in table_lines(bench.rows):
        print(line)
    print(f"  measured in {(perf_counter_ns() - begun_ns) / 1e9:.1f} s", flush=True)
    run.parameters[name] = bench.parameters
    run.rows += bench.rows
    run.budgets += bench.budgets


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="which, see --list")
    parser.add_argument("--smoke", action="store_true", help="small sizes: does it run at all?")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the figures")
    parser.add_argument("--compare", type=Path, metavar="FILE", help="show the change since")
    parser.add_argument("--list", action="store_true", help="say what there is, run nothing")
    return parser


if __name__ == "__main__":
    sys.exit(main())
