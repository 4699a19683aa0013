"""Degraded variants: less of the key content from degree to degree, and nothing else."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transform_views import MAKER, view_of

from tasks.variants import load_variant

TEXT = "The river Rhine flows through Cologne, and the cathedral stands near the station."


def degrade(**settings):
    return load_variant("tasks.transforms", "degrade", **settings)


def test_the_highest_phrases_go_first_and_at_the_last_degree_all_are_gone():
    assert list(degrade().variants(TEXT)) == [
        (1, "The through Cologne, and the near the station."),
        (2, "The through, and the near the."),
    ]


def test_commas_that_stood_before_a_phrase_do_not_begin_a_line():
    pairs = [
        text for _, text in degrade().variants("Plum, pear trees and the fig\nNut bread, or it")
    ]
    assert not any(line.startswith((",", " ")) for text in pairs for line in text.splitlines())
    assert pairs[-1] == "and the\nor it"


FRUITS = {"kind": "pattern", "pattern": "fig|plum"}
SPACED = "def f():\n    return  [fig, 2]  # plum\n\tx  \n"


def test_spaces_that_no_phrase_leaves_behind_are_those_of_the_response():
    """Were they tidied, too, a head could tell what is degraded without reading a word."""
    [(_, removed)] = degrade(num_degrees=2, extractor=FRUITS).variants(SPACED)
    assert removed == "def f():\n    return  [, 2]  #\n\tx  \n"
    [(_, masked)] = degrade(num_degrees=2, extractor=FRUITS, how="mask").variants(SPACED)
    assert masked == "def f():\n    return  [___, 2]  # ____\n\tx  \n"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("fig\nplum\nnut", "nut"), ("nut\nfig\npear", "nut\npear"), ("nut\nplum", "nut"),
        ("nut\n\nfig\n\npear\n", "nut\n\npear\n"), ("fig\n\nnut\nplum\n", "nut\n"),
        ("a:\n  fig\n  nut", "a:\n  nut"), ("- fig\n- nut", "-\n- nut"),
    ],
)  # fmt: skip
def test_a_line_of_which_nothing_is_left_goes_whole(text, left):
    assert list(degrade(num_degrees=2, extractor=FRUITS).variants(text)) == [(1, left)]


def test_a_variant_that_reads_as_the_response_does_is_none():
    """There is nothing to mask in an exclamation mark: degree 1 would be degree 0."""
    marks = {"kind": "pattern", "pattern": "!"}
    masked = degrade(num_degrees=2, extractor=marks, how="mask")
    assert list(masked.variants("a fig!")) == [(1, "")]


def test_masked_phrases_keep_every_character_in_its_place():
    [(_, half), (_, whole)] = degrade(how="mask").variants(TEXT)
    assert (
        half == "The _____ _____ _____ through Cologne, and the _________ ______ near the station."
    )
    assert len(half) == len(whole) == len(TEXT)


def test_both_responses_of_a_pair_get_variants_and_the_pairs_stay():
    view = view_of({"c": TEXT, "r": "Bonn is a city.", "x": "x"}, ("c", "r"), ("c", "x"))
    made = degrade().made(view, {}, MAKER)
    assert made.pairs == view.pairs
    assert [(one.made_from, one.degree) for one in made.origins] == [
        ("c", 1), ("c", 2), ("r", 1), ("r", 2),
    ]  # fmt: skip
    assert made.counts == {"degraded": 4, "dropped_equal_or_empty": 2}
    assert len({one.response_id for one in made.responses}) == 4


@pytest.mark.parametrize(("sides", "of"), [("chosen", {"c"}), ("rejected", {"r"})])
def test_one_side_alone_may_be_degraded(sides, of):
    view = view_of({"c": TEXT, "r": "Bonn is a city."}, ("c", "r"))
    assert {one.made_from for one in degrade(sides=sides).made(view, {}, MAKER).origins} == of


WORDS = st.sampled_from(
    ["fig", "Plum", "the", "is", "of", "42", "pear-tree", "nut", ",", ".", "\n", "it's", "wörter"]
)
TEXTS = st.lists(WORDS, max_size=25).map(" ".join)


def words(text):
    return Counter("".join(one if one.isalnum() else " " for one in text).split())


@given(text=TEXTS, degrees=st.integers(2, 5))
def test_no_variant_has_a_word_that_a_lower_degree_has_not(text, degrees):
    last = text
    for _, made in degrade(num_degrees=degrees).variants(text):
        if made:
            assert words(made) < words(last)
            last = made


@given(text=TEXTS, degrees=st.integers(2, 5))
def test_masked_variants_keep_their_length_and_words_in_number(text, degrees):
    for _, made in degrade(num_degrees=degrees, how="mask").variants(text):
        if made:
            assert len(made) == len(text)
            assert len(made.split()) == len(text.split())
            assert all(a == b or b == "_" for a, b in zip(text, made, strict=True))
