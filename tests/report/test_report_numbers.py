"""The numbers of the report, on a round small enough to count by hand."""

from example_round import example_round
from small_round import small_round

from tasks.records import EvalReport
from tasks.report.cells import cell_rows
from tasks.report.corrections import correction
from tasks.report.excerpts import excerpts
from tasks.report.formatting import DASH, clean, figure, share, shorten, signed
from tasks.report.funnel import dropped, funnel
from tasks.report.headline import headline
from tasks.report.measurements import evaluation
from tasks.report.sides import part_facts
from tests.small_config import small_config


def _measured(checkpoint: str, value: float, slice_: str = "all") -> EvalReport:
    return EvalReport(
        checkpoint=checkpoint, metric="win", slice=slice_, value=value, standard_error=0.1, n=20
    )


def test_the_funnel_counts_each_kind_of_row():
    steps = funnel(small_round(counts={"score": {"already_solved": 1}}))
    assert [step.rows for step in steps] == [1, 3, 3, 2, 2, 1]
    assert steps[1].length == 1.0
    assert steps[0].length == 1 / 3


def test_what_training_reports_as_used_is_believed():
    data = small_round(counts={"train": {"used": 2, "too_long": 5}})
    assert funnel(data)[-1].rows == 2


def test_dropped_comparisons_are_listed_with_what_the_filters_dropped():
    counts = {"pair": {"kept": 2, "near_equal": 4, "swapped": 1}, "score": {"already_solved": 0}}
    rows = dropped(small_round(counts=counts))
    assert [(row.reason, row.rows) for row in rows] == [("near_equal", 4), ("inconsistent", 1)]


def test_a_cell_wins_only_against_other_cells():
    policy, large = cell_rows(small_round())
    assert (policy.name, policy.decided, policy.won, policy.chosen, policy.rejected) == (
        "policy",
        2,
        1,
        1,
        1,
    )
    assert large.win_share == 0.5
    assert policy.mean_words == 1.5
    assert large.settings == {}


def test_the_correction_says_how_often_people_overruled_a_judge():
    table = correction(small_round())
    assert (table.rechecked, table.overruled) == (1, 1)
    assert (table.both_orders, table.stable) == (3, 2)
    assert table.swapped_share == 0.5
    assert [(row.reason, row.decided) for row in table.rows] == [
        ("human", True),
        ("swapped", True),
        ("inconsistent", False),
    ]


def test_the_difference_is_policy_less_reference_and_the_whole_comes_first():
    reports = [_measured("r", 0.5, "a"), _measured("p", 0.7), _measured("r", 0.4)]
    table = evaluation(small_round(evaluation=reports, names={"p": "policy", "r": "reference"}))
    whole, part = table.metrics["win"]
    assert table.columns == ["policy", "reference"]
    assert (whole.slice, round(whole.difference, 9), part.difference) == ("all", 0.3, None)
    assert part.cells[0] is None


def test_in_the_first_round_the_policy_is_compared_with_the_sft_model():
    reports = [_measured("s", 0.5), _measured("p", 0.75)]
    table = evaluation(small_round(evaluation=reports, names={"p": "policy", "s": "sft"}))
    assert (table.baseline, table.metrics["win"][0].difference) == ("sft", 0.25)


def test_a_checkpoint_without_a_name_stands_under_its_digest():
    reports = [_measured("f" * 64, 0.5), _measured("p", 0.7)]
    table = evaluation(small_round(evaluation=reports, names={"p": "policy"}))
    assert table.columns == ["policy", "f" * 12]


def test_one_measurement_with_no_spread_has_a_place_on_its_scale():
    report = EvalReport(
        checkpoint="p", metric="m", slice="all", value=2.0, standard_error=None, n=1
    )
    rows = evaluation(small_round(evaluation=[report], names={"p": "policy"})).metrics["m"]
    assert rows[0].marks[0].x == 50.0


def test_the_headline_speaks_of_the_policy_and_the_gate():
    gate = {"outcome": "refused", "reasons": ["worse on poems"], "n_needed": {"poem": 310}}
    data = small_round(gate=gate, evaluation=[_measured("p", 0.6)], names={"p": "policy"})
    top = headline(data, evaluation(data), correction(data))
    assert (top.title, top.needed) == ("Refused", [("poem", 310)])
    assert top.figures[0][:2] == ("win", "0.600 ± 0.100")


def test_a_round_without_a_decision_says_so():
    data = small_round()
    assert headline(data, evaluation(data), correction(data)).title == "Not decided"


def test_excerpts_are_mixed_and_do_not_depend_on_the_order_of_rows():
    data = example_round(num_prompts=60)
    chosen = excerpts(data)
    assert len(chosen) == 6
    assert {item.decided_by for item in chosen[:4]} == {"human", "judge", "prior"}
    other = example_round(num_prompts=60)
    other.ranges[0].pairs.reverse()
    assert excerpts(other) == chosen


def test_a_prompt_is_shown_once():
    assert len(excerpts(small_round(), 10)) == 1


def test_numbers_have_about_three_digits_and_a_true_minus():
    assert [figure(x) for x in (0.5, -25.904, 1234.5, None, float("nan"))] == [
        "0.500",
        "\u221225.90",
        "1,234.5",
        DASH,
        DASH,
    ]
    assert figure(0.398, like=25.9) == "0.40"
    assert (signed(0.02), signed(-0.02)) == ("+0.020", "\u22120.020")
    assert share(0.5723) == "57.2\u00a0%"


def test_characters_that_disturb_a_page_stay_visible_as_names():
    assert clean("a\x00b\r\nc\u202ed\ud800e") == "a␀b\nc⟨U+202E⟩d\ufffde"
    assert shorten("abcdef", 4) == "abcd … [2 characters more]"


def test_loss_judges_and_gate_are_told_by_kind_and_settings():
    judges = {"main": {"kind": "rule", "margin": 0.1}}
    config = small_config(judges=judges, training__loss={"kind": "sft"})
    loss, judge, gate = part_facts(config)
    assert loss == ("loss", "sft")
    assert judge == ("judge main", "rule (margin 0.1)")
    assert gate[0] == "gate" and gate[1].startswith("unless_worse (")
