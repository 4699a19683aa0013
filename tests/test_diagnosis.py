"""The diagnosis: each finding at its threshold, in numbers and words; none without data."""

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.config import Config
from tasks.config_training import TrainingSection
from tasks.diagnosis import WINDOW, diagnose, held_out_verdict
from tasks.findings import LEVELS, WORDS
from tasks.statistics import Mean
from tasks.training.loop import CLIPPED_WINDOW
from tasks.training_evidence import Evidence, HeldOut, Lengths
from tasks.variants import kinds, plain, variant_class

MINUS = "\N{MINUS SIGN}"


def steps(number=20, **curves):
    """Steps whose metrics are numbers, or functions of the step from 0 to 1."""
    return [
        {"step": index + 1}
        | {
            name: curve(index / (number - 1)) if callable(curve) else curve
            for name, curve in curves.items()
        }
        for index in range(number)
    ]


def titles(**evidence):
    return [one.title for one in diagnose(Evidence(**evidence))]


def falling(share):
    """1.0 nats a token less likely at the end than at the beginning."""
    return -1.0 - share


def held_out(value, error):
    return HeldOut(Mean(value, error, 50), Mean(-0.5, 0.1, 50))


def test_without_data_nothing_is_said():
    assert diagnose(Evidence()) == []
    assert diagnose(Evidence(steps=[{"step": 1.0, "loss": 0.5}])) == []


FEW = [
    "margin",
    "kl",
    "entropy",
    "solved",
    "clipped_both",
    "gradient_norm",
    "accuracy",
    "chosen_logp_per_token",
]


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(FEW),
            st.floats(-1e6, 1e6) | st.just(math.nan),
        ),
        max_size=9,
    )
)
def test_fewer_than_ten_steps_show_no_trend(few):
    said = {one.title for one in diagnose(Evidence(steps=few))}
    assert said <= {WORDS["solved"].title, WORDS["far_from_reference"].title}


@pytest.mark.parametrize(
    ("value", "error", "verdict"),
    [
        (-0.2, 0.05, "falls"),
        (-0.2, 0.11, "unclear"),  # two errors reach above zero
        (-0.019, 0.001, "holds"),  # sure, and not worth a word
        (-0.03, 0.001, "falls"),
        (0.0, 0.024, "holds"),
        (0.0, 0.026, "unclear"),  # a fall of 0.05 is not ruled out
        (-0.2, None, "unclear"),
    ],
)
def test_held_out_pairs_fall_hold_or_are_too_few(value, error, verdict):
    assert held_out_verdict(Mean(value, error, 50)) == verdict


@pytest.mark.parametrize(
    ("curve", "held", "name", "level"),
    [
        (falling, held_out(0.01, 0.01), "chosen_falls_harmless", "fine"),
        (falling, held_out(-0.2, 0.01), "chosen_falls_harmful", "act"),
        (falling, held_out(-0.2, 0.2), "chosen_falls_unclear", "watch"),
        (falling, None, "chosen_falls_unknown", "watch"),
        (-1.0, held_out(-0.2, 0.01), "chosen_falls_elsewhere", "act"),
        (-1.0, held_out(0.01, 0.01), None, None),
        (-1.0, None, None, None),
        (lambda share: -1.0 - 0.02 * share, None, None, None),  # 0.016 nats: not worth a word
    ],
)
def test_what_was_not_trained_on_decides_whether_a_fall_is_harmful(curve, held, name, level):
    found = diagnose(Evidence(steps=steps(chosen_logp_per_token=curve), held_out=held))
    assert [(one.title, one.level) for one in found] == (
        [(WORDS[name].title, level)] if name else []
    )


def test_a_fall_is_told_with_its_numbers_and_the_first_thing_to_do():
    # The first five steps are at 0, 1/19, .. 4/19 (mean 2/19), the last five at a mean of 17/19.
    made = steps(chosen_logp_per_token=falling)
    [one] = diagnose(Evidence(steps=made, held_out=held_out(-0.2, 0.01)))
    assert f"went from {MINUS}1.105 to {MINUS}1.895 ({MINUS}0.789 ± 0.053) nats" in one.seen
    assert f"On 50 held-out prompts the policy gives chosen responses {MINUS}0.200 ± 0.010" in (
        one.seen
    )
    order = ["loss.rejected_floor", "loss.sft_weight", "epochs"]
    places = [one.next_step.index(f"training.{name}") for name in order]
    assert places == sorted(places)


def test_noise_is_no_fall():
    noisy = [{"step": i, "chosen_logp_per_token": -1.0 - 0.5 * (i % 2)} for i in range(40)]
    assert diagnose(Evidence(steps=noisy)) == []


def test_a_training_that_ended_clipped_says_so_and_sends_on_to_the_next_round():
    made = steps(clipped_both=lambda share: share)
    [one] = diagnose(Evidence(steps=made, ended="clipped", stop_when_clipped=0.7))
    assert (one.level, one.title) == ("fine", WORDS["ended_clipped"].title)
    # The last ten of 20 steps are 10/19 .. 19/19: mean 14.5/19.
    assert "Over the last 10 of 20 steps 76.3\xa0% of the pairs" in one.seen
    assert "training.stop_when_clipped is 70.0\xa0%" in one.seen


