"""Judges with models of their own, through the judge door: children, stages, comparisons."""

from itertools import chain

import pytest

from infra.models import local_folder
from infra.place import counts_of, records_of
from infra.work import work_root
from tasks.describe import describe
from tasks.errors import ConfigError
from tasks.records import Verdict
from tasks.tokens import load_tokenizer, render, response_ids
from tests.small_config import small_place
from tests.test_judge_kinds import ANSWERS, PROMPTS, judged
from tests.tiny_models import tiny_model
from tests.tiny_rewards import reward_of, tiny_reward_model

pytestmark = pytest.mark.usefixtures("warm_children")


@pytest.fixture
def place(tmp_path):
    return small_place(root=f"file://{tmp_path}/store", round_index=0, strengths={})


def ids_of(folder, answer):
    tokenizer = load_tokenizer(folder)
    asked = next(one for one in PROMPTS if one.prompt_id == answer.prompt_id)
    return render(tokenizer, asked.messages), response_ids(tokenizer, answer.text, finished=True)


def test_rewards_become_scores_and_comparisons(place, tmp_path):
    folder = tiny_reward_model(tmp_path / "reward")
    settings = {"model": str(folder), "threads": 1, "tokens_per_batch": 40}
    artifact, made = judged(place, "reward_model", **settings)
    rows = {one.response_id: [*chain(*ids_of(folder, one))] for one in ANSWERS}
    wanted = {name: reward_of(folder, ids) for name, ids in rows.items()}
    scores = {one.a_id: one.score for one in made if one.outcome == "scored"}
    assert scores == pytest.approx(wanted, abs=1e-5)
    compared = [one for one in made if one.b_id]
    assert len(compared) == 18
    for one in compared:
        assert (one.outcome == "b") == (wanted[one.b_id] > wanted[one.a_id])
    assert counts_of(place, artifact)["scored"] == 9
    children = len(list(work_root().rglob("spec.json")))
    _, cooler = judged(place, "reward_model", temperature=0.1, **settings)
    assert len(list(work_root().rglob("spec.json"))) == children  # the numbers were there
    sure = {(one.a_id, one.b_id, one.first_shown): one.strength for one in cooler if one.b_id}
    assert all(sure[one.a_id, one.b_id, one.first_shown] > one.strength for one in compared)


def logp_of(folder, answer):
    import torch
    import transformers

    asked, ids = ids_of(folder, answer)
    model = transformers.AutoModelForCausalLM.from_pretrained(folder).eval()
    with torch.no_grad():
        logits = model(input_ids=torch.tensor([asked + ids])).logits[0].double()
    logps = logits.log_softmax(-1)
    return sum(float(logps[len(asked) - 1 + n, token]) for n, token in enumerate(ids))


def test_an_implicit_reward_is_the_scaled_log_ratio_of_two_models(tmp_path):
    policy, sft = (describe(local_folder(str(tiny_model(seed=seed)))) for seed in (1, 0))
    place = small_place(
        root=f"file://{tmp_path}/store", round_index=1, strengths={}, sft=sft, reference=sft,
        policies={0: policy},
    )  # fmt: skip
    settings = {"policy": "round:0", "beta": 0.5, "threads": 1}
    _, made = judged(place, "implicit_reward", **settings)
    wanted = {
        one.response_id: 0.5 * (logp_of(policy.uri, one) - logp_of(sft.uri, one)) for one in ANSWERS
    }
    scores = {one.a_id: one.score for one in made if one.outcome == "scored"}
    assert scores == pytest.approx(wanted, abs=1e-4)
    assert {one.scale for one in made if one.outcome == "scored"} == {"implicit_reward"}


def test_a_response_that_is_too_long_has_no_score(place, tmp_path):
    folder = tiny_reward_model(tmp_path / "reward")
    artifact, _ = judged(place, "reward_model", model=str(folder), threads=1, max_tokens=3)
    assert counts_of(place, artifact) == {"verdicts": 27, "unparsed": 27}
    assert {one.score for one in records_of(place, Verdict, artifact)} == {None}


def test_models_that_read_texts_differently_have_no_log_ratio(place):
    models = {"policy": str(tiny_model()), "reference": str(tiny_model(bos=True))}
    with pytest.raises(ConfigError, match="other tokenizers or chat templates"):
        judged(place, "implicit_reward", **models)


def test_one_model_twice_has_no_log_ratio(place):
    with pytest.raises(ConfigError, match="policy and reference are both 'sft'"):
        judged(place, "implicit_reward", policy="sft")
