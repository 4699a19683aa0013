import pytest
from training_jobs import train_spec

from tasks.errors import ConfigError
from tasks.training.schedule import learning_rate, num_steps
from tasks.training.settings import TrainingSettings, TrainJob, parse_job


def settings(**fields):
    return TrainingSettings(learning_rate=1.0, **fields)


def rates(decay, steps=8, warmup_share=0.25):
    chosen = settings(decay=decay, warmup_share=warmup_share)
    return [learning_rate(chosen, step, steps) for step in range(steps)]


def test_the_rate_rises_to_its_peak_and_falls_linearly():
    assert rates("linear") == pytest.approx([1 / 2, 1, 1, 5 / 6, 4 / 6, 3 / 6, 2 / 6, 1 / 6])


def test_a_constant_rate_stays():
    assert rates("constant", warmup_share=0.0) == [1.0] * 8


def test_a_cosine_is_half_way_down_in_the_middle():
    assert rates("cosine", steps=4, warmup_share=0.0) == pytest.approx(
        [1, 0.8535534, 0.5, 0.1464466]
    )


def test_the_last_batch_of_an_epoch_may_be_smaller():
    assert num_steps(settings(epochs=2, prompts_per_batch=4), num_prompts=9) == 6


def test_max_steps_only_shortens():
    assert num_steps(settings(max_steps=5, prompts_per_batch=1), num_prompts=3) == 3
    assert num_steps(settings(max_steps=2, prompts_per_batch=1), num_prompts=3) == 2


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (train_spec("m", settings={"learning_rate": -1}), "learning_rate"),
        (train_spec("m", settings={"warm_up": 1}), "warm_up"),
        (train_spec("m", loss={"kind": "ippo"}), "dual_clip_dpo"),
        (train_spec("m", extra=1), "extra"),
    ],
)
def test_a_wrong_spec_names_its_key(spec, message):
    with pytest.raises(ConfigError, match=message):
        parse_job(TrainJob, spec)
