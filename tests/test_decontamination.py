"""What repeats an evaluation text is found, edited or quoted; what does not is left alone."""

import string
from itertools import product

import numpy as np
import pytest

from tasks.decontamination.letters import GRAM, hashes_of, letters, owners_of
from tasks.decontamination.screen import Screen
from tasks.decontamination.settings import DecontaminationSettings
from tasks.decontamination.texts import cleaned, evaluation_texts
from tasks.prompts import pool_of, prompt_of
from tasks.seeds import seed_of
from tasks.sources import Row

BRIDGE = (
    "The city of Vega wants a bridge over the Vegona river, 1.8 kilometres wide. "
    "The ground there shakes every few years. What would such a bridge cost, and why?"
)
BAKER = (
    "A baker sells forty loaves a day for two euros each. On Mondays the shop is closed. "
    "How much does she take in a week, if flour costs her ninety euros?"
)
POEM = "Write a poem of twelve lines about a lighthouse keeper who is afraid of the dark."
EVALUATION = {"bridge": BRIDGE, "baker": BAKER, "poem": POEM}
OTHERS = [
    "Explain to a child of six why the sea is salty, in three short sentences.",
    "A farmer has twelve cows and buys three more each spring. How many are there in ten years?",
    "Translate the sentence 'the train is late again' into French and into Spanish.",
    "Write a short story about a lighthouse that nobody has visited for a century.",
]


ORDERS = ("sorted", "reversed", "in any order", "by length")


def screen(evaluation=EVALUATION, background=OTHERS, **settings):
    return Screen(evaluation, background, DecontaminationSettings(**settings))


def found(text, **settings):
    [one] = screen(**settings).look([text])
    return one and (one.kind, one.of)


def with_every_twelfth_word_changed(text):
    words = text.split()
    return " ".join("purple" if i % 12 == 5 else word for i, word in enumerate(words))


@pytest.mark.parametrize(
    "edited",
    [
        BRIDGE.upper(),
        BRIDGE.translate({ord(mark): None for mark in string.punctuation}),
        BRIDGE.translate({ord(mark): " " for mark in string.punctuation}),
        f"  {BRIDGE}\n",
    ],
)
def test_case_punctuation_and_spaces_do_not_hide_a_text(edited):
    assert found(edited) == ("exact", "bridge")


def test_a_word_in_twelve_does_not_hide_a_text():
    edited = with_every_twelfth_word_changed(BAKER)
    assert edited.count("purple") == 3 and found(edited) == ("near", "baker")


def test_the_order_of_sentences_does_not_hide_a_text():
    first, second, third = BRIDGE.split(". ")
    assert found(f"{third} {second}. {first}.") == ("near", "bridge")


def test_a_text_is_found_inside_a_longer_one():
    assert found(f"{OTHERS[1]}\n\nHere is another: '{POEM}'. {OTHERS[0]}") == ("quoted", "poem")


@pytest.mark.parametrize("text", OTHERS)
def test_other_texts_are_left_alone(text):
    assert found(text) is None


def test_a_long_passage_is_too_much_whatever_its_share():
    story = " ".join(f"{seed_of('word', n) % 10**6} ships" for n in range(200))
    part = story[300:420]
    assert len(letters(part)) > 80
    settings = {"evaluation": {"story": story}, "background": OTHERS}
    assert found(f"Go on: {part}", **settings) == ("passage", "story")
    assert found(f"Go on: {part}", **settings, passage=None) is None


def test_a_pattern_that_all_prompts_share_is_no_contamination():
    fruits = ["cherry", "plum", "apple", "pear", "fig", "grape", "melon", "lemon"]
    asked = [
        f"List {n} kinds of {fruit}, {order}, in {case} case."
        for n, fruit, order, case in product(range(9), fruits, ORDERS, ("upper", "lower"))
    ]
    evaluation = {text: text for text in asked[::3]}
    others = [text for text in asked if text not in evaluation]
    looked = list(screen(evaluation, others).look([*others, asked[0].upper()]))
    assert [one and one.kind for one in looked] == [None] * len(others) + ["exact"]


def test_a_prompt_in_two_evaluation_sets_is_found_as_well():
    copies = {f"copy {number}": BRIDGE for number in range(30)}
    assert found(with_every_twelfth_word_changed(BRIDGE), evaluation=copies) == ("near", "copy 0")


def test_without_a_share_only_equal_texts_are_found():
    assert found(BAKER.lower(), share=None) == ("exact", "baker")
    assert found(with_every_twelfth_word_changed(BAKER), share=None) is None


@pytest.mark.parametrize("evaluation", [{}, {"short": "Hi!"}, {"signs": "?!"}])
def test_texts_without_letters_to_speak_of_are_only_equal(evaluation):
    looked = list(screen(evaluation).look(["Hi", "Hi there, how are you?", "?!", "", BRIDGE]))
    assert [one and one.of for one in looked] == {
        0: [None] * 5,
        2: [evaluation.get("short") and "short", None, evaluation.get("signs") and "signs"]
        + [None] * 2,
    }[2 * bool(evaluation)]


def test_equal_grams_have_equal_hashes_and_none_reaches_into_the_next_text():
    written = ["abcdefghijk", "xabcdefghij", "short"]
    hashes = hashes_of("".join(written))
    places, owners = owners_of(np.arange(len(hashes)), written)
    assert places.tolist() == [0, 1, 11, 12] and owners.tolist() == [0, 0, 1, 1]
    assert hashes[0] == hashes[12] and len(set(hashes[places].tolist())) == 3 and GRAM == 10


def row(number, **fields):
    return Row(f"line {number}", fields)


def test_train_prompts_that_repeat_a_measured_one_leave_the_pool_and_are_counted():
    rows = [
        row(1, prompt=BRIDGE, split="held_out"),
        row(2, prompt=BAKER, split="sealed"),
        row(3, prompt=BRIDGE.lower()),
        row(4, prompt=with_every_twelfth_word_changed(BAKER)),
        row(5, prompt=OTHERS[0]),
        row(6, prompt=f"{POEM} {OTHERS[2]}"),
    ]
    elsewhere = [prompt_of(row(7, prompt=POEM))]
    clean = cleaned(pool_of(rows), elsewhere, DecontaminationSettings())
    assert clean.pool.table.num_rows == 3
    assert clean.pool.counts == {
        "rows": 6,
        "duplicates": 0,
        "train": 1,
        "dev": 0,
        "held_out": 1,
        "sealed": 1,
        "contaminated_exact": 1,
        "contaminated_near": 1,
        "contaminated_quoted": 1,
    }
    assert {one.text for one in clean.found} == {rows[i].fields["prompt"] for i in (2, 3, 5)}


def test_turns_and_reference_answers_are_looked_for_and_system_prompts_are_not():
    prompt = prompt_of(
        row(
            1,
            messages=[
                {"role": "system", "content": "You are a helpful assistant."},
                {"role": "user", "content": BRIDGE},
                {"role": "assistant", "content": "Ninety million."},
                {"role": "user", "content": "And in steel?"},
            ],
            checks=[{"kind": "reference", "answer": BAKER}, {"kind": "reference", "answer": "42"}],
        )
    )
    texts = {one.name.partition("#")[2]: one.text for one in evaluation_texts([prompt])}
    assert texts == {
        "": f"{BRIDGE}\n\nNinety million.\n\nAnd in steel?",
        "turn-1": BRIDGE,
        "turn-2": "And in steel?",
        "answer-1": BAKER,
    }
