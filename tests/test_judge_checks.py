"""What is looked at of judges before a run begins."""

import pytest

from tasks.errors import ConfigError
from tasks.preflight import Outside, checks_of
from tests.small_config import checkpoint, small_config

MODELS = {"models/sft": 512, "models/reward": 128}


def described(name):
    if name not in MODELS:
        raise ConfigError(f"no model folder at {name!r}")
    return checkpoint(name)


def keyed(variable):
    if variable == "UNSET":
        raise ConfigError("api_key_env names 'UNSET', which is not set in the environment")


OUTSIDE = Outside(
    store=lambda: "memory://small",
    describe=described,
    positions=MODELS.get,
    key=keyed,
    rows=lambda sources, check: None,
    weights=lambda model: "",
    server=lambda settings: None,
    deployment=lambda name, needs_worker: f"{name}, needed: {needs_worker}",
)


def looked_at(**judge):
    """What the check of judge `main` says."""
    config = small_config(judges={"main": judge})
    return next(one for one in checks_of(config, OUTSIDE) if one.name == "judges.main").look()


def test_a_reward_model_must_be_there_and_read_what_it_is_shown():
    assert looked_at(kind="reward_model", model="models/reward", max_tokens=128).endswith(
        "reward models/reward"
    )
    with pytest.raises(ConfigError, match="no model folder at 'models/none'"):
        looked_at(kind="reward_model", model="models/none")
    with pytest.raises(ConfigError, match=r"judges.main.max_tokens is 129, but the model in mod"):
        looked_at(kind="reward_model", model="models/reward", max_tokens=129)


def test_models_of_rounds_are_taken_for_what_the_run_starts_from():
    said = looked_at(kind="implicit_reward", policy="round:3", max_tokens=512)
    assert said.endswith("policy round:3, reference sft")
    with pytest.raises(ConfigError, match=r"judges.main.policy is 'round:x'; write round:N"):
        looked_at(kind="implicit_reward", policy="round:x", max_tokens=512)


def test_every_member_of_a_panel_is_looked_at():
    asks = {"kind": "pairwise", "model": "m", "base_url": "http://h/v1"}
    members = {"one": asks, "two": {**asks, "kind": "likert", "api_key_env": "SET"}}
    said = looked_at(kind="panel", members=members)
    assert "one: pairwise" in said and "two: likert" in said and "the key in SET" in said
    with pytest.raises(ConfigError, match="names 'UNSET'"):
        looked_at(kind="panel", members={**members, "three": {**asks, "api_key_env": "UNSET"}})


def test_a_judge_that_works_elsewhere_has_its_key_there():
    asks = {"kind": "pairwise", "model": "m", "base_url": "http://h/v1", "api_key_env": "UNSET"}
    sent = {"storage__root": "s3://bucket/tso", "placement__judge": "cpu"}
    config = small_config(judges={"main": asks}, **sent)
    checks = {one.name: one for one in checks_of(config, OUTSIDE)}
    assert checks["judges.main"].look().endswith("m with the key in UNSET")
    assert checks["placement.judge"].look() == "tso-judge/cpu, needed: True"
    waits = small_config(**sent, placement__wait_for_workers=True)
    [check] = [one for one in checks_of(waits, OUTSIDE) if one.name == "placement.judge"]
    assert check.look() == "tso-judge/cpu, needed: False"


def test_a_transforms_writer_that_works_elsewhere_has_its_key_there():
    writer = {"engine": "openai", "model": "m", "base_url": "http://h/v1", "api_key_env": "UNSET"}
    edits = [{"kind": "edit_rejected", "writer": writer}]

    def look(**placement):
        config = small_config(transforms=edits, storage__root="s3://bucket/tso", **placement)
        checks = {one.name: one for one in checks_of(config, OUTSIDE)}
        return checks["transforms.0.writer"].look()

    with pytest.raises(ConfigError, match="names 'UNSET'"):
        look()
    assert look(placement__transform="cpu") == "openai, m"
