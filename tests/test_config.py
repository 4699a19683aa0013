import dataclasses
import inspect
import json

import pytest
from pydantic import BaseModel

from tasks.canonical import digest
from tasks.config import (
    CellSection,
    Config,
    Section,
    TrainingSection,
    build_config,
    plain_config,
)
from tasks.errors import ConfigError
from tasks.layers import with_overrides
from tasks.variants import kinds, settings_of, variant_class
from tests.small_config import plain_small, small_config

SIMULATED = {"kind": "simulated", "judge": {"kind": "rule"}}


def sections():
    return [Config, *Section.__subclasses__(), CellSection]


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("training__epoch", 2, r"training\.epoch: Extra inputs are not permitted \(got 2\)"),
        ("trainings", {}, "trainings: Extra inputs"),
        ("training__loss__beata", 2, "tasks.losses 'dual_clip_dpo': beata: .*it takes: beta,"),
        ("training__loss", {"kind": "ppo"}, "no kind 'ppo'; available: apo_zero, bmc, cdpo, dpo"),
        ("training__loss", {"beta": 0.1}, "`kind` is missing; available: apo_zero, bmc, cdpo, dpo"),
        ("matrix__large__engine", "vlm", "infra.engines has no kind 'vlm'; available: .*scripted"),
        ("matrix__large__defalt", "x", "infra.engines 'scripted': defalt"),
        ("matrix__large__kind", "x", "infra.engines 'scripted': kind"),
        ("matrix__large__samples", 0, r"matrix\.large\.samples: .*greater than or equal to 1"),
        ("training__learning_rate", "fast", r"training\.learning_rate: .*valid number"),
        ("pairs__filters", [{"kind": "equal_text"}], r"filters\.0: .*no kind 'equal_text'"),
    ],
)
def test_a_wrong_key_kind_or_value_is_named(key, value, message):
    with pytest.raises(ConfigError, match=message):
        small_config(**{key: value})


def test_a_missing_key_is_named():
    data = plain_small()
    del data["training"]["learning_rate"]
    with pytest.raises(ConfigError, match=r"training\.learning_rate: Field required"):
        build_config(data)


@pytest.mark.parametrize("policies", [[], ["policy", "large"]])
def test_exactly_one_cell_is_the_policy(policies):
    models = {f"matrix__{name}__model": "policy" for name in policies}
    other = {"matrix__policy__model": "models/x"} if not policies else {}
    with pytest.raises(ConfigError, match=f"matrix has {len(policies)} cells with `model: policy`"):
        small_config(**models, **other)


def test_the_policy_cell_is_found_whatever_its_name():
    data = plain_small()
    data["matrix"]["mine"] = data["matrix"].pop("policy")
    assert build_config(data).policy_cell == "mine"


def test_judges_and_people_have_names_of_their_own():
    with pytest.raises(ConfigError, match=r"share the names \['main'\]"):
        small_config(annotate__people={"main": SIMULATED})
    with pytest.raises(ConfigError, match="'prior' is reserved"):
        small_config(judges={"prior": {"kind": "rule"}})


def test_the_labelling_judge_may_not_evaluate_under_another_name():
    with pytest.raises(
        ConfigError, match=r"evaluation\.judges\.second is the labelling judge 'main'"
    ):
        small_config(evaluation__judges={"second": {"kind": "rule"}})
    other = small_config(evaluation__judges={"second": {"kind": "rule", "margin": 0.5}})
    assert other.evaluation.judges["second"].margin == 0.5


def test_the_labelling_model_on_another_server_is_still_the_labelling_judge():
    def asks(port):
        return {"kind": "pairwise", "model": "m", "base_url": f"http://127.0.0.1:{port}/v1"}

    with pytest.raises(ConfigError, match="is the labelling judge"):
        small_config(judges={"main": asks(1)}, evaluation__judges={"second": asks(2)})


