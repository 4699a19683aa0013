"""Guarded slices as reports show them, the ones that were too small to measure included."""

from dataclasses import asdict

from example_run import example_run

from tasks.comparing import Terms, compared
from tasks.report import run_html
from tasks.report.formatting import DASH
from tasks.report.gate_slices import guarded_rows
from tasks.statistics import PairedValues


def gate_of(**differences):
    """A gate's outcome as a manifest holds it; policy less reference of each prompt."""
    slices = {
        name: PairedValues(
            reference={str(i): 0.0 for i in range(len(values))},
            policy={str(i): value for i, value in enumerate(values)},
        )
        for name, values in differences.items()
    }
    seen = compared(slices, Terms())
    return {"outcome": "inconclusive", "slices": {name: asdict(one) for name, one in seen.items()}}


def test_a_slice_of_one_prompt_has_a_difference_and_no_interval():
    [row] = guarded_rows(gate_of(win=[0.5]))
    assert (row.difference, row.interval, row.whisker, row.level) == ("+0.500", DASH, None, "")
    assert row.p_value == DASH and row.needed > 1


def test_a_slice_without_prompts_stands_last():
    rows = guarded_rows(gate_of(empty=[], up=[0.1] * 30, down=[-0.1] * 30))
    assert [row.name for row in rows] == ["down", "up", "empty"]
    assert [row.level for row in rows] == ["worse", "better", ""]
    assert rows[2].difference == DASH and rows[0].p_value == "0.001"


def test_the_page_of_a_run_copes_with_both():
    data = example_run(rounds=1)
    data.rounds[0].manifest["gate"] |= gate_of(empty=[], one=[-0.5])
    assert "one \u22120.5" in run_html(data)
