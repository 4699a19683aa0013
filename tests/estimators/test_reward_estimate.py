"""A reward model as the estimator: what it learns, who can use it, and that a kill costs little."""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from infra.models import checkpoint_folder
from infra.place import blocks_of, counts_of, facts_of, store_of
from infra.work import work_root
from tasks import estimate_scores
from tasks.describe import describe
from tasks.errors import ConfigError
from tasks.estimate_scores import checkpoint_of
from tasks.estimates import PASS
from tasks.records import Artifact, Place
from tasks.references import estimator_base, place_model
from tasks.uncertainty import uncertainties
from tests.estimators.estimate_world import PROMPTS, TEXTS, by_word, done, model_of
from tests.estimators.killed_fits import (
    KEPT,
    SETTINGS,
    SHARD,
    dies_fitting,
    dies_scoring,
    place_of,
    steps_kept,
)
from tests.killed import killed
from tests.tiny_models import tiny_model
from tests.tiny_rewards import reward_of
from tests.whole_runs import items

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("warm_children")]


class Calm(NamedTuple):
    """An undisturbed estimate."""

    place: Place
    artifact: Artifact
    verdicts: list[Any]
    items: list[tuple[str, str]]
    manifests: dict[str, bytes]


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr("infra.model_scores.SHARD_ROWS", SHARD)


@pytest.fixture(scope="module")
def calm(warm_children, tmp_path_factory):
    folder = tmp_path_factory.mktemp("calm")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TSO_WORK", str(folder / "work"))
        patch.setattr("infra.model_scores.SHARD_ROWS", SHARD)
        place = place_of(folder / "store", str(tiny_model()))
        made = done(place, "reward_model", **SETTINGS)
        return Calm(place, *made, items(), manifests(place))


def manifests(place):
    """Every manifest of the verb, byte for byte."""
    store = store_of(place)
    found = [path for path in store.list("stages/estimate") if path.endswith("manifest.json")]
    return {path: store.read(path) for path in found}


def test_a_reward_model_learns_and_scores(calm):
    place, artifact, made, *_ = calm
    scores = by_word(made)
    assert min(scores["good"]) > max(scores["poor"])
    assert counts_of(place, artifact) == {"scored": 36, "passes": 144, "compared": 72}
    model = model_of(place)
    facts, counts = facts_of(place, model), counts_of(place, model)
    assert counts["pairs"] == 36 and counts["fitted"] + counts["held_out"] == 36
    assert facts_of(place, artifact)["sha256"] == facts["sha256"]
    if counts["held_out"]:
        assert facts["held_out_accuracy"] == 1.0


def test_nothing_is_learned_again_for_other_opinions_of_the_same_model(calm):
    again, _ = done(calm.place, "reward_model", **SETTINGS | {"compares": "none"})
    assert again.content != calm.artifact.content
    assert not list(work_root().rglob("child.pid"))


def test_its_number_for_a_conversation_is_what_transformers_computes_from_the_folder(calm):
    from tasks.tokens import load_tokenizer, render, response_ids

    weights = checkpoint_of(calm.place, model_of(calm.place))
    folder = checkpoint_folder(weights, calm.place.storage)
    tokenizer = load_tokenizer(folder)
    ids = render(tokenizer, PROMPTS[0].messages) + response_ids(tokenizer, TEXTS["good"], True)
    [said] = [
        one.score
        for one in calm.verdicts
        if one.a_id == "good-p00" and one.criterion == "overall" and not one.b_id
    ]
    assert reward_of(Path(folder), ids) == pytest.approx(said, abs=1e-4)


def test_judges_and_estimators_of_later_rounds_can_name_it(calm):
    weights = checkpoint_of(calm.place, model_of(calm.place))
    later = replace(calm.place, round_index=1, estimators={0: weights})
    assert place_model("a judge's reward", "estimator:0", later, describe) == weights
    assert estimator_base("former", later, describe) == weights
    assert estimator_base("former", calm.place, describe) == calm.place.sft
    with pytest.raises(ConfigError, match=r"round 1 has left no reward model.*estimator:0"):
        place_model("a judge's reward", "estimator:1", later, describe)


def test_its_passes_are_unsure(calm):
    assert {one.replicate for one in calm.verdicts if one.criterion == PASS} == {0, 1, 2, 3}
    found = uncertainties(calm.verdicts)
    assert len(found) == 36 and max(found.values()) > 0


def test_killed_fitting_and_scoring_it_goes_on_and_ends_like_an_undisturbed_one(
    calm, tmp_path, monkeypatch
):
    store, model = tmp_path / "store", str(tiny_model())
    killed(dies_fitting, tmp_path / "one", store, model)
    kept = steps_kept(store)
    killed(dies_scoring, tmp_path / "two", store, model)  # a machine that holds nothing of the fit
    monkeypatch.setenv("TSO_WORK", str(tmp_path / "two"))
    place = place_of(store, model)
    artifact, made = done(place, "reward_model", **SETTINGS)
    assert made == calm.verdicts and artifact.content == calm.artifact.content
    assert manifests(place) == calm.manifests
    first, second = items(tmp_path / "one"), items(tmp_path / "two")
    assert {*first, *second} == set(calm.items)
    steps, scored = (
        [item for _, item in second if item.startswith("step-") == wanted]
        for wanted in (True, False)
    )
    assert steps == [f"step-{number}" for number in range(kept + 1, len(steps) + kept + 1)]
    assert kept >= KEPT and len(steps) == len(set(steps))
    times = Counter(scored)
    assert [times[one] for one in scored[:SHARD]] == [1] * SHARD, "its shard was in the store"
    assert len(times) == 3 * len(PROMPTS)


def test_responses_are_tokenised_and_scored_a_range_of_prompts_at_a_time(tmp_path, monkeypatch):
    place = place_of(tmp_path / "store", str(tiny_model()))
    settings = SETTINGS | {"fit": SETTINGS["fit"] | {"epochs": 1}, "passes": 2}
    _, whole = done(place, "reward_model", **settings | {"compares": "none"})
    assert scored_ranges(place) == 1
    monkeypatch.setattr(
        estimate_scores, "blocks_of", lambda place, of, **tables: blocks_of(place, of, 5, **tables)
    )
    _, parts = done(place, "reward_model", **settings | {"compares": "compared"})
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


def test_west_of_n_fits_a_second_model_to_what_the_first_one_labels(tmp_path):
    place = place_of(tmp_path / "store", str(tiny_model()))
    rows = [
        {"prompt": f"Tell {n}.", "chosen": TEXTS["good"], "rejected": TEXTS["poor"]}
        for n in range(8)
    ]
    file = tmp_path / "human.jsonl"
    file.write_text("".join(json.dumps(one) + "\n" for one in rows), encoding="utf-8")
    settings = {
        "fit": SETTINGS["fit"], "passes": 0, "threads": 1, "max_tokens": 64, "verdicts": False,
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
