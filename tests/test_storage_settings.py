"""The section `storage`: what it refuses, and that it goes wherever a store is opened."""

import ast

import pytest

from tasks.claims import changed_keys, round_config
from tasks.config import build_config, plain_config, storage_of
from tasks.errors import ConfigError
from tests.small_config import plain_small
from tests.sources import CODE, calls, sources


def test_a_store_is_opened_with_all_settings_not_by_its_root_alone():
    found = [
        f"{path}:{call.lineno} opens a store by {ast.unparse(call.args[0])}"
        for path in sources(*CODE, "benchmarks")
        for call, name in calls(path)
        if name == "open_store" and ast.unparse(call.args[0]).endswith(".root")
    ]
    assert found == []


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        (
            {"endpoint": "s3.example.org"},
            "storage.endpoint is 's3.example.org'; it has to be a URL",
        ),
        ({"endpoint": "https://me:hunter2@host"}, "storage.endpoint holds an @"),
        ({"proxy": "http://me:hunter2@host"}, "storage.proxy holds an @ .* HTTPS_PROXY"),
        ({"kms_key": "k"}, "storage.kms_key is set, but storage.encryption is None"),
        ({"encryption": "aes"}, "encryption: Input should be 'sse-s3' or 'sse-kms'"),
        ({"credentials": "keys"}, "it names a Prefect block: secret/NAME"),
        ({"credentials": "secret/a", "profile": "b"}, "both say where keys come from"),
        ({"ca_bundle": "x", "verify": False}, "leave one of them out"),
        ({"cache_gib": -1}, "cache_gib"),
        ({"regions": "x"}, "regions.*allowed here: root, endpoint, region"),
        ({"secret_access_key": "hunter2"}, "secret_access_key.*a value that is not shown"),
    ],
)
def test_a_setting_that_cannot_be_is_named_and_no_secret_is_repeated(settings, told):
    preset = plain_small()
    preset["storage"] |= settings
    with pytest.raises(ConfigError, match=told) as caught:
        build_config(preset)
    assert "hunter2" not in str(caught.value)


def test_the_settings_come_back_from_a_recorded_configuration():
    preset = plain_small()
    preset["storage"] |= {"endpoint": "https://s3.example.org", "encryption": "sse-kms"}
    config = build_config(preset)
    assert build_config(plain_config(config)) == config


def test_another_store_is_reached_as_this_one_but_for_what_is_said():
    assert storage_of({"root": "s3://a/b", "profile": "team"}).profile == "team"
    with pytest.raises(ConfigError, match=r"storage: profil: .*it takes: root, endpoint"):
        storage_of({"root": "s3://a/b", "profil": "team"})


def test_settings_of_the_store_may_change_in_the_middle_of_a_round():
    before, after = plain_small(), plain_small(storage__region="eu-central-1")
    recorded = {"config": before, "redo": {}, "redo_by": []}
    assert changed_keys(before, after) == ["storage.region"]

    class Claimed:
        flow_run_id = "f"

    assert round_config(recorded, after, (), Claimed, 0)["config"] == after
