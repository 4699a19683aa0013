"""What other settings would make of verdicts: by hand, and on a finished run."""

import json

import pytest
from typer.testing import CliRunner

from flows.cli.app import app
from flows.cli.what_if import imagine
from infra.place import counts_of
from tasks.config import PairsSection
from tasks.correction import CorrectionSettings
from tasks.errors import ConfigError
from tasks.imagine import imagined
from tasks.ledger.what_if import Asked, Paired, examples_of, moves, what_if
from tasks.pair import pair as pair_door
from tasks.records import Feedback, Prompt, Response, Verdict
from tests.judged import committed
from tests.opinion_makers import both, pair, preference, prompt, response
from tests.small_config import small_place
from tests.whole_runs import nothing_was_done

CELLS = {"a": "policy", "b": "large", "c": "policy", "d": "other"}


def paired(made, preferences, **counts):
    return Paired(made, preferences, counts)


BEFORE = paired(
    [pair("a", "b", margin=0.8), pair("a", "c"), pair("b", "d")],
    [
        preference("a", "b", "a", margin=0.8), preference("a", "c"), preference("b", "d"),
        preference("c", "d", "dropped"),
    ],
    pairs=3, dropped_truncated=2,
)  # fmt: skip
AFTER = paired(
    [pair("a", "b", margin=0.4), pair("c", "a"), pair("c", "d")],
    [
        preference("a", "b", "a", margin=0.4), preference("a", "c", "b"),
        preference("b", "d"), preference("c", "d"),
    ],
    pairs=3,
)  # fmt: skip


def test_each_pair_stays_is_turned_appears_or_vanishes_for_reasons():
    found = {
        (one.chosen_id, one.rejected_id): (one.fate, one.was, one.would_be, one.pair_id)
        for one in moves(BEFORE, AFTER)
    }
    assert found == {
        ("a", "b"): ("stays", "kept", "kept", "p-a-b"),
        ("c", "a"): ("turned", "kept", "kept", "p-a-c"),
        ("c", "d"): ("appears", "tie", "kept", ""),
        ("b", "d"): ("vanishes", "kept", "rule_or_filter", "p-b-d"),
    }


def test_probabilities_are_those_of_the_chosen_side_as_it_would_be():
    found = {one.fate: (one.p_was, one.p_would_be) for one in moves(BEFORE, AFTER)}
    assert found["stays"] == pytest.approx((0.9, 0.7))
    assert found["turned"] == pytest.approx((0.0, 1.0))
    assert found["appears"] == (None, 1.0) and found["vanishes"] == (1.0, None)


def test_the_answer_counts_by_fate_reason_and_cell():
    found = what_if(Asked("r", 0, [], 5), BEFORE, AFTER, CELLS)
    assert (found.was, found.would_be, found.surer, found.less_sure) == (3, 3, 0, 1)
    assert found.fates == {"stays": 1, "turned": 1, "appears": 1, "vanishes": 1}
    assert [(one.fate, one.chosen, one.rejected, one.pairs) for one in found.cells] == [
        ("turned", "policy", "policy", 1),
        ("appears", "policy", "other", 1),
        ("vanishes", "large", "other", 1),
    ]
    assert sum(one.pairs for one in found.reasons) == 3
    assert [(one.name, one.was, one.would_be) for one in found.counts] == [
        ("dropped_truncated", 2, 0)
    ]


def test_without_a_preference_nobody_spoke():
    [only] = moves(paired([], []), paired([pair("a", "b")], [preference("a", "b")]))
    assert (only.was, only.would_be) == ("nobody_spoke", "kept")


def test_labels_beside_pairs_are_no_part_of_the_answer(tmp_path):
    place = small_place(root=f"file://{tmp_path}/store")
    answers = [response("a", "a fig"), response("b", "a nut", cell="large")]
    stages = [
        committed(place, Prompt, [prompt()]),
        committed(place, Response, answers),
        committed(place, Verdict, both("a", "b", "a")),
    ]
    given = Feedback(responses=stages[1:2], verdicts=stages[2:])
    settings = PairsSection.model_validate(
        {"rule": {"kind": "best_vs_worst"}, "labels": {"kind": "win_share"}, "held_out_share": 0}
    )
    correction = CorrectionSettings()
    made = pair_door.fn(stages[0], given, correction, settings, place)
    assert counts_of(place, made)["labels"] == 2
    found = imagined(made, stages, correction, settings, place)
    assert found.before == found.after and found.before.counts["pairs"] == 1


