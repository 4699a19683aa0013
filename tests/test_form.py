"""What Prefect's run form offers, and what prefect.yaml fills in; no server is needed to know."""

from importlib import import_module

import pytest
import yaml
from prefect.runtime import flow_run
from prefect.utilities.callables import parameter_schema
from prefect.utilities.schema_tools.validation import ValidationError, validate

from flows.comparison.flow import compare
from flows.evaluation import evaluation
from flows.tso import tso
from infra.prefect.names import laid_over, run_name
from tasks.errors import ConfigError
from tasks.prompts import SPLITS
from tests.sources import ROOT
from tests.whole_runs import error_of

DEPLOYMENTS = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))["deployments"]
ROUNDS = DEPLOYMENTS[0]


def schema(flow):
    """The schema as `prefect deploy` makes it."""
    return parameter_schema(flow).model_dump()


def fields(flow):
    """The form's fields in the order in which they are shown."""
    found = schema(flow)["properties"]
    return sorted(found.items(), key=lambda item: item[1]["position"])


def test_the_form_asks_for_run_preset_recipes_rounds_total_and_overrides():
    assert [(name, field["title"]) for name, field in fields(tso)] == [
        ("run", "Run"),
        ("preset", "Preset"),
        ("recipes", "Recipes"),
        ("rounds", "Rounds to add"),
        ("until", "Reach a total instead?"),
        ("overrides", "Overrides"),
    ]
    assert schema(tso)["required"] == ["run"]


@pytest.mark.parametrize("flow", [tso, evaluation, compare])
def test_every_field_has_a_title_and_says_what_it_is(flow):
    for name, field in fields(flow):
        assert field["title"] != name and len(field["description"]) > 15


@pytest.mark.parametrize("flow", [tso, evaluation])
def test_presets_are_those_there_are_when_it_is_deployed(flow, tmp_path, monkeypatch):
    monkeypatch.setenv("TSO_PRESETS", str(tmp_path))
    (tmp_path / "team.yaml").write_text("run: {}")
    assert schema(flow)["properties"]["preset"]["enum"] == ["quickstart", "team"]
    (tmp_path / "later.yaml").write_text("run: {}")
    assert schema(flow)["properties"]["preset"]["enum"] == ["later", "quickstart", "team"]


@pytest.mark.parametrize("flow", [tso, evaluation])
def test_recipes_are_a_list_in_the_order_in_which_they_are_laid(flow, tmp_path, monkeypatch):
    monkeypatch.setenv("TSO_PRESETS", str(tmp_path))
    (tmp_path / "recipes").mkdir()
    (tmp_path / "recipes" / "own.yaml").write_text("recipe: {}")
    field = schema(flow)["properties"]["recipes"]
    assert field["type"] == "array" and {"own", "rpo"} <= set(field["items"]["enum"])
    asked = {"run": "x", "preset": "quickstart", "recipes": ["rpo", "own"]}
    validate(asked, schema(flow), raise_on_error=True)
    assert laid_over("quickstart", ["rpo", "own"]) == "quickstart+rpo+own"
    assert laid_over("mine.yaml+rpo", None) == "mine.yaml+rpo"


def test_an_empty_field_is_no_default_that_misleads():
    properties = schema(tso)["properties"]
    shown = {name: field.get("default") for name, field in properties.items()}
    assert shown == {
        "run": None,
        "preset": "quickstart",
        "recipes": [],
        "rounds": 1,
        "until": None,
        "overrides": {},
    }
    kinds = [one["type"] for one in properties["until"]["anyOf"]]
    assert kinds == ["null", "integer"], "what is shown first is what is chosen"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"run": "My run"}, "'run'.*does not match"),
        ({"run": ""}, "'run'"),
        ({"preset": "nope"}, "'preset'.*'nope' is not one of"),
        ({"recipes": ["nope"]}, "recipes.*'nope' is not one of"),
        ({"recipes": "rpo"}, "'recipes'.*not of type 'array'"),
        ({"rounds": 0}, "'rounds'.*0 is less than the minimum of 1"),
        ({"rounds": "two"}, "'rounds'.*not of type 'integer'"),
        ({"until": 0}, "'until'"),
        ({"overrides": "training.epochs=2"}, "'overrides'.*not of type 'object'"),
    ],
)
def test_the_server_refuses_a_bad_value_and_names_the_field(given, said):
    asked = {**ROUNDS["parameters"], **given}
    with pytest.raises(ValidationError, match=said):
        validate(asked, schema(tso), raise_on_error=True)


@pytest.mark.parametrize("deployment", DEPLOYMENTS, ids=lambda one: one["name"])
def test_deployments_fill_in_every_field_with_what_the_server_accepts(deployment):
    module, _, name = deployment["entrypoint"].partition(":")
    found = schema(getattr(import_module(module), name))
    schedules = deployment.get("schedules", [])
    started_by_rounds = "stage" in deployment["tags"]
    assert started_by_rounds == ("parameters" not in deployment)
    own = [] if started_by_rounds else [deployment["parameters"]]
    for given in [*own, *(one["parameters"] for one in schedules)]:
        assert list(given) == list(found["properties"])
        validate(given, found, raise_on_error=True)


def test_the_weekly_schedule_runs_once_a_week_and_flow_runs_queue():
    [weekly] = ROUNDS["schedules"]
    assert (weekly["slug"], weekly["active"]) == ("weekly", True)
    assert weekly["cron"].split()[2:] == ["*", "*", "1"]
    assert ROUNDS["concurrency_limit"] == {"limit": 1, "collision_strategy": "ENQUEUE"}


def test_prefect_yaml_names_no_absolute_path():
    text = (ROOT / "prefect.yaml").read_text(encoding="utf-8")
    assert str(ROOT) not in text and "/home" not in text and "/root" not in text
    assert "{{ here.stdout }}" in text


def test_the_form_offers_the_splits_that_prompts_may_have():
    assert schema(evaluation)["properties"]["split"]["enum"] == list(SPLITS)


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ({"run": "weekly", "rounds": 1, "until": None}, "weekly · 1 round more"),
        ({"run": "weekly", "rounds": 3}, "weekly · 3 rounds more"),
        ({"run": "weekly"}, "weekly · 1 round more"),
        ({"run": "weekly", "rounds": 1, "until": 4}, "weekly · until 4 rounds"),
    ],
)
def test_a_flow_run_is_named_after_what_it_was_asked_for(parameters, name, monkeypatch):
    monkeypatch.setitem(flow_run.FIELDS, "parameters", lambda: parameters)
    assert run_name() == name


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_server")
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"preset": "nope"}, "no preset 'nope'; available: quickstart"),
        ({"preset": "nowhere.yaml"}, "no preset 'nowhere.yaml'"),
        ({"recipes": ["nope"]}, "no recipe 'nope'; available:"),
        ({"overrides": {"training.epoch": 2}}, "training.epoch"),
    ],
)
def test_what_only_the_flow_can_know_is_an_error_of_ours(given, said, tmp_path):
    error = error_of(tso(**{"run": "one", **given}, return_state=True))
    assert isinstance(error, ConfigError) and said in str(error)
