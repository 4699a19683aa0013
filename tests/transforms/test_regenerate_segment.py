"""SAPO's segments: what stands before is equal token by token, what ends ends, C stays."""

from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transform_views import MAKER, answer, view_of

from tasks.responses import Tokens
from tasks.tokens import load_tokenizer, stop_ids
from tasks.variants import load_variant
from tests.tiny_models import tiny_model

TEXT = "apple, pear, plum, fig, grape, lime and date"
ORDINARY = st.integers(6, 60)
"""Token ids of characters; 5 ends a turn."""
IDS = st.lists(ORDINARY, min_size=1, max_size=40)


@cache
def tokens():
    return Tokens(load_tokenizer(tiny_model()), "tok", "tem")


def maker(seed=1):
    return MAKER._replace(tokens=tokens(), seeds=(seed, 0))


def stop():
    return stop_ids(tokens().tokenizer)[0]


def view(ids, *, finished=True, text=TEXT, **more):
    """A chosen response of these ids with two rejected ones."""
    found = view_of({"c": text, "r": "a nut", "s": "nuts"}, ("c", "r"), ("c", "s"), **more)
    own = replace(
        found.responses["c"], token_ids=[*ids, *([stop()] if finished else [])],
        tokenizer="tok", template="tem", finish_reason="stop" if finished else "length",
    )  # fmt: skip
    return replace(found, responses={**found.responses, "c": own})


def regenerate(**settings):
    writer = {"engine": "transformers", "model": "policy", "max_tokens": settings.pop("longest", 5)}
    return load_variant("tasks.transforms", "regenerate_segment", writer=writer, **settings)


def made(one, given_view, drawn, by=None):
    by = by or maker()
    asks = one.asks(given_view, by)
    return asks, one.made(
        given_view, {a.ask_id: answer(a.ask_id, None, ids=drawn) for a in asks}, by
    )


@given(ids=IDS, drawn=IDS, seed=st.integers(0, 9), finished=st.booleans())
def test_the_prefix_is_identical_and_only_the_segment_differs(ids, drawn, seed, finished):
    one, shown = regenerate(), view(ids, finished=finished)
    [ask], found = made(one, shown, drawn, maker(seed))
    chosen = shown.responses["c"].token_ids
    assert ask.prefix_ids == chosen[: len(ask.prefix_ids)]
    assert 1 <= ask.max_tokens <= max(1, min(5, len(ids) // 2))
    for row, origin in zip(found.responses, found.origins, strict=True):
        end = origin.start + origin.replaced
        assert row.token_ids[: origin.start] == chosen[: origin.start] == ask.prefix_ids
        assert row.token_ids[origin.start :][: origin.written] == drawn[: ask.max_tokens]
        assert row.token_ids[origin.start + origin.written :] == chosen[end:]
        assert row.token_ids != chosen and row.finish_reason == ["length", "stop"][finished]


@given(ids=IDS, before=st.lists(ORDINARY, max_size=2), seed=st.integers(0, 9))
def test_an_end_of_turn_in_the_new_segment_ends_the_response(ids, before, seed):
    [ask], found = made(regenerate(), view(ids), [*before, stop()], maker(seed))
    for row, origin in zip(found.responses, found.origins, strict=True):
        cut = [*ask.prefix_ids, *[*before, stop()][: ask.max_tokens]]
        ended = len(before) < ask.max_tokens
        assert found.counts["ended_early"] == ended
        if ended:
            assert row.token_ids == cut and row.finish_reason == "stop"
            assert origin.written == len(before) + 1


def test_each_chosen_response_makes_one_pair_that_keeps_the_belief():
    shown = view(range(6, 26))
    _, found = made(regenerate(), shown, [50] * 5)
    [pair], [origin] = found.pairs, found.origins
    assert (pair.chosen_id, pair.rejected_id) == ("c", found.responses[0].response_id)
    assert pair.p_chosen == shown.pairs[0].p_chosen
    assert (origin.made_from, origin.pair_id) == ("c", shown.pairs[0].pair_id)
    assert found.counts == {"rewritten": 1, "ended_early": 0, "dropped_same_chosen": 1}


def test_a_response_of_others_is_cut_as_the_policy_would_read_it():
    shown = view_of({"c": TEXT, "r": "a nut"}, ("c", "r"))
    _, found = made(regenerate(), shown, [50] * 5)
    read = tokens().tokenizer(TEXT, add_special_tokens=False)["input_ids"]
    [row], [origin] = found.responses, found.origins
    assert row.token_ids[: origin.start] == read[: origin.start]
    assert row.token_ids[-1] == stop() and (row.tokenizer, row.template) == ("tok", "tem")


@pytest.mark.parametrize(
    ("settings", "drawn", "why"),
    [({"least_share": 0.9}, [5], "too_short"), ({}, [], "empty"), ({}, None, "unchanged")],
)
def test_what_is_no_use_is_counted(settings, drawn, why):
    one, shown = regenerate(**settings), view(range(6, 26))
    cut = one.segment(shown.responses["c"], maker())
    _, found = made(one, shown, cut.ids[cut.start : cut.end] if drawn is None else drawn)
    assert found.counts[f"dropped_{why}"] == 1 and not found.pairs


def test_a_guard_refuses_what_is_better_than_the_chosen_response():
    shown = view(range(6, 26), checks=[{"kind": "contains", "text": "Y"}])
    better = [tokens().tokenizer.convert_tokens_to_ids("Y")] * 5
    assert made(regenerate(), shown, better)[1].counts["rewritten"] == 1
    guarded = made(regenerate(guard={"kind": "rule"}), shown, better)[1]
    assert guarded.counts["dropped_better_than_chosen"] == 1


def test_what_found_no_room_is_counted():
    assert regenerate().made(view(range(6, 10)), {}, maker()).counts["dropped_no_room"] == 1
