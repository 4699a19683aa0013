"""The pair door with a selection: the rule sees what was selected, and the rest is counted."""

from dataclasses import replace

from infra.artifacts import open_artifact
from infra.place import counts_of, records_of, store_of
from tasks.config import PairsSection
from tasks.correction import CorrectionSettings
from tasks.pair import pair
from tasks.records import Feedback, Preference, PreferencePair, Prompt, Response, Verdict
from tests.judged import committed
from tests.opinion_makers import both, prompt, response, verdict
from tests.small_config import small_place

IDS = [f"r{number}" for number in range(6)]


def settled(tmp_path, **pairs):
    """The pairs of one prompt with six responses; r0 is the worst, and r5 has no score."""
    place = small_place(root=f"file://{tmp_path}/store", strengths={"policy": 1.0})
    answers = [response(name, f"text {name}") for name in IDS]
    opinions = [
        one for i, a in enumerate(IDS) for b in IDS[i + 1 :] for one in both(a, b, "b", by="rm")
    ]
    for number, name in enumerate(IDS[:5]):
        blank = verdict(name, name, "scored", by="rm")
        opinions.append(replace(blank, b_id="", score=float(number)))
    feedback = Feedback(
        responses=[committed(place, Response, answers)],
        verdicts=[committed(place, Verdict, opinions)],
    )
    settings = PairsSection.model_validate(
        {"rule": {"kind": "all_above_margin"}, "held_out_share": 0.0, **pairs}
    )
    prompts = committed(place, Prompt, [prompt()])
    return place, pair.fn(prompts, feedback, CorrectionSettings(), settings, place)


def test_the_rule_sees_the_selected_responses_only(tmp_path):
    chosen = {"kind": "best_and_worst_k", "k": 1, "by": "rm"}
    place, artifact = settled(tmp_path, selection=chosen)
    (only,) = records_of(place, PreferencePair, artifact)
    assert (only.chosen_id, only.rejected_id) == ("r4", "r0")
    counts = counts_of(place, artifact)
    # r5 was not scored; of 15 kept preferences 14 have an end that was left out.
    wanted = {"selected": 2, "unselected": 3, "unscored": 1, "unselected_preferences": 14}
    assert {name: counts[name] for name in wanted} == wanted
    assert len(records_of(place, Preference, artifact, "preferences")) == 15


def test_without_a_selection_neither_key_nor_counts_know_of_one(tmp_path):
    place, artifact = settled(tmp_path)
    finished = open_artifact(store_of(place), artifact)
    assert counts_of(place, artifact)["pairs"] == 15
    assert not any("selected" in name for name in finished.counts)
    assert "selection" not in finished.manifest["key"]["settings"]["pairs"]


def test_a_selection_that_leaves_all_of_them_makes_the_same_pairs(tmp_path):
    everything = {"kind": "rejection_sampling", "number": 99, "by": "rm"}
    place, some = settled(tmp_path / "some", selection=everything)
    _, plain = settled(tmp_path / "plain")
    ids = {(one.chosen_id, one.rejected_id) for one in records_of(place, PreferencePair, some)}
    assert len(ids) == 10, "r5 has no score, so it stays out"
    assert plain.rows == 15
