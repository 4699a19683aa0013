"""What a round gives losses beyond pairs: checked by hand on a few responses."""

import math
from dataclasses import replace

import pyarrow as pa
import pytest

from tasks.further_responses import crossed_id, explored_responses, mismatched_responses
from tasks.pair_examples import pair_examples, reference_logps
from tasks.records import Label, ReferenceScore, TrainingExample
from tasks.side_table import joined
from tasks.supplies import Supplies, edited
from tasks.tables import to_table
from tasks.training_data import Tokenised, score_rows
from tasks.uncertainty import bald, uncertainties
from tasks.unpaired import labelled_examples, unpaired_examples, wanted_examples
from tasks.variants import load_variant
from tests.opinion_makers import both, pair, person, response, verdict

PROMPTS = {"p": [1, 2], "q": [3], "s": [4]}
TOKENS = {"a": [5, 6], "b": [6], "c": [7], "d": [8, 9], "e": [10], "f": [11], "void": []}
OWNER = {"a": "p", "b": "p", "c": "p", "d": "q", "e": "q", "f": "s", "void": "q"}
IDS = Tokenised(prompts=PROMPTS, responses=TOKENS)
RESPONSES = {name: response(name, name, prompt_id=owner) for name, owner in OWNER.items()}
PAIRS = [
    pair("a", "b"), pair("b", "c"), pair("d", "e", prompt_id="q"), pair("f", "f2", prompt_id="s"),
]  # fmt: skip
TOKENS["f2"] = [12]


def scored(*ids, each=-1.0, tokens=None):
    found = {one: (tokens or TOKENS)[one.partition("@")[0]] for one in ids}
    return {
        one: ReferenceScore(
            response_id=one,
            reference="ref",
            logp=each * len(some),
            num_tokens=len(some),
            token_logps=[each] * len(some),
        )
        for one, some in found.items()
    }


def test_each_response_is_mismatched_to_the_next_prompt_counted_round():
    assert mismatched_responses(PAIRS, TOKENS) == {
        ("p", "a"): "d", ("p", "b"): "e", ("p", "c"): "d",
        ("q", "d"): "f", ("q", "e"): "f2",
        ("s", "f"): "a", ("s", "f2"): "b",
    }  # fmt: skip


def test_an_empty_response_is_mismatched_to_nothing_and_a_single_prompt_has_none():
    pairs = [pair("a", "b"), pair("void", "d", prompt_id="q")]
    assert mismatched_responses(pairs, TOKENS) == {
        ("p", "a"): "d", ("p", "b"): "d", ("q", "d"): "a"
    }  # fmt: skip
    assert mismatched_responses(pairs[:1], TOKENS) == {}


def test_a_mismatched_response_is_scored_under_the_other_prompt():
    crossed = {crossed_id("p", "d"): ("p", "d")}
    ids = Tokenised(prompts=PROMPTS, responses={"a": [5, 6], "d": [8, 9]})
    table, counts = score_rows(RESPONSES, ids, 9, crossed)
    rows = [(one["response_id"], one["prompt_ids"]) for one in table.to_pylist()]
    assert rows == [("a", [1, 2]), ("d@p", [1, 2]), ("d", [3])]
    assert table.column("response_ids").to_pylist() == [[5, 6], [8, 9], [8, 9]]
    assert counts["longer_than_max_tokens"] == 0


ALL = ("a", "b", "c", "d", "e", "f", "f2")
CROSSED = ("d@p", "e@p", "f@q", "f2@q", "a@s", "b@s")


def test_chosen_responses_are_desirable_rejected_ones_not_and_each_occurs_once():
    scores = scored(*ALL) | scored(*CROSSED, each=-2.0)
    made = unpaired_examples(PAIRS, IDS, scores, {})
    found = {
        one.example_id: (one.prompt_id, row["desirable"], one.weight)
        for one, row in zip(made.examples, made.side, strict=True)
    }
    assert found == {
        "a": ("p", 1, 0.5), "c": ("p", 0, 0.5), "d": ("q", 1, 0.5), "e": ("q", 0, 0.5),
        "f": ("s", 1, 0.5), "f2": ("s", 0, 0.5),
    }  # fmt: skip
    assert made.counts == {"dropped_both_chosen_and_rejected": 1}  # b
    first = made.side[0]
    assert (first["mismatched_ids"], first["mismatched_logps"]) == (TOKENS["d"], [-2.0] * 2)
    assert made.examples[0].chosen_logps == [-1.0] * 2
    to_table(TrainingExample, made.examples)


