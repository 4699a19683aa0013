"""What a configuration with transforms is refused for, and what leaves keys as they were."""

import json

import pytest

from tasks.config import build_config, plain_config
from tasks.errors import ConfigError
from tasks.variants import load_variant, settings_of
from tests.small_config import small_config

POLICY = {"engine": "transformers", "model": "policy", "max_tokens": 4}
SCRIPTED = {"engine": "scripted", "default": "x"}


@pytest.mark.parametrize(
    ("transforms", "more", "said"),
    [
        ([{"kind": "regenerate_segment", "writer": SCRIPTED}], {},
         r"transforms\.0\.writer has engine 'scripted'.*take transformers or vllm"),
        ([{"kind": "degrade", "num_degrees": 4}],
         {"training__loss": {"kind": "spo_degree", "loss": {"kind": "dpo"}}},
         r"num_degrees is 4, but the loss 'spo_degree' tells 3 degrees apart"),
        ([{"kind": "degrade"}], {"matrix__degrade": SCRIPTED}, r"matrix\.degrade has the name of"),
        ([{"kind": "edit_rejected", "writer": {**SCRIPTED, "samples": 2}}], {}, "samples"),
        ([{"kind": "edit_rejected", "refusals": ["("]}], {}, "is no regular expression"),
        ([{"kind": "rewrite"}], {}, "no kind 'rewrite'; available: degrade, edit_rejected"),
        ([{"kind": "edit_rejected", "writer": {"engine": "openai", "base_url": "http://x/v1"}}],
         {"budget__usd_per_run": 1.0}, r"what transforms\.0\.writer costs is not known"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_refused_before_anything_is_sampled(transforms, more, said):
    with pytest.raises(ConfigError, match=said):
        small_config(transforms=transforms, **more)


def test_a_loss_is_fed_by_the_transform_that_it_names():
    segment = {"kind": "sapo_dpo", "tokens": "segment"}
    with pytest.raises(ConfigError, match="kind: regenerate_segment"):
        small_config(training__loss=segment, transforms=[{"kind": "degrade"}])
    writers = [{"kind": "regenerate_segment", "writer": POLICY}]
    assert small_config(training__loss=segment, transforms=writers)


def test_transforms_are_written_back_as_they_came():
    given = [{"kind": "edit_rejected", "writer": SCRIPTED, "guard": {"kind": "rule"}}]
    config = small_config(transforms=given)
    written = json.loads(json.dumps(plain_config(config)))
    assert written["transforms"][0]["writer"]["engine"] == "scripted"
    assert written["transforms"][0]["writer"]["default"] == "x"
    assert build_config(written) == config


def test_a_setting_that_came_later_is_in_keys_only_where_it_is_set():
    before = settings_of(load_variant("tasks.losses", "bmc"))
    assert set(before) == {"kind", "semantics", "beta", "extra_weight_cap", "as_released"}
    stops = settings_of(load_variant("tasks.losses", "bmc", stop_words="english"))
    assert stops == before | {"stop_words": "english"}
