"""The page of a run: its numbers, and that nothing anybody wrote becomes markup."""

from dataclasses import replace

import pytest
from example_run import example_run
from test_report_markdown import tokens_of
from test_report_page import Page

from tasks.ledger.rounds import RoundFacts
from tasks.report import run_html, run_markdown
from tasks.report.formatting import figure, seconds_shown, usd
from tasks.report.lineage_graph import run_graph, stage_graph
from tasks.report.matrix_map import matrix_map
from tasks.report.over_rounds import metric_drawings
from tasks.report.render import MARKDOWN_LIMIT
from tasks.report.run_data import cost_table, glance_rows, run_figures, slice_rows, wins_table

HOSTILE = "<script>alert(1)</script> | `{{ 7 * 7 }}"


@pytest.fixture(scope="module")
def data():
    return example_run()


def test_a_round_that_is_not_measured_does_not_take_the_runs_figure_away(data):
    unmeasured = example_run(evaluation=[])
    assert unmeasured.metric == data.metric == "win"
    [told] = [one for one in run_figures(unmeasured) if one.label == "win"]
    third = unmeasured.rounds[-2].figure("win")
    assert told.value.startswith(figure(third.value)), "that of the last round that was"


def test_pairs_given_to_training_are_those_of_the_last_stage_that_made_some():
    def given(**rows):
        artifacts = {role.replace("__", "-"): {"rows": number} for role, number in rows.items()}
        facts = RoundFacts(manifest={"artifacts": artifacts}, config={}, evaluation=[], sft="")
        return facts.given

    assert given(pair=9) == 9
    assert given(pair=9, transform__2__degrade=7, transform__10__edit_rejected=5) == 5
    assert given(pair=9, transform__0__regenerate_segment=4, replay__pairs=6, replay=99) == 6
    assert given(train=3) == 0


def words(text):
    return " ".join("".join(Page(text).words).split())


def test_the_newest_round_stands_first_and_a_person_has_the_last_word(data):
    said = {"action": "refuse", "by": "ann", "reason": "unsafe", "at": "2026-11-23"}
    rows = glance_rows(example_run(decisions=[said]))
    assert [row.facts.index for row in rows] == [3, 2, 1, 0]
    assert [row.words for row in rows[2:]] == ["Refused", "Promoted"]
    assert rows[0].decided == "refuse by ann: unsafe" and not rows[1].decided


def test_time_cost_and_pairs_of_all_rounds_are_added_up(data):
    assert "4 rounds; the reference moved in 3 of them." in words(run_html(data))
    told = {one.label: (one.value, one.remark) for one in run_figures(data)}
    assert told["rounds"] == ("4", "1 refused, 1 flagged")
    assert told["pairs trained on"] == ("13,606", "from 4,096 prompts")
    assert told["time of all verbs"] == ("1\u00a0h 32\u00a0min", "19.00 USD")
    assert cost_table(data).sums == ["4.75 USD"] * 4


def test_a_cells_share_of_wins_counts_every_other_cell(data):
    shares = {name: values[0] for name, values in wins_table(data).rows}
    assert shares["human"] == "77.5\u00a0%"  # 31 of 40
    assert shares["policy"] == "45.8\u00a0%"  # 9 + 947.5 of 2,088


def test_who_beats_whom_is_read_along_a_row(data):
    newest = data.rounds[-1]
    drawn = matrix_map(newest.matches, newest.pair_cells, ["large", "policy"])
    assert drawn.names == ["large", "policy", "human"]
    assert drawn.beats[0][1].wins == 830.5 and drawn.beats[1][0].wins == 1217.5
    assert drawn.beats[0][2].share is None
    assert drawn.pairs[1] == [700, 300, 0] and drawn.most_pairs == 900


def test_a_slice_is_coloured_where_its_interval_leaves_zero_out(data):
    for row in slice_rows(data):
        for cell, level in zip(row.cells, row.levels, strict=True):
            ends = [end.replace("\u2212", "-") for end in cell.split("(")[1][:-1].split(" to ")]
            low, high = map(float, ends)
            assert level == ("worse" if high < 0 else "better" if low > 0 else "")