def test_a_training_that_would_have_ended_names_the_step():
    made = [{"step": i + 1, "clipped_both": float(i >= 10)} for i in range(30)]
    # After step 16 the last ten steps are 7..16, of which 11..16 are clipped: 60 %.
    [one] = diagnose(Evidence(steps=made, ended="epochs"))
    assert one.title == WORDS["clipped"].title and "By step 16 of 30" in one.seen
    assert "Set training.stop_when_clipped to 0.5" in one.next_step
    assert "would have ended at step 16" in one.next_step
    assert diagnose(Evidence(steps=made, ended="epochs", stop_when_clipped=1.0)) == []


def test_the_trainer_looks_at_as_many_steps_as_the_diagnosis():
    assert WINDOW == CLIPPED_WINDOW


def lengths(one, other, error=0.1):
    return Lengths(one, other, Mean(one - other, error, 40))


@pytest.mark.parametrize(
    ("answers", "pairs", "title"),
    [
        (lengths(12, 10), lengths(15, 10), "Responses grow longer, and the pairs teach it"),
        (lengths(12, 10), lengths(10, 10), "Responses grow longer, and the pairs' lengths do not"),
        (lengths(8, 10), lengths(15, 10), "Responses grow shorter, and the pairs' lengths do not"),
        (lengths(12, 10), None, "Responses grow longer, and the pairs' lengths do not"),
        (lengths(10, 10), lengths(15, 10), "Chosen responses are much longer"),
        (None, lengths(15, 10), "Chosen responses are much longer"),
        (lengths(10.9, 10), lengths(11.9, 10), None),
        (lengths(12, 10, error=1.1), lengths(15, 10, error=3), None),
        (None, lengths(10, 15), None),
        (Lengths(12, 10, Mean(2, None, 1)), None, None),
    ],
)
def test_length_drift_names_the_pairs_where_they_teach_it(answers, pairs, title):
    found = titles(answers=answers, pairs=pairs)
    assert len(found) == (title is not None)
    assert all(one.startswith(title) for one in found)


def test_length_drift_gives_both_figures():
    [one] = diagnose(Evidence(answers=lengths(12, 10), pairs=lengths(15, 10)))
    assert "have 12.00 words, the reference's 10.00: 20.0\xa0% more (+2.000 ± 0.100" in one.seen
    assert "have 15.00 words, rejected ones 10.00: 50.0\xa0% more" in one.seen


@pytest.mark.parametrize(
    ("curves", "name"),
    [
        ({"solved": 0.51}, "solved"),
        ({"solved": 0.5}, None),
        ({"solved": 0.9, "clipped_both": 0.9}, "clipped"),
        ({"entropy": lambda share: 2.0 - 1.9 * share}, "entropy_collapse"),
        ({"entropy": lambda share: 2.0 - 0.9 * share}, None),
        ({"kl": lambda share: 4 * share}, "far_from_reference"),
        ({"kl": 1.0}, None),
        ({"gradient_norm": lambda share: 10.1 if share == 0.0 else 1.0}, "gradient_spikes"),
        ({"gradient_norm": lambda share: 9.9 if share == 0.0 else 1.0}, None),
        ({"margin": 0.1, "accuracy": 0.5}, "not_learning"),
        ({"margin": lambda share: -share}, "not_learning"),
        ({"margin": lambda share: share}, None),
    ],
)
def test_each_sign_is_found_beyond_its_threshold_and_not_before(curves, name):
    assert titles(steps=steps(**curves)) == ([WORDS[name].title] if name else [])


def test_a_spike_is_named_by_its_step():
    norms = steps(gradient_norm=1.0)
    norms[6]["gradient_norm"], norms[2]["gradient_norm"] = 40.0, 20.0
    [one] = diagnose(Evidence(steps=norms))
    assert one.seen == (
        "2 of 20 steps had a norm above 10 times the median of 1.000; the highest was 40.00 at "
        "step 7."
    )


def test_what_does_harm_comes_first():
    made = steps(chosen_logp_per_token=falling, solved=0.9, kl=9.0, margin=lambda share: share)
    levels = [one.level for one in diagnose(Evidence(steps=made, held_out=held_out(0.01, 0.01)))]
    assert levels == ["act", "watch", "fine"] == list(LEVELS)


SETTING = re.compile(r"\b(?:training|pairs|prompts|evaluation|refresh)\.[a-z_.]*[a-z]")
NAMED = sorted(
    {
        name
        for words in WORDS.values()
        for text in (words.meaning, words.next_step)
        for name in SETTING.findall(text)
    }
)


def test_every_setting_that_a_finding_names_can_be_set():
    assert {"training.loss.rejected_floor", "pairs.held_out_share"} <= set(NAMED)
    loss = plain(variant_class("tasks.losses", "dual_clip_dpo")())
    for name in NAMED:
        section, _, rest = name.partition(".")
        if rest.startswith("loss."):
            assert rest.removeprefix("loss.") in loss, name
        else:
            fields = Config.model_fields[section].annotation.model_fields
            assert rest in fields, name
    assert "length_balance" in kinds("tasks.pair_filters")
    assert TrainingSection.model_fields["stop_when_clipped"].default is None
