"""The estimate door: what an estimator learns from a round, and its opinions as verdicts."""

import json
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest

from infra.models import checkpoint_folder, local_folder
from infra.place import blocks_of, counts_of, facts_of, records_of, store_of
from infra.run_tree import RunTree
from infra.work import work_root
from tasks import estimate_scores
from tasks.correction import CorrectionSettings
from tasks.describe import describe
from tasks.errors import ConfigError
from tasks.estimate import estimate, estimated
from tasks.estimate_scores import checkpoint_of
from tasks.estimates import PASS
from tasks.records import Artifact, Feedback, Prompt, Response, Verdict
from tasks.references import estimator_base, place_model
from tasks.uncertainty import uncertainties
from tasks.variants import load_variant
from tests.judged import committed
from tests.opinion_makers import both, prompt, response
from tests.small_config import small_place
from tests.tiny_models import tiny_model
from tests.tiny_rewards import reward_of

pytestmark = pytest.mark.usefixtures("warm_children")
PROMPTS = [prompt(prompt_id=f"p{n:02}", text=f"Say {n}.") for n in range(12)]
TEXTS = {"good": "The red fox.", "fair": "A boat", "poor": "cold wind cold wind cold"}
FIT = {"learning_rate": 3e-3, "pairs_per_batch": 8, "epochs": 6, "checkpoint_every": 2}


@pytest.fixture
def place(tmp_path):
    sft = describe(local_folder(str(tiny_model())))
    root = f"file://{tmp_path}/store"
    return small_place(root=root, round_index=0, strengths={}, sft=sft, reference=sft, policies={})


def feedback(place):
    """Good beats fair beats poor for every prompt, says one judge."""
    answers, said = [], []
    for one in PROMPTS:
        ids = {word: f"{word}-{one.prompt_id}" for word in TEXTS}
        answers += [
            response(ids[word], text, prompt_id=one.prompt_id, cell=word)
            for word, text in TEXTS.items()
        ]
        for better, worse in combinations(TEXTS, 2):
            a_id, b_id = sorted((ids[better], ids[worse]))
            outcome = "a" if a_id == ids[better] else "b"
            said += [replace(v, prompt_id=one.prompt_id) for v in both(a_id, b_id, outcome)]
    return Feedback(
        responses=[committed(place, Response, answers)], verdicts=[committed(place, Verdict, said)]
    )


def done(place, kind, **settings):
    """The estimator's artifact and verdicts."""
    estimator = load_variant("tasks.estimators", kind, **settings)
    asked = committed(place, Prompt, PROMPTS)
    artifact = estimated.fn(asked, feedback(place), estimator, CorrectionSettings(), place)
    return artifact, records_of(place, Verdict, artifact)


def by_word(verdicts):
    """The scores by what the response is, one for each prompt."""
    found = {}
    for one in verdicts:
        if one.outcome == "scored" and one.criterion == "overall":
            found.setdefault(one.a_id.partition("-")[0], []).append(one.score)
    return found


def model_of(place):
    """The stage that holds the fitted model."""
    pointer = RunTree(store_of(place), place.run).read_round(0, "stages/estimate-model.json")
    return Artifact(**pointer)


def children():
    return len(list(work_root().rglob("child.pid")))


def test_without_an_estimator_feedback_is_as_it_was(place):
    given = feedback(place)
    asked = committed(place, Prompt, PROMPTS)
    assert estimate(asked, given, None, CorrectionSettings(), place) is given


def test_strengths_of_verdicts_become_scores_passes_and_comparisons(place):
    artifact, made = done(place, "verdict_strength", passes=3, compares="all")
    scores = by_word(made)
    assert min(scores["good"]) > max(scores["fair"]) >= min(scores["fair"]) > max(scores["poor"])
    counts = counts_of(place, artifact)
    assert counts == {"scored": 36, "passes": 108, "compared": 72}
    for one in made:
        if one.b_id:
            words = {
                side: name.partition("-")[0] for side, name in (("a", one.a_id), ("b", one.b_id))
            }
            assert words[one.outcome] == min(words.values(), key=list(TEXTS).index)
            assert (one.p_b_wins > 0.5) == (one.outcome == "b")
    assert {one.annotator for one in made} == {"estimator"}
    assert facts_of(place, artifact)["held_out"] > 0


def test_it_compares_nothing_or_what_others_compared_where_it_is_told_so(place):
    _, silent = done(place, "verdict_strength", compares="none")
    assert not [one for one in silent if one.b_id]
    _, made = done(place, "verdict_strength", compares="compared")
    assert len([one for one in made if one.b_id]) == 72