def test_single_responses_are_dropped_for_reasons_that_are_counted():
    scores = scored("a", "b", "d", "e", "f", "f2", *CROSSED[1:])
    solved = {PAIRS[3].pair_id: "already_solved"}
    made = unpaired_examples(PAIRS, IDS, scores, solved)
    assert [(one.example_id, one.weight) for one in made.examples] == [("d", 0.5), ("e", 0.5)]
    assert made.counts == {
        "dropped_already_solved": 1, "dropped_both_chosen_and_rejected": 1,
        "dropped_longer_than_max_tokens": 1, "dropped_mismatched_longer_than_max_tokens": 1,
    }  # fmt: skip
    alone = unpaired_examples(PAIRS[2:3], IDS, scores, {})
    assert alone.examples == [] and alone.counts == {"dropped_no_other_prompt": 2}


def supplies(kind, *scores, explored=None, uncertain=None, **settings):
    return Supplies(
        loss=load_variant("tasks.losses", kind, **settings), ids=IDS, scores=scores,
        explored=explored or {}, uncertainties=uncertain or {},
    )  # fmt: skip


def made(one, pairs):
    examples = pair_examples(pairs, IDS, one.scores, one.lacking(pairs))
    return one.added(pairs, examples)


def test_edited_marks_what_is_not_in_the_other_response():
    assert edited([1, 2, 3, 4], [1, 9, 3, 4, 5]) == ([0, 1, 0, 0], [0, 1, 0, 0, 1])
    assert edited([1, 2], [1, 2]) == ([0, 0], [0, 0])
    assert edited([7], [8, 9]) == ([1], [1, 1])


def test_a_token_that_is_frequent_counts_as_equal_too():
    """difflib by itself takes what is frequent in 200 or more items for noise."""
    chosen, rejected = edited([1] * 300, [1] * 300 + [2])
    assert sum(chosen) == 0 and rejected == [0] * 300 + [1]


def test_bmc_gets_marks_of_both_sides_in_the_order_of_the_examples():
    found = made(supplies("bmc", scored(*ALL)), PAIRS[:2])
    assert found.side == [
        {"example_id": "p-a-b", "chosen_edited": [1, 0], "rejected_edited": [0]},
        {"example_id": "p-b-c", "chosen_edited": [1], "rejected_edited": [1]},
    ]


def test_a_loss_without_needs_gets_no_table():
    assert made(supplies("dpo", scored(*ALL)), PAIRS).side == ()


def test_further_references_stand_behind_the_base():
    found = made(supplies("mrpo", scored(*ALL), scored(*ALL, each=-3.0)), PAIRS[:1])
    assert found.examples[0].chosen_logps == [-1.0, -1.0, -3.0, -3.0]
    assert found.examples[0].rejected_logps == [-1.0, -3.0]


def test_of_a_reference_with_tokens_of_its_own_the_sum_is_spread():
    far = {one: replace(score, token_logps=None) for one, score in scored(*ALL, each=-3.0).items()}
    found = made(supplies("mrpo", scored(*ALL), far), PAIRS[:1])
    assert found.examples[0].chosen_logps == [-1.0, -1.0, -3.0, -3.0]
    uneven = {"a": replace(far["a"], logp=-5.0, num_tokens=3)}
    assert reference_logps([scored("a"), uneven], "a") == [-1.0, -1.0, -2.5, -2.5]


def test_the_explored_response_is_one_that_no_pair_uses_then_the_lowest_id():
    human = replace(RESPONSES["f"], origin="human")
    some = {**RESPONSES, "f": human}
    pairs = [pair("a", "b"), pair("d", "e", prompt_id="q"), pair("f", "f", prompt_id="s")]
    del some["void"]
    assert explored_responses(pairs, some) == {"p": "c", "q": "d"}


def test_selm_gets_the_explored_response_and_drops_prompts_without_one():
    one = supplies("selm", scored(*ALL), explored={"p": "c", "q": "void"})
    found = made(one, PAIRS)
    assert [row["example_id"] for row in found.side] == ["p-a-b", "p-b-c"]
    assert (found.side[0]["explored_ids"], found.side[0]["explored_logps"]) == ([7], [-1.0])
    assert found.counts == {"dropped_no_explored_response": 2}
    long = supplies("selm", scored("a", "b"), explored={"p": "c"})
    assert made(long, PAIRS[:1]).counts == {"dropped_explored_longer_than_max_tokens": 1}


