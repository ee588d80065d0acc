"""The clock: wall time as it is, steady time that never goes backwards, restarts included."""

import time

import pytest

from transport.clock import Clock


def test_steady_ns_without_a_past_starts_at_zero_and_advances_with_the_monotonic_clock():
    monotonic_ns = iter((1_000, 1_000, 1_250)).__next__
    clock = Clock(wall_ns=lambda: 77, monotonic_ns=monotonic_ns)
    assert clock.steady_ns() == 0
    assert clock.steady_ns() == 250
    assert clock.wall_ns() == 77


def test_steady_ns_after_a_restart_adds_the_wall_time_that_passed():
    monotonic_ns = iter((10, 15)).__next__  # A reboot: the monotonic clock begins anew.
    clock = Clock(500, 1_000, wall_ns=lambda: 1_700, monotonic_ns=monotonic_ns)
    assert clock.steady_ns() == 500 + 700 + 5


def test_steady_ns_after_the_wall_clock_was_set_back_continues_from_the_last_instant():
    monotonic_ns = iter((10, 10, 13)).__next__
    clock = Clock(500, 1_000, wall_ns=lambda: 400, monotonic_ns=monotonic_ns)
    assert clock.steady_ns() == 500
    assert clock.steady_ns() == 503


def test_steady_ns_ignores_steps_of_the_wall_clock_while_running():
    wall = iter((1_000, 9_000_000, 3)).__next__
    clock = Clock(wall_ns=wall, monotonic_ns=iter((5, 6, 7)).__next__)
    readings = [clock.steady_ns(), clock.wall_ns(), clock.wall_ns(), clock.steady_ns()]
    assert readings == [1, 9_000_000, 3, 2]


@pytest.mark.parametrize("step_ns", [3_600 * 10**9, -3_600 * 10**9])
def test_step_of_the_wall_clock_is_told_once_and_is_no_step_of_the_steady_one(step_ns):
    now = {"wall": 10**18, "monotonic": 0}
    clock = Clock(wall_ns=lambda: now["wall"], monotonic_ns=lambda: now["monotonic"])
    for stepped_ns in (0, step_ns, 0):
        now["wall"] += 1000 + stepped_ns
        now["monotonic"] += 1000
        assert clock.take_step_ns() == stepped_ns
    assert clock.steady_ns() == 3000


def test_clock_of_the_machine_reads_its_clocks():
    before_ns = time.time_ns()
    clock = Clock(resume_steady_ns=10**15, resume_wall_ns=before_ns)
    wall_ns = clock.wall_ns()
    assert before_ns <= wall_ns <= time.time_ns()
    readings = [clock.steady_ns() for _ in range(1_000)]
    assert readings == sorted(readings)
    assert readings[0] >= 10**15
