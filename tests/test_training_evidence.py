"""What a diagnosis rests on, on a few responses that can be counted by hand."""

import pytest

from tasks.model_matrix import evaluated_name
from tasks.records import PreferencePair, ReferenceScore, Response
from tasks.statistics import Mean
from tasks.training_evidence import answer_lengths, held_out_shift, lengths_of, pair_words


def pair(chosen, rejected, prompt):
    return PreferencePair(
        pair_id=chosen + rejected, prompt_id=prompt, chosen_id=chosen, rejected_id=rejected,
        p_chosen=0.9, margin=0.8, weight=1.0, rule="all",
    )  # fmt: skip


def scores(**given):
    """response id -> (logp, tokens)"""
    return {
        name: ReferenceScore(
            response_id=name, reference="m", logp=logp, num_tokens=tokens, token_logps=None
        )
        for name, (logp, tokens) in given.items()
    }


def response(name, prompt, text, cell="x"):
    return Response(
        response_id=name, prompt_id=prompt, text=text, origin="model", cell=cell, generator="g",
        sample_index=0, seed=None, finish_reason="stop", token_ids=None, tokenizer=None,
        template=None,
    )  # fmt: skip


def test_the_shift_is_taken_per_token_then_per_prompt():
    before = scores(a=(-10, 10), b=(-10, 5), c=(-4, 2), d=(-8, 8), e=(-3, 3))
    after = scores(a=(-12, 10), b=(-15, 5), c=(-4, 2), d=(-4, 8), e=(-9, 3))
    # Prompt p: a lost 0.2 a token, c nothing: mean -0.1; prompt q: d gained 0.5.
    pairs = [pair("a", "b", "p"), pair("c", "b", "p"), pair("d", "e", "q")]
    found = held_out_shift(pairs, before, after)
    assert found.chosen.value == pytest.approx((-0.1 + 0.5) / 2)
    assert found.chosen.standard_error == pytest.approx(0.3)
    assert found.rejected.value == pytest.approx((-1.0 - 2.0) / 2) and found.rejected.n == 2


def test_a_pair_that_one_model_did_not_score_tells_nothing():
    both = scores(a=(-1, 1), b=(-1, 1))
    assert held_out_shift([pair("a", "b", "p")], both, scores(a=(-1, 1))) is None
    assert held_out_shift([], both, both) is None


def test_answers_are_compared_prompt_by_prompt_and_by_their_weights():
    ours, theirs = evaluated_name("new"), evaluated_name("old")
    answers = [
        response("1", "p", "one two three", ours), response("2", "p", "one", theirs),
        response("3", "q", "one two", ours), response("4", "q", "one two", theirs),
        response("5", "r", "only the policy answered this one", ours),
        response("6", "p", "another model says much more than the others", "weights-sft"),
    ]  # fmt: skip
    found = answer_lengths(answers, "old", "new")
    assert (found.one, found.other, found.difference) == (2.5, 1.5, Mean(1.0, 1.0, 2))
    assert found.relative == pytest.approx(2 / 3)
    assert answer_lengths(answers, "new", "new") is None
    assert answer_lengths([], "old", "new") is None


def test_a_prompt_with_many_pairs_counts_once():
    texts = {"a": "one two three four", "b": "one two", "c": "one two"}
    responses = {name: response(name, "p", text) for name, text in texts.items()}
    responses["d"] = response("d", "q", "one")
    pairs = [pair("a", "b", "p"), pair("a", "c", "p"), pair("d", "d", "q")]
    found = lengths_of(pair_words(pairs, responses))
    assert (found.one, found.other, found.difference.value) == (2.5, 1.5, 1.0)
    assert lengths_of(pair_words([], {})) is None