def test_examples_are_the_same_whatever_the_order_and_none_of_them_stays():
    many = paired([pair(f"a{i}", f"b{i}") for i in range(9)], [])
    found = moves(many, paired([], []))
    some = examples_of(found, 3)
    assert len(some) == 3 and some == examples_of(found[::-1], 3)
    assert examples_of(moves(many, many), 3) == []


def files(story):
    return sorted((path, story.world.store.size(path)) for path in story.world.store.list(""))


@pytest.mark.slow
def test_the_same_settings_make_the_same_pairs_and_touch_nothing(story):
    before = files(story)
    found = imagine(story.world.tree(), 0, {"pairs.rule.min_margin": 0.0})
    pairs = story.manifests[0]["counts"]["pair"]["pairs"]
    assert found.changed == [] and (found.was, found.would_be) == (pairs, pairs)
    assert found.fates == {"stays": pairs, "turned": 0, "appears": 0, "vanishes": 0}
    assert found.counts == [] and found.examples == []
    assert files(story) == before and nothing_was_done()


@pytest.mark.slow
def test_a_rule_that_takes_one_pair_a_prompt_keeps_one_of_each(story):
    found = imagine(story.world.tree(), 0, {"pairs.rule": {"kind": "best_vs_worst"}})
    prompts = story.manifests[0]["counts"]["pair"]["prompts_with_pairs"]
    assert found.would_be == prompts == found.fates["stays"]
    assert found.fates["vanishes"] == found.was - prompts and not found.fates["turned"]
    assert {one.would_be for one in found.reasons} == {"rule_or_filter"}
    assert [one.key for one in found.changed] == ["pairs.rule.kind"]


@pytest.mark.slow
def test_ties_that_lean_to_the_stronger_cell_appear_as_pairs(story):
    preferences = story.world.table(story.manifests[0], "pair", "preferences").to_pylist()
    prior = story.world.table(story.manifests[0], "pair", "prior").to_pylist()
    presumed = {(one["a_id"], one["b_id"]) for one in prior}
    ties = [one for one in preferences if one["reason"] == "tie"]
    leaning = [one for one in ties if (one["a_id"], one["b_id"]) in presumed]
    found = imagine(story.world.tree(), 0, {"correction.tie": "soft"}, examples=2)
    assert leaning and found.fates["appears"] == len(leaning)
    [row] = [one for one in found.reasons if one.fate == "appears"]
    assert (row.was, row.would_be) == ("tie", "soft_tie")
    assert len(found.examples) == 2


@pytest.mark.slow
def test_the_command_writes_markdown_and_json(story):
    preset = ["--preset", str(story.world.preset)]
    asked = ["what-if", "small@0", *preset, "--set", "correction.tie=soft"]
    page = CliRunner().invoke(app, asked, catch_exceptions=False)
    assert not page.exit_code and "# What if: `small@0`" in page.output
    assert "- `correction.tie" in page.output and "| `tie` | `soft_tie` |" in page.output
    form = CliRunner().invoke(app, [*asked, "--as", "json"], catch_exceptions=False)
    known = json.loads(form.output)
    assert known["run"] == "small" and known["changed"][0]["key"] == "correction.tie"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "nothing to imagine"),
        ({"judges.main.margin": 1}, r"--set judges.main.margin: only settings of correction"),
        ({"pairs.labels": {"kind": "win_share"}}, "labels aside"),
        ({"pairs.rule": {"kind": "worst"}}, "has no kind 'worst'"),
    ],
)
def test_what_takes_another_round_is_refused_by_name(story, changes, said):
    with pytest.raises(ConfigError, match=said):
        imagine(story.world.tree(), 0, changes)


@pytest.mark.slow
def test_a_round_that_is_not_committed_is_refused(story):
    with pytest.raises(ConfigError, match="round 7 of run 'small' is not committed"):
        imagine(story.world.tree(), 7, {"correction.tie": "soft"})
