"""A report separates the goal of a row from the value that must hold."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from bench import machine, report
from bench.__main__ import ROWS
from bench.report import Line
from bench.rows import Outcome, Row, at_least, at_most
from bench.run import Run, Sizes


def unmeasured(_run: Run) -> Outcome:
    raise AssertionError


def line(row: Row, *figures: float) -> Line:
    return report.line(row, Sizes(), Outcome("measured", figures))


RATE = Row(3, "batches", unmeasured, at_least(20_000, 14_400, "/s"), players=Sizes.players)
COST = Row(11, "cost", unmeasured, at_most(1.5, 1.68, " times"))


@pytest.mark.parametrize(
    ("row", "figure", "reached", "holds"),
    [
        (RATE, 20_000, "yes", "yes"),
        (RATE, 19_999, "no", "yes"),
        (RATE, 13_300, "no", "yes"),  # worse than what must hold, but within the noise
        (RATE, 13_200, "no", "no"),
        (COST, 1.5, "yes", "yes"),
        (COST, 1.81, "no", "yes"),
        (COST, 1.82, "no", "no"),
    ],
)
def test_goal_and_what_must_hold(row: Row, figure: float, reached: str, holds: str) -> None:
    result = line(row, figure)
    assert (result.reached, result.holds) == (reached, holds)


def test_each_figure_has_to_hold() -> None:
    latency = Row(6, "latency", unmeasured, at_most(2, 2, " ms p50") + at_most(20, 20, " ms p99"))
    assert (line(latency, 1, 10).holds, line(latency, 1, 30).holds) == ("yes", "no")
    assert line(latency, 1, 10).goal == "2 ms p50 / 20 ms p99"


def test_a_failed_row_does_not_hold() -> None:
    failed = report.line(RATE, Sizes(), "BenchError: no request was answered")
    assert (failed.reached, failed.holds, failed.measured) == (
        "no",
        "no",
        "FAILED: BenchError: no request was answered",
    )


def test_other_sizes_are_not_judged() -> None:
    small = report.line(RATE, Sizes(players=100_000), Outcome("measured", (1.0,)))
    assert (small.reached, small.holds) == ("-", "-")
    assert small.measured.startswith("NOT MEASURED at this size; at 100,000 players")


def test_a_report_names_the_rows_that_miss_a_target(tmp_path: Path) -> None:
    lines = [line(RATE, 13_200), line(COST, 1.6)]
    page = report.markdown(lines, machine.describe(tmp_path), Sizes(), {}, datetime.now(UTC))
    assert "worse than what must hold, by more than 8% for noise: 3." in page
    assert "whose goal is not reached yet: 3, 11." in page


def test_every_row_has_its_own_number_and_a_goal_no_easier_than_what_must_hold() -> None:
    assert sorted(row.number for row in ROWS) == list(range(1, len(ROWS) + 1))
    for target in (target for row in ROWS for target in row.targets):
        easier = target.goal > target.must_hold if target.lower_is_better else target.goal < target.must_hold
        assert not easier, target