def test_bald_is_the_worked_number():
    assert bald([0.9, 0.1, 0.5, 0.5]) == pytest.approx(math.log(2) - (0.325083 + math.log(2)) / 2)
    assert bald([0.9, 0.5, 0.1 + 0.0]) > 0 and bald([0.7, 0.7]) == 0
    assert bald([0.0, 1.0]) == pytest.approx(math.log(2))


def test_uncertainty_takes_all_orders_and_judges_and_no_single_opinion():
    said = [
        *both("a", "b", "a", other="b"),
        verdict("a", "c", "a"),
        person("a", "c", "b"),
        verdict("b", "c", "b", by="one", p=0.9),
        verdict("b", "c", "b", by="two", p=0.5),
        verdict("d", "e", "unparsed"),
        verdict("d", "e", "a"),
    ]
    found = uncertainties(said)
    assert found == {("a", "b"): pytest.approx(math.log(2)), ("b", "c"): pytest.approx(0.101749225)}


def test_upo_drops_pairs_with_one_opinion_and_the_sides_may_come_in_any_order():
    one = supplies("upo", scored(*ALL), uncertain={("a", "b"): 0.2, ("b", "c"): 0.3})
    pairs = [pair("b", "a"), pair("b", "c"), pair("d", "e", prompt_id="q")]
    found = made(one, pairs)
    assert [row["uncertainty"] for row in found.side] == [0.2, 0.3]
    assert found.counts == {"dropped_one_opinion": 1}


def test_the_longest_row_counts_further_responses():
    one = supplies("selm", scored(*ALL), explored={"p": "a"})
    assert made(one, [pair("b", "c")]).longest == 4
    assert made(supplies("dpo", scored(*ALL)), [pair("b", "c")]).longest == 3


@pytest.mark.parametrize("kind", ["bmc", "selm", "upo"])
def test_what_is_supplied_is_what_the_trainer_reads(kind):
    one = supplies(
        kind, scored(*ALL), explored={"p": "c"}, uncertain={("a", "b"): 0.2, ("b", "c"): 0.3}
    )
    found = made(one, PAIRS[:2])
    side = pa.Table.from_pylist(list(found.side)[::-1])
    table = joined(to_table(TrainingExample, found.examples), side, one.loss)
    assert table.num_rows == 2


def labels(**desirable):
    return [
        Label(response_id=one, prompt_id=OWNER[one], desirable=p, weight=w, rule="r")
        for one, (p, w) in desirable.items()
    ]


def test_labels_become_examples_that_share_anew_what_is_left_of_their_prompt():
    given = labels(a=(0.7, 0.5), b=(0.0, 0.25), c=(1.0, 0.25), void=(1.0, 1.0))
    made = labelled_examples(given, IDS, scored("a", "b"), ())
    assert [(one.example_id, one.kind, one.weight) for one in made.examples] == [
        ("a", "unpaired", pytest.approx(2 / 3)), ("b", "unpaired", pytest.approx(1 / 3)),
    ]  # fmt: skip
    assert made.side == [{"example_id": "a", "desirable": 0.7}, {"example_id": "b", "desirable": 0}]
    assert made.counts == {"dropped_empty_response": 1, "dropped_longer_than_max_tokens": 1}


def test_labels_of_several_prompts_have_mismatched_responses_where_the_loss_needs_them():
    given = labels(a=(1.0, 1.0), d=(0.0, 1.0))
    scores = scored("a", "d") | scored("d@p", "a@q", each=-2.0)
    made = labelled_examples(given, IDS, scores, ("mismatched",))
    assert [row["mismatched_ids"] for row in made.side] == [TOKENS["d"], TOKENS["a"]]
    assert [row["mismatched_logps"] for row in made.side] == [[-2.0] * 2] * 2


def test_only_wanted_responses_are_imitated():
    given = labels(a=(0.6, 0.5), b=(0.5, 0.5), void=(1.0, 1.0))
    made = wanted_examples(given, IDS, 9)
    assert [(one.example_id, one.kind, one.weight) for one in made.examples] == [
        ("a", "response_only", 1.0)
    ]
    assert made.counts == {"dropped_empty_response": 1, "dropped_not_desirable": 1}
    assert wanted_examples(given, IDS, 3).counts["dropped_longer_than_max_tokens"] == 1
