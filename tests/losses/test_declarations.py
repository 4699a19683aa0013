"""What losses declare of themselves is true."""

from dataclasses import replace

import pytest
import torch
from loss_batches import at_reference, drawn_batch, rewards_batch
from loss_cases import CASES, loss_of, name_of

from tasks.errors import ConfigError, DataError
from tasks.losses._contract import needs_of
from tasks.variants import kinds, variant_class
from tests.sources import ROOT

KTO = {"loss": {"kind": "kto"}}
KINDS = kinds("tasks.losses")
EXAMPLES = {kind: loss_of(kind, **variant_class("tasks.losses", kind).EXAMPLE) for kind in KINDS}


def test_a_batch_of_the_tests_holds_the_columns_it_is_given():
    columns = rewards_batch([(1.0, 0.0), (2.0, 0.0)], margin=[1.0, 0.25]).columns
    assert {name: column.tolist() for name, column in columns.items()} == {"margin": [1.0, 0.25]}


@pytest.mark.parametrize(
    "case", [case for case in CASES if loss_of(**case).AT_REFERENCE is not None], ids=name_of
)
def test_the_loss_is_what_it_says_where_the_policy_is_the_reference(case):
    loss = loss_of(**case)
    batch = at_reference(drawn_batch(loss))
    assert loss(batch).loss.tolist() == pytest.approx([loss.AT_REFERENCE] * 4)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if EXAMPLES[kind].NEUTRAL is not None])
@pytest.mark.parametrize("seed", range(3))
def test_the_neutral_settings_make_it_dpo_to_the_last_bit(kind, seed):
    neutral = loss_of(kind, **EXAMPLES[kind].NEUTRAL)
    batch = drawn_batch(neutral, seed, references=1)
    assert torch.equal(neutral(batch).loss, loss_of("dpo")(batch).loss)


def test_what_a_loss_needs_is_told_in_words():
    assert needs_of(loss_of("dpo")) == ()
    assert needs_of(loss_of("mmpo")) == ("column p_chosen",)
    assert needs_of(loss_of("mmpo", margin_scale=1.0)) == ("column margin",)
    assert needs_of(loss_of("kto")) == (
        "column desirable",
        "response mismatched",
        "batch statistics",
    )
    assert needs_of(loss_of("sapo_dpo", tokens="segment")) == (
        "token column chosen.segment",
        "token column rejected.segment",
    )
    assert needs_of(loss_of("spo_degree", loss={"kind": "mrpo"})) == (
        "several references",
        "auxiliary head",
    )


def test_settings_without_effect_need_nothing():
    assert needs_of(loss_of("selm", alpha=0)) == ()
    assert needs_of(loss_of("upo", alpha_max=0)) == ()
    assert needs_of(loss_of("upo", alpha_max=0, as_released=True)) != ()
    assert needs_of(loss_of("spo_degree", loss={"kind": "dpo"}, weight=0)) == ()
    assert not loss_of("inverse_q", clip=None).USES_REFERENCE


@pytest.mark.parametrize(
    ("kind", "left_out", "said"),
    [
        ("mmpo", "columns", "needs 'p_chosen', a column with one number for each example"),
        ("selm", "others", "needs 'explored', a further response of each example"),
        ("spo_degree", "degrees", "needs degraded variants"),
        ("dpo", "rejected", "needs pairs"),
    ],
)
def test_what_a_batch_lacks_is_named(kind, left_out, said):
    empty = {"columns": {}, "others": {}, "degrees": None, "rejected": None}
    batch = replace(drawn_batch(EXAMPLES[kind]), **{left_out: empty[left_out]})
    with pytest.raises(DataError, match=said):
        EXAMPLES[kind](batch)


def test_token_columns_and_references_that_a_batch_lacks_are_named():
    bare = drawn_batch(loss_of("sft"))
    with pytest.raises(DataError, match="needs 'teacher', a column with one number for each token"):
        loss_of("inverse_q")(bare)
    with pytest.raises(DataError, match=r"mrpo takes 3 references by its weights .* have 2"):
        loss_of("mrpo", weights=(0.2, 0.3, 0.5))(drawn_batch(loss_of("mrpo")))
    with pytest.raises(DataError, match=r"mrpo takes 2 references .* the examples have 3"):
        loss_of("mrpo", as_released=True)(drawn_batch(loss_of("mrpo"), references=3))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"kind": "label_smoothing", "loss": {"kind": "sft"}}, "'sft' trains on response_only"),
        ({"kind": "label_smoothing", "loss": {"kind": "kto"}}, "'kto' trains on unpaired"),
        ({"kind": "label_smoothing", "loss": {"kind": "mmpo"}}, "soft labels already .*p_chosen"),
        ({"kind": "length_desensitised", "loss": {"kind": "sft"}}, "needs a loss on pairs"),
        ({"kind": "spo_degree", "loss": {"kind": "inverse_q"}}, "needs a loss on pairs"),
        (
            {"kind": "weighted_sum", "terms": {"a": KTO, "b": {"loss": {"kind": "sft"}}}},
            "kto on unpaired, sft on response_only examples",
        ),
        ({"kind": "weighted_sum", "terms": {}}, "at least 1 item"),
        ({"kind": "mrpo", "weights": (0.5, 0.6)}, "weights sum to 1.1"),
        ({"kind": "mrpo", "weights": (0.2, 0.3, 0.5), "as_released": True}, "weights has 3"),
    ],
)  # fmt: skip
def test_what_does_not_go_together_is_refused_at_once(settings, said):
    with pytest.raises(ConfigError, match=said):
        loss_of(**settings)


def test_two_heads_are_one_too_many():
    one = {"kind": "spo_degree", "loss": {"kind": "dpo"}}
    with pytest.raises(ConfigError, match="has a head already"):
        loss_of("spo_degree", loss=one)
    with pytest.raises(ConfigError, match="both have a head"):
        loss_of("weighted_sum", terms={"a": {"loss": one}, "b": {"loss": one}})


def test_the_page_has_a_row_for_every_loss_with_what_it_needs():
    page = (ROOT / "docs/losses.md").read_text(encoding="utf-8")
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    for kind, loss in EXAMPLES.items():
        row = next((line for line in rows if line.startswith(f"| `{kind}` |")), "")
        needs = row.split("|")[3] if row else ""
        assert row and [need for need in needs_of(loss) if need not in needs] == [], kind
        assert ("no reference" in needs) != loss.USES_REFERENCE, kind
