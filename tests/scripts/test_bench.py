"""scripts/bench: it runs, its results mean the same wherever they are computed, it can compare."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from scripts.benchmarks.__main__ import BENCHES, main
from scripts.benchmarks.bench import Bench, Budget, Row, digest, median_of, percentiles
from scripts.benchmarks.peer import Answers, read_frames, write_frames
from scripts.benchmarks.report import Run, aligned, change_lines, load_line, load_run, save
from scripts.benchmarks.world import wide_limits

ROOT = Path(__file__).resolve().parents[2]
SMOKE_S_MAX = 400  # However busy the machine is.


@pytest.fixture(scope="module")
def smoke(tmp_path_factory):
    """The printed text and the figures of one smoke run of everything."""
    out = tmp_path_factory.mktemp("bench") / "bench.json"
    command = [sys.executable, "-m", "scripts.benchmarks", "--smoke", "--json", str(out)]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=SMOKE_S_MAX, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, load_run(out)


@pytest.mark.end_to_end
def test_smoke_run_reports_every_benchmark(smoke):
    printed, run = smoke
    assert run.size == "smoke"
    assert {row.bench for row in run.rows} == set(BENCHES)
    spans = [row.figures[name] for row in run.rows for name in row.figures if name[-3:] == "_ns"]
    assert min(spans) > 0
    for row in run.rows:
        assert row.case in printed
    for budget in run.budgets:
        assert budget.what in printed


@pytest.mark.end_to_end
def test_smoke_run_core_and_live_actors_give_the_same_verdicts_and_books(smoke):
    _, run = smoke
    digests = {row.case: row.digest for row in run.rows if row.bench == "verdict"}
    for case, found in digests.items():
        if case.startswith("core, "):
            assert found == digests[case.replace("core", "live", 1)]
    assert len({found for found in digests.values() if found}) == 7  # Six cases and the books.


@pytest.mark.end_to_end
def test_smoke_run_ticks_all_arrive(smoke):
    _, run = smoke
    ticking = [row.figures for row in run.rows if row.bench == "ticking"]
    assert [figures["sent_per_s"] > 0 for figures in ticking] == [False, True, True]


def test_percentiles_of_a_thousand_spans_are_the_ranks():
    assert percentiles(range(1000, 0, -1)) == {"p50_ns": 500, "p99_ns": 990, "p999_ns": 999}


def test_percentiles_of_one_span_are_that_span():
    assert percentiles([7]) == {"p50_ns": 7, "p99_ns": 7, "p999_ns": 7}


def test_median_of_rounds_takes_each_figure_alone():
    rounds = [{"a_ns": 1.0, "b": 9.0}, {"a_ns": 3.0, "b": 7.0}, {"a_ns": 2.0, "b": 8.0}]
    assert median_of(rounds) == {"a_ns": 2.0, "b": 8.0}


def test_digest_of_results_knows_where_one_ends():
    assert digest([b"ab", b"c"]) != digest([b"a", b"bc"])


@pytest.mark.parametrize(
    ("value", "at_most", "met"),
    [
        (9.9, True, True),
        (10, True, True),
        (10.1, True, False),
        (9.9, False, False),
        (10, False, True),
    ],
)
def test_budget_at_its_limit_is_met(value, at_most, met):
    assert Budget("tick", "p50", value, 10, at_most).is_met is met


def test_bench_parameter_is_kept_beside_the_figures():
    small, full = Bench("x", smoke=True), Bench("x", smoke=False)
    assert (small.parameter("n", smoke=2, full=9), full.parameter("n", smoke=2, full=9)) == (2, 9)
    assert (small.parameters, full.parameters) == ({"n": 2}, {"n": 9})


def a_run(p50_ns=200.0, told="d1", size="full"):
    return Run(size, {"cpu": "x"}, {}, [Row("verdict", "live", {"p50_ns": p50_ns}, told)], [])


def test_run_saved_and_loaded_is_the_same(tmp_path):
    save(a_run(), tmp_path / "a.json")
    assert load_run(tmp_path / "a.json") == a_run()


def test_compare_says_the_change_in_percent():
    (line,) = [line for line in change_lines(a_run(), a_run(p50_ns=150.0)) if "verdict" in line]
    assert line.split() == ["verdict:", "live", "p50", "ns", "200", "150", "-25.0%"]


def test_compare_of_other_results_says_so():
    text = "\n".join(change_lines(a_run(), a_run(told="d2")))
    assert "OTHER RESULTS" in text
    assert "OTHER RESULTS" not in "\n".join(change_lines(a_run(), a_run()))


def test_compare_of_other_size_says_so_and_compares_no_digests():
    text = "\n".join(change_lines(a_run(size="smoke"), a_run(told="d2")))
    assert "earlier run was of smoke size" in text
    assert "OTHER RESULTS" not in text


@pytest.mark.parametrize("arguments", [["--compare", "absent.json"], ["tick", "absent"]])
def test_command_with_what_is_absent_is_refused(arguments, capsys):
    assert main(arguments) == 2
    assert "absent" in capsys.readouterr().err


def test_load_above_the_cores_is_called_busy():
    machine = {"load": "0.10", "load_after": "2.00", "cores": "2"}
    assert "BUSY" not in load_line(machine)
    assert "BUSY" in load_line(machine | {"load_after": "2.01"})


def test_table_columns_line_up():
    assert list(aligned([["a", "b"], ["long", "1"], ["x", "22"]])) == [
        "a      b",
        "long   1",
        "x     22",
    ]


def test_frames_and_answers_written_are_read(tmp_path):
    write_frames(tmp_path / "f", [b"one", b"", b"three"])
    assert list(read_frames(tmp_path / "f")) == [b"one", b"", b"three"]
    answers = Answers()
    answers.add(5, b"yes")
    answers.add(6, b"")
    answers.span_ns, answers.ticks = 11, 3
    answers.write(tmp_path / "a")
    found = Answers.read(tmp_path / "a")
    assert vars(found) == vars(answers)


def test_wide_limits_keep_percents_and_widen_amounts():
    limits = wide_limits()
    assert limits["order_notional"] == 1000 * 10**6
    assert limits["price_collar_pct"] == 5
    assert limits["leverage"] == 2
    assert limits["duplicate_orders"] == {"count": 10 * 10**6, "window_ms": 10000}
