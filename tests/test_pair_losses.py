from tasks.pair_losses import NEXT_STEP, all_dropped, why_none
from tasks.report.funnel import MEANINGS


def test_pairs_that_were_all_dropped_are_told_by_reason_the_commonest_first():
    counts = {"comparisons": 90, "preference_kept": 90, "made": 88}
    assert why_none({**counts, "dropped_truncated": 88}) == (
        "made 88, all dropped: truncated 88; raise max_tokens of the cells, or take the filter out"
    )
    told = why_none({**counts, "dropped_equal_texts": 8, "dropped_length_ratio": 80})
    assert told.startswith("made 88, all dropped: length_ratio 80, equal_texts 8; raise its max_r")


def test_comparisons_of_which_no_pair_was_made_are_told_by_what_became_of_them():
    counts = {"comparisons": 5, "preference_tie": 4, "preference_kept": 1, "made": 0}
    assert why_none(counts) == (
        "5 comparisons made none: tie 4, kept 1; lower the judge's margin, or set "
        "correction.tie=soft"
    )
    kept = {"comparisons": 5, "preference_kept": 5, "made": 0}
    assert why_none(kept).endswith("kept 5; loosen pairs.rule and pairs.filters")


def test_without_any_comparison_another_cell_is_asked_for():
    assert "add a cell" in why_none({"comparisons": 0, "made": 0})


def test_pairs_that_are_all_held_out_are_told():
    assert all_dropped({}) == "every pair is held out; lower pairs.held_out_share"


def test_next_steps_are_for_reasons_that_the_report_explains_too():
    assert NEXT_STEP.keys() - {"empty_response"} <= MEANINGS.keys()