def test_overrides_replace_by_dotted_key_and_leave_the_preset_alone():
    preset = plain_small()
    before = json.dumps(preset)
    changed = with_overrides(
        preset,
        {"matrix.large.temperature": 1, "training.epochs": 3, "comparisons": {"kind": "all"}},
    )
    config = build_config(changed)
    assert config.matrix["large"].temperature == 1.0
    assert config.training.epochs == 3
    assert config.comparisons.budget is None
    assert json.dumps(preset) == before


def test_an_override_below_a_value_is_refused():
    with pytest.raises(ConfigError, match="'temperature' is a value, not a section"):
        with_overrides(plain_small(), {"matrix.large.temperature.x": 1})


def test_plain_config_comes_back_as_the_same_configuration():
    config = small_config(
        annotate__people={"ann": SIMULATED}, training__betas=[0.9, 0.95], machine__side_by_side=2
    )
    plain = json.loads(json.dumps(plain_config(config)))
    assert plain["matrix"]["large"]["engine"] == "scripted"
    assert plain["matrix"]["large"]["default"] == "x"
    assert build_config(plain) == config
    assert plain_config(build_config(plain)) == plain


def test_no_engine_setting_has_the_name_of_a_setting_of_its_cell():
    own = set(CellSection.model_fields) | {"kind"}
    for kind in kinds("infra.engines"):
        fields = {field.name for field in dataclasses.fields(variant_class("infra.engines", kind))}
        assert fields & own == set(), kind


@pytest.mark.parametrize("section", sections())
def test_every_setting_is_described(section):
    def described(field):
        inner = field.annotation
        nested = inspect.isclass(inner) and (
            issubclass(inner, BaseModel) or dataclasses.is_dataclass(inner)
        )
        return field.description or (nested and inner.__doc__)

    assert section.__doc__
    assert [name for name, field in section.model_fields.items() if not described(field)] == []


def test_configurations_are_frozen():
    with pytest.raises(ValueError, match="frozen"):
        small_config().training.epochs = 3


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("training__device", "cpu"),
        ("training__threads", 2),
        ("training__processes", 2),
        ("training__checkpoint_every", 7),
        ("training__keep_last", 1),
        ("training__stop_seconds", 5.0),
        ("matrix__policy__threads", 1),
        ("prompts__files", ["elsewhere.jsonl"]),
        ("machine__side_by_side", 3),
    ],
)
def test_how_work_is_done_stays_out_of_stage_keys(key, value):
    assert digest(settings_of(small_config(**{key: value}))) == digest(settings_of(small_config()))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("training__epochs", 2),
        ("training__keep_every", 2),
        ("training__loss__beta", 0.2),
        ("matrix__policy__temperature", 0.5),
        ("matrix__policy__dtype", "bfloat16"),
        ("pairs__filters", []),
    ],
)
def test_what_changes_results_is_in_stage_keys(key, value):
    assert digest(settings_of(small_config(**{key: value}))) != digest(settings_of(small_config()))


def test_settings_of_a_section_name_the_kind_and_semantics_of_variants():
    settings = settings_of(small_config().training)
    assert set(TrainingSection.model_fields) - set(settings) == {
        *("device", "threads", "processes", "checkpoint_every"),
        *("deadline_hours", "stalled_minutes"),
        *("keep_last", "stop_seconds", "oversized_trees", "gradient_checkpointing", "references"),
        "learning_rate_shares",
        "noise_rate",
        "teacher",
    }
    assert (settings["loss"]["kind"], settings["loss"]["semantics"]) == ("dual_clip_dpo", 1)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"annotate": {"budget": 0.1, "front_end": "none"}}, "annotate.people names nobody"),
        ({"annotate": {"front_end": "label_studio"}}, "annotate.label_studio is not set"),
        ({"judges": {}}, "every comparison would be dropped"),
        (
            {"evaluation": {"metrics": {"win": {"kind": "win_rate", "judge": "nobody"}}}},
            "asks the judge 'nobody'; evaluation.judges has: none",
        ),
    ],
)
def test_what_could_never_work_is_refused_at_once(changes, said):
    with pytest.raises(ConfigError, match=said):
        small_config(**changes)