def test_a_refused_policy_leads_nowhere_in_the_lineage(data):
    drawn = run_graph(data.rounds, "win")
    titles = [node.title for node in drawn.nodes]
    assert titles == ["SFT model", "round 0", "round 1", "round 2", "round 3"]
    assert [edge.kind for edge in drawn.edges] == ["solid", "dashed", "solid", "solid"]
    assert drawn.edges[2].x1 == drawn.edges[1].x1, "round 2 grows from round 0, as round 1 did"


def test_the_stages_of_a_round_stand_in_the_order_of_the_verbs():
    roles = ("train", "pair", "judge-main-train", "annotate", "sample-train-policy", "score-policy")
    drawn = stage_graph({role: {"rows": 2, "uri": role} for role in roles}, "refused")
    at = {node.title: node.x for node in drawn.nodes}
    assert at["sample policy"] < at["judge main"] == at["annotate"] < at["pair"] < at["train"]
    assert at["gate"] == max(at.values()) and "policy" not in at


def test_one_round_has_no_curves_and_still_a_page():
    alone = example_run(rounds=1)
    assert metric_drawings(alone.rounds, "win") == []
    assert "1 round; the reference moved in all of them." in words(run_html(alone))


def test_a_round_that_kept_nothing_of_all_this_has_a_row(data):
    bare = data.rounds[0].manifest | {"gate": {"outcome": "promoted"}, "counts": {}}
    for name in ("matches", "pair_cells", "spent_usd", "findings"):
        bare.pop(name)
    old = replace(data.rounds[0], manifest=bare, evaluation=[], seconds={})
    page = words(run_html(replace(data, rounds=[old])))
    assert "kept no matches between cells" in page and "No time was noted" in page


def test_hostile_names_leave_the_tags_of_the_page_as_they_are():
    def named(text):
        one = example_run(rounds=1)
        facts = one.rounds[0]
        report = replace(facts.evaluation[0], metric=text)
        gate = facts.manifest["gate"]
        slices = {text: gate["slices"]["win"]}
        matches = [{"a": text, "b": "policy", "verdicts": 3, "a_wins": 1.0}]
        manifest = {**facts.manifest, "gate": {**gate, "slices": slices}, "matches": matches}
        decided = [{"action": text, "by": text, "reason": text}]
        changed = replace(facts, evaluation=[report], manifest=manifest, decisions=decided)
        return replace(one, run=text, rounds=[changed], origin={"run": text, "round_index": 0})

    harmless, hostile = (Page(run_html(named(text))) for text in ("harmless", HOSTILE))
    assert hostile.tags == harmless.tags
    assert HOSTILE in "".join(hostile.words)
    kinds = {token.type for token in tokens_of(run_markdown(named(HOSTILE)))}
    assert not kinds & {"link_open", "html_inline", "html_block"}


def test_links_lead_to_the_rounds_of_the_store_and_nowhere_without_them(data):
    links = [value for _, attributes in Page(run_html(data)).tags for name, value in attributes
             if name == "href" and not value.startswith("#")]  # fmt: skip
    assert links == [f"rounds/{index:05d}/report.html" for index in (3, 2, 1, 0)]
    assert "rounds/00003" not in run_html(replace(data, linked=False))


def test_the_markdown_of_a_long_run_stays_below_the_limit(data):
    text = run_markdown(replace(data, rounds=list(data.rounds) * 60))
    assert len(text.encode()) <= MARKDOWN_LIMIT and "data:image/png" in text
    assert "| 3 | Promoted | 0.748 |" in run_markdown(data)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(8.24, "8.2 s"), (185, "3 min 05 s"), (7620, "2 h 07 min"), (None, "\u2013")],
)
def test_times_are_told_in_the_units_of_people(seconds, said):
    assert seconds_shown(seconds).replace("\u00a0", " ") == said


def test_money_has_four_decimals_where_calls_are_cheap():
    assert [usd(0.0123), usd(12.3)] == ["0.0123 USD", "12.30 USD"]
