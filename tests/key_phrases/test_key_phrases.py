"""Key phrases: RAKE's published example, and matches of a pattern."""

import pytest

from tasks.errors import ConfigError
from tasks.variants import load_variant

ABSTRACT = """Compatibility of systems of linear constraints over the set of natural numbers.
Criteria of compatibility of a system of linear Diophantine equations, strict inequations, and
nonstrict inequations are considered. Upper bounds for components of a minimal set of solutions and
algorithms of construction of minimal generating sets of solutions for all types of systems are
given. These criteria and the corresponding algorithms for constructing a minimal supporting set of
solutions can be used in solving all the considered types of systems and systems of mixed types."""
STOPS = (
    *("a", "all", "and", "are", "be", "can", "for", "given"),
    *("in", "of", "over", "the", "these", "used"),
)
PUBLISHED = {
    "minimal generating sets": 8.7, "linear diophantine equations": 8.5,
    "minimal supporting set": 7.7, "minimal set": 4.7, "linear constraints": 4.5,
    "upper bounds": 4.0, "natural numbers": 4.0, "nonstrict inequations": 4.0,
    "strict inequations": 4.0, "mixed types": 3.7, "corresponding algorithms": 3.5,
}  # fmt: skip


def test_rake_finds_the_phrases_and_scores_of_its_paper():
    found = load_variant("tasks.key_phrases", "rake", stop_words=STOPS)(ABSTRACT)
    scores = {one.words: round(one.score, 1) for one in found}
    assert {words: scores[words] for words in PUBLISHED} == PUBLISHED
    assert [one.words for one in found[:3]] == list(PUBLISHED)[:3]


def test_a_phrase_is_found_wherever_it_stands_and_a_line_ends_it():
    rake = load_variant("tasks.key_phrases", "rake")
    [river, city] = rake("The river Rhine. Cologne\nis by the River Rhine")
    assert (river.words, river.spans) == ("river rhine", ((4, 15), (35, 46)))
    assert (city.words, city.spans) == ("cologne", ((17, 24),))


def test_a_text_of_stop_words_has_no_phrase():
    assert load_variant("tasks.key_phrases", "rake")("it is what it is") == []


def test_a_language_without_a_list_is_refused_with_those_there_are():
    with pytest.raises(ConfigError, match=r"stop_words is 'klingon'.*english"):
        load_variant("tasks.key_phrases", "rake", stop_words="klingon")


def test_a_pattern_ranks_what_it_matches_by_length():
    numbers = load_variant("tasks.key_phrases", "pattern", pattern="[0-9]+")
    assert [one.words for one in numbers("7 and 42 make 49, 42 more make 91")] == [
        "42", "49", "91", "7",
    ]  # fmt: skip
    with pytest.raises(ConfigError, match="is no regular expression"):
        load_variant("tasks.key_phrases", "pattern", pattern="(")
