import pytest

from tasks.errors import ConfigError
from tasks.model_matrix import evaluated_name, evaluation_cells, matrix_cells, own_cells
from tests.small_config import checkpoint, small_config, small_place


def cells(place=None, **overrides):
    return matrix_cells(
        small_config(**overrides).matrix,
        place or small_place(),
        describe=lambda model: checkpoint(f"described {model}"),
        fingerprint=lambda cell: cell.engine.fingerprint(cell.model),
    )


def weights(name, model, **place):
    other = {"engine": "transformers", "model": model}
    return cells(small_place(**place), **{f"matrix__{name}": other})[name].fingerprint


def test_the_policy_cell_samples_the_rounds_reference():
    policy = cells()["policy"]
    assert (policy.fingerprint, policy.origin) == ("one", "policy")
    assert policy.checkpoint == checkpoint("one")


def test_a_cell_may_hold_an_earlier_policy_or_any_other_model():
    assert weights("old", "round:0") == "zero"
    assert weights("old", "round:7") == "sft"
    assert weights("big", "org/big") == "described org/big"


def test_a_cell_may_hold_an_average_of_the_policies():
    some = {0.5: checkpoint("half"), 0.9: checkpoint("slow")}
    assert weights("old", "ema", averages=some) == "half"
    assert weights("old", "ema:0.5", averages=some) == "half"
    assert weights("old", "ema:0.9", averages=some) == "slow"
    assert weights("old", "ema") == "sft", "before there is a policy"


@pytest.mark.parametrize("model", ["ema:", "ema:1", "ema:-0.1", "ema:much"])
def test_an_average_keeps_a_share_below_all(model):
    with pytest.raises(ConfigError, match=f"matrix.old.model is {model!r}; write ema, or ema:G"):
        weights("old", model)


@pytest.mark.parametrize("model", ["round:", "round:last", "round:-1"])
def test_an_earlier_round_needs_a_number(model):
    with pytest.raises(ConfigError, match=f"matrix.old.model is {model!r}; write round:N"):
        weights("old", model)


def test_a_cell_without_weights_is_known_by_its_engine():
    large = cells()["large"]
    assert large.checkpoint is None
    assert large.fingerprint != cells(matrix__large__default="y")["large"].fingerprint


@pytest.mark.parametrize(
    ("key", "value", "same"),
    [
        ("strength", 7, True),
        ("samples", 5, True),
        ("origin", "recorded", True),
        ("temperature", 0.1, False),
        ("max_tokens", 9, False),
        ("system", "Be brief.", False),
        ("revision", "2", False),
        ("default", "y", False),
    ],
)
def test_the_digest_of_a_cell_is_what_decides_its_responses(key, value, same):
    changed = cells(**{f"matrix__large__{key}": value})["large"].digest
    assert (changed == cells()["large"].digest) == same


def test_the_digest_does_not_know_the_name_of_the_cell():
    twin = {"engine": "scripted", "default": "x", "temperature": 0.7}
    renamed = cells(matrix__large=None, matrix__twin=twin)
    assert renamed["twin"].digest == cells()["large"].digest


def test_two_cells_that_bring_the_same_responses_are_refused():
    twin = {"engine": "scripted", "default": "x", "temperature": 0.7}
    with pytest.raises(ConfigError, match=r"matrix.twin and matrix.large bring the same responses"):
        cells(matrix__twin=twin)


@pytest.mark.parametrize(
    ("policy", "reference", "sft", "expected"),
    [
        ("a", "b", "c", ["policy", "reference", "sft"]),
        ("a", "b", "b", ["policy", "reference"]),
        ("a", "a", "b", ["policy", "sft"]),
        ("a", "a", "a", ["policy"]),
    ],
)
def test_equal_weights_answer_evaluation_prompts_once(policy, reference, sft, expected):
    place = small_place(reference=checkpoint(reference), sft=checkpoint(sft))
    made = evaluation_cells(small_config(), checkpoint(policy), place)
    assert list(made) == expected


def test_evaluation_is_greedy_and_asks_once():
    config = small_config(matrix__policy__top_p=0.5, matrix__policy__max_tokens=7)
    made = evaluation_cells(config, checkpoint("new"), small_place())
    settings = made["policy"].settings
    assert (settings.temperature, settings.samples, settings.top_p) == (0.0, 1, 1.0)
    assert settings.max_tokens == 7
    assert made["policy"].name == evaluated_name(checkpoint("new").sha256)


def test_a_judges_own_cells_are_those_of_its_model():
    judge = {"kind": "pairwise", "model": "org/large", "base_url": "http://host/v1"}
    config = small_config(
        judges={"main": judge, "rule": {"kind": "rule"}},
        matrix__large__model="org/large",
    )
    assert own_cells(config) == {"main": ["large"]}
    assert own_cells(small_config()) == {}
