"""What a reference score belongs to: these weights, this tokenizer, these tokens, these numbers."""

import math
import shutil
from dataclasses import replace

import pyarrow as pa
import pytest
from safetensors.torch import load_file, save_file

from infra.arrow_files import write_arrow
from tasks.describe import describe
from tasks.errors import ConfigError, DataError
from tasks.pair_examples import check_scored
from tasks.records import ReferenceScore
from tasks.references import check_scored_by, fingerprint_of
from tasks.score import _checked
from tasks.tables import schema
from tasks.training_data import Tokenised
from tests.opinion_makers import pair
from tests.small_config import small_config
from tests.tiny_models import tiny_model
from tests.training.training_jobs import run_here

IDS = Tokenised(prompts={"p": [1, 2]}, responses={"c": [3, 4], "r": [5]})


def score(name, *logps):
    return ReferenceScore(
        response_id=name,
        reference="ref",
        logp=sum(logps),
        num_tokens=len(logps),
        token_logps=list(logps),
    )


def scores(*made):
    return {one.response_id: one for one in made}


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(tiny_model("llama"), tmp_path / "latest")


def fingerprint(folder, **training):
    return fingerprint_of(describe(folder), small_config(**training).training)


def test_one_weight_changed_at_the_same_path_is_another_reference(folder):
    before = fingerprint(folder)
    tensors = load_file(folder / "model.safetensors")
    tensors["lm_head.weight"][3, 4] += 1e-6
    save_file(tensors, folder / "model.safetensors")
    assert fingerprint(folder) != before == fingerprint(tiny_model("llama"))


@pytest.mark.parametrize("change", [{"training__dtype": "bfloat16"}, {"training__max_tokens": 64}])
def test_another_type_or_length_is_another_reference(folder, change):
    assert fingerprint(folder, **change) != fingerprint(folder)


def test_scores_of_another_reference_are_refused_before_anything_is_trained(folder):
    own, training = describe(folder), small_config().training
    given = scores(score("c", -1)).values()
    mine = [replace(one, reference=fingerprint_of(own, training)) for one in given]
    check_scored_by(own, training, mine)
    with pytest.raises(DataError, match=r"response c was scored by .*redo=\[score\]"):
        check_scored_by(own, training, [*mine, *given])


def test_another_chat_template_is_another_reference(folder):
    before = fingerprint(folder)
    template = folder / "chat_template.jinja"
    template.write_text(template.read_text() + " ")
    assert fingerprint(folder) != before


def test_a_missing_score_is_an_error_not_a_dropped_pair():
    check_scored([pair("c", "r")], IDS, scores(score("c", -1, -2), score("r", -1)), 4)
    with pytest.raises(DataError, match="response r has 1 tokens, its reference score has none"):
        check_scored([pair("c", "r")], IDS, scores(score("c", -1, -2)), 4)


def test_a_score_of_other_tokens_is_an_error():
    with pytest.raises(DataError, match="response c has 2 tokens, its reference score has 1"):
        check_scored([pair("c", "r")], IDS, scores(score("c", -1), score("r", -1)), 4)


def test_a_response_that_does_not_fit_needs_no_score():
    check_scored([pair("c", "r")], IDS, scores(score("r", -1)), 3)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("where", ["logp", "token_logps"])
def test_scores_that_are_no_numbers_are_refused_before_they_are_kept(bad, where, tmp_path):
    row = vars_of(replace(score("c", -1.0, -2.0), **{where: bad if where == "logp" else [bad]}))
    table = schema(ReferenceScore).empty_table().from_pylist([row], schema(ReferenceScore))
    write_arrow(table, tmp_path / "shard.arrow")
    with pytest.raises(DataError, match=rf"ReferenceScore\.{where}.* is -?(nan|inf) in row 0"):
        _checked(tmp_path / "shard.arrow")


def vars_of(record):
    return {name: getattr(record, name) for name in schema(ReferenceScore).names}


def broken_at(folder, token):
    """Score one row with a model whose embedding of `token` is no number."""
    tensors = load_file(folder / "model.safetensors")
    tensors["model.embed_tokens.weight"][token] = math.nan
    save_file(tensors, folder / "model.safetensors")
    rows = [{"response_id": "r", "prompt_ids": [token], "response_ids": [8, 5]}]
    write_arrow(pa.Table.from_pylist(rows), folder / "rows.arrow")
    spec = {"job": "score", "stage": "s", "model": ".", "threads": 1, "reference": "ref"}
    spec |= {"rows": "rows.arrow", "shards": {"0": [0, 1]}, "tokens_per_microbatch": 64}
    return run_here(folder, spec)


def test_a_model_with_a_weight_that_is_no_number_scores_nothing(folder):
    with pytest.raises(DataError, match=r"ReferenceScore\.logp is nan in row 0"):
        broken_at(folder, token=200)
    assert not list((folder / "shards").iterdir())


def test_a_model_that_shows_at_once_that_it_is_broken_is_named(folder):
    with pytest.raises(ConfigError, match="give logits that are no numbers"):
        broken_at(folder, token=7)
