"""Settings of labels that cannot work are refused before anything is asked."""

import pytest

from tasks.errors import ConfigError
from tests.small_config import small_config

LABELS = {"kind": "win_share"}
EDIT = {"kind": "edit_rejected", "writer": {"engine": "scripted", "default": "a fig"}}
ALONE = {
    "pairs": {"labels": LABELS},
    "training__loss": {"kind": "kto"},
}


def test_labels_alone_are_enough_to_train_on():
    config = small_config(**ALONE)
    assert config.pairs.rule is None and config.pairs.labels.against == "policy"


def test_every_response_needs_nobodys_opinion():
    said_by_nobody = {"judges": {}, "pairs": {"labels": {"kind": "every_response"}}}
    assert not small_config(**said_by_nobody, training__loss={"kind": "sft"}).judges
    with pytest.raises(ConfigError, match="no judges, people or verdict files"):
        small_config(judges={}, **ALONE)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"pairs": {"filters": []}}, r"pairs.rule is null and so is pairs.labels"),
        ({"pairs__labels": LABELS}, r"'dual_clip_dpo' trains on pairs and would read no label"),
        (
            {"pairs": {"labels": LABELS, "filters": [{"kind": "truncated"}]}},
            r"pairs.filters has 'truncated'",
        ),
        ({"pairs__labels": LABELS}, "'already_solved', but the round trains on the labels"),
        ({"pairs": {"labels": LABELS}, "quotas__retire_after": 2}, "quotas.retire_after counts"),
        (
            {"pairs": {"labels": LABELS}, "transforms": [EDIT]},
            "transforms has 'edit_rejected'",
        ),
        ({"pairs": {"labels": {"kind": "wins"}}}, "tasks.label_rules has no kind 'wins'"),
    ],
)
def test_what_would_have_no_effect_is_refused(changes, said):
    loss = {} if "dual_clip" in said else {"training__loss": {"kind": "kto"}}
    with pytest.raises(ConfigError, match=said):
        small_config(**loss, **changes)


def thumbs(**labels):
    return {"pairs": {"labels": {"kind": "thumbs", **labels}}, "training__loss": {"kind": "kto"}}


def test_thumbs_need_people_or_judges_that_give_scores():
    with pytest.raises(ConfigError, match="nobody gives a thumb"):
        small_config(**thumbs())
    assert small_config(**thumbs(), annotate__verdict_files=["thumbs.jsonl"])
    assert small_config(**thumbs(judges={"main": 0.5}))
    with pytest.raises(ConfigError, match=r"names 'other', which gives no scores.*: main"):
        small_config(**thumbs(judges={"other": 0.5}))
    table = {"kind": "recorded", "files": ["thumbs.jsonl"]}
    assert small_config(**thumbs(), judges__old={**table, "by": "human"})
    with pytest.raises(ConfigError, match="nobody gives a thumb"):
        small_config(**thumbs(), judges__old=table)
    pairwise = {"kind": "simulated", "name": "s", "judge": {"kind": "rule"}}
    with pytest.raises(ConfigError, match=r"names 'main', which gives no scores.*: none"):
        small_config(**thumbs(judges={"main": 0.5}), judges__main=pairwise)