@pytest.mark.slow
def test_a_reward_model_learns_scores_resumes_and_can_be_named_later(place):
    settings = {"fit": FIT, "passes": 4, "compares": "all", "threads": 1, "max_tokens": 64}
    artifact, made = done(place, "reward_model", **settings)
    scores = by_word(made)
    assert min(scores["good"]) > max(scores["poor"])
    assert counts_of(place, artifact) == {"scored": 36, "passes": 144, "compared": 72}
    model = model_of(place)
    facts, counts = facts_of(place, model), counts_of(place, model)
    assert counts["pairs"] == 36 and counts["fitted"] + counts["held_out"] == 36
    assert facts_of(place, artifact)["sha256"] == facts["sha256"]
    if counts["held_out"]:
        assert facts["held_out_accuracy"] == 1.0
    _is_loaded_by_judges(place, made, model)
    _passes_are_unsure(made)
    before = children()
    again, _ = done(place, "reward_model", **settings | {"compares": "none"})
    assert again.content != artifact.content and children() == before, "nothing is learned again"


def _is_loaded_by_judges(place, made, model):
    """Its number for a conversation is what transformers itself computes from the folder."""
    weights = checkpoint_of(place, model)
    later = replace(place, round_index=1, estimators={0: weights})
    assert place_model("a judge's reward", "estimator:0", later, describe) == weights
    assert estimator_base("former", later, describe) == weights
    assert estimator_base("former", place, describe) == place.sft
    with pytest.raises(ConfigError, match=r"round 1 has left no reward model.*estimator:0"):
        place_model("a judge's reward", "estimator:1", later, describe)
    from tasks.tokens import load_tokenizer, render, response_ids

    folder = checkpoint_folder(weights, place.storage)
    tokenizer = load_tokenizer(folder)
    ids = render(tokenizer, PROMPTS[0].messages) + response_ids(tokenizer, TEXTS["good"], True)
    said = next(one.score for one in made if one.a_id == "good-p00" and one.criterion == "overall")
    assert reward_of(Path(folder), ids) == pytest.approx(said, abs=1e-4)


def _passes_are_unsure(made):
    turns = {one.replicate for one in made if one.criterion == PASS}
    assert turns == {0, 1, 2, 3}
    found = uncertainties(made)
    assert len(found) == 36 and max(found.values()) > 0


@pytest.mark.slow
def test_responses_are_tokenised_and_scored_a_range_of_prompts_at_a_time(place, monkeypatch):
    settings = {"fit": FIT | {"epochs": 1}, "passes": 2, "threads": 1, "max_tokens": 64}
    _, whole = done(place, "reward_model", **settings)
    assert scored_ranges(place) == 1
    monkeypatch.setattr(
        estimate_scores, "blocks_of", lambda place, of, **tables: blocks_of(place, of, 5, **tables)
    )
    _, parts = done(place, "reward_model", **settings, compares="compared")
    assert scored_ranges(place) == 1 + 3, "of 5, 5 and 2 prompts"
    said = [
        {(one.a_id, one.criterion, one.replicate): one.score for one in some if not one.b_id}
        for some in (whole, parts)
    ]
    assert said[0] == pytest.approx(said[1], abs=1e-5) and len(said[0]) == 36 * 3


def scored_ranges(place):
    """How often a child was given responses to score: each time is a stage with shards."""
    return sum(
        path.endswith("/shards/00000.json") for path in store_of(place).list("stages/estimate")
    )


@pytest.mark.slow
def test_west_of_n_fits_a_second_model_to_what_the_first_one_labels(place, tmp_path):
    rows = [
        {"prompt": f"Tell {n}.", "chosen": TEXTS["good"], "rejected": TEXTS["poor"]}
        for n in range(8)
    ]
    file = tmp_path / "human.jsonl"
    file.write_text("".join(json.dumps(one) + "\n" for one in rows), encoding="utf-8")
    settings = {
        "fit": FIT, "passes": 0, "threads": 1, "max_tokens": 64, "verdicts": False,
        "files": [str(file)], "held_out_share": 0.0, "self_training": {"keep": 0.5},
    }  # fmt: skip
    artifact, made = done(place, "reward_model", **settings)
    counts = counts_of(place, model_of(place))
    # 8 human pairs and the surest 6 of 12 prompts' pairs; one to one leaves two human ones out.
    wanted = {"pairs": 14, "fitted": 12, "left_out": 2, "held_out": 0}
    assert {name: counts[name] for name in wanted} == wanted
    scores = by_word(made)
    assert sum(scores["good"]) > sum(scores["poor"])
    assert facts_of(place, artifact)["held_out_accuracy"] is None
