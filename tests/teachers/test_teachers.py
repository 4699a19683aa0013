"""What teachers tell the reference, and what they want of tokens."""

import pytest

from tasks.errors import ConfigError
from tasks.pair_examples import Examples, response_example
from tasks.taught import with_scores
from tasks.teachers._contract import instructed
from tasks.variants import kinds, load_variant
from tests.small_config import small_config
from tests.test_supplies import scored

USER = {"role": "user", "content": "Name a fruit."}
SYSTEM = {"role": "system", "content": "Be brief."}


def teacher(kind, **settings):
    return load_variant("tasks.teachers", kind, **settings)


def test_a_guided_teacher_says_what_the_reference_says_under_the_instruction():
    guided = teacher("guided", guidance="Answer well.")
    assert guided.instructions == {"guided": "Answer well."}
    assert guided.aims([-1.0, -2.0], {"guided": [-0.5, -3.0]}) == [-0.5, -3.0]


@pytest.mark.parametrize(("tau", "aims"), [(1.0, [-0.5, -4.0]), (2.0, [-0.75, -3.0])])
def test_a_contrastive_teacher_goes_from_bad_to_good_beginning_at_the_reference(tau, aims):
    one = teacher("contrastive", tau=tau)
    said = {"guided": [-0.5, -3.0], "opposed": [-1.0, -1.0]}
    assert one.aims([-1.0, -2.0], said) == pytest.approx(aims)


def test_instructions_that_say_the_same_leave_the_reference_as_it_is():
    one = teacher("contrastive", guidance="Answer.", opposite="Answer.")
    same = [-0.5, -3.0]
    assert one.aims([-1.0, -2.0], {"guided": same, "opposed": same}) == [-1.0, -2.0]


def test_an_instruction_stands_before_a_system_prompt_that_is_there():
    assert instructed([USER], "Help.", "system") == [{"role": "system", "content": "Help."}, USER]
    assert instructed([SYSTEM, USER], "Help.", "system") == [
        {"role": "system", "content": "Help.\n\nBe brief."}, USER,
    ]  # fmt: skip


def test_an_instruction_may_stand_at_the_head_of_the_first_turn_of_a_person():
    told = instructed(
        [SYSTEM, USER, {"role": "assistant", "content": "Fig."}, USER], "Help.", "user"
    )
    assert [one["content"] for one in told] == [
        "Be brief.", "Help.\n\nName a fruit.", "Fig.", "Name a fruit.",
    ]  # fmt: skip


def test_every_kind_has_an_instruction_for_each_score_it_reads():
    for kind in kinds("tasks.teachers"):
        one = teacher(kind)
        said = {name: [-1.0] for name in one.instructions}
        assert len(one.aims([-2.0], said)) == 1


TOKENS = {"a": [5, 6], "b": [6], "c": [7]}


def imitated():
    return Examples(
        [response_example(one, "p", [1, 2], TOKENS[one], 1 / 3) for one in "abc"], {"seen": 1}
    )


def test_responses_to_imitate_carry_the_references_and_the_teachers_tokens():
    loss = load_variant("tasks.losses", "inverse_q")
    reference, said = scored(*"abc"), {"guided": scored(*"abc", each=-0.5)}
    made = with_scores(imitated(), loss, reference, teacher("guided"), said)
    assert [one.chosen_logps for one in made.examples] == [[-1.0, -1.0], [-1.0], [-1.0]]
    assert [row["chosen_teacher"] for row in made.side] == [[-0.5, -0.5], [-0.5], [-0.5]]


def test_what_is_too_long_under_an_instruction_is_counted_and_its_weight_stays_with_the_prompt():
    loss = load_variant("tasks.losses", "inverse_q")
    said = {"guided": scored(*"ab", each=-0.5)}
    made = with_scores(imitated(), loss, scored(*"abc"), teacher("guided"), said)
    assert [(one.example_id, one.weight) for one in made.examples] == [("a", 0.5), ("b", 0.5)]
    assert made.counts == {"seen": 1, "dropped_teacher_longer_than_max_tokens": 1}


def test_imitation_alone_reads_no_scores():
    made = imitated()
    assert with_scores(made, load_variant("tasks.losses", "sft"), {}, None, {}) is made


@pytest.mark.parametrize(
    ("training", "said"),
    [
        ({"training__loss": {"kind": "inverse_q"}}, "training.teacher is null; write"),
        ({"training__teacher": {"kind": "guided"}}, "follows no teacher; leave it out"),
        (
            {
                "training__loss": {"kind": "inverse_q_kl"},
                "training__teacher": {"kind": "guided"},
                "training__max_prompt_tokens": 9,
            },
            "would cut the teacher's instruction",
        ),
    ],
)
def test_a_teacher_and_the_loss_that_reads_it_come_together(training, said):
    filters = {"pairs__filters": []}
    with pytest.raises(ConfigError, match=said):
        small_config(**filters, **training)
