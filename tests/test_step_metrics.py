import json
from dataclasses import fields

from tasks.step_metrics import TRAINER_KEYS, OwnMetric, StepMetrics, reported
from tasks.tables import content, from_table, to_table

LINE = {
    "step": 1, "steps": 3, "loss": 0.5, "gap": 0.25, "margin": 0.1, "share": float("nan"),
    "gradient_norm": 2.0, "learning_rate": 1e-3, "tokens_per_second": 99.0,
}  # fmt: skip


def test_what_a_loss_reports_besides_is_kept_by_name_where_it_is_finite():
    metrics = StepMetrics.of(json.dumps(LINE))
    assert (metrics.margin, metrics.accuracy) == (0.1, None)
    assert metrics.other == [OwnMetric(name="gap", value=0.25)]


def test_own_metrics_come_back_from_the_table_and_enter_its_digest():
    rows = [StepMetrics.of(json.dumps(LINE | {"gap": gap})) for gap in (0.25, 0.5)]
    one, other = (to_table(StepMetrics, [row]) for row in rows)
    assert list(from_table(StepMetrics, one)) == rows[:1]
    assert content(StepMetrics, one) != content(StepMetrics, other)


def test_the_speed_and_the_names_of_losses_stay_apart_from_the_trainers_own():
    assert {"step", "steps", "loss", "kl", "entropy", "tokens_per_second"} <= TRAINER_KEYS
    assert not TRAINER_KEYS & {"margin", "clipped_both", "accuracy"}
    assert "tokens_per_second" not in {field.name for field in fields(StepMetrics)}


def test_the_report_gets_own_metrics_beside_the_others_and_nothing_for_what_is_missing():
    [row] = to_table(StepMetrics, [StepMetrics.of(json.dumps(LINE))]).to_pylist()
    left = {key: LINE[key] for key in ("step", "loss", "margin", "gradient_norm", "learning_rate")}
    assert reported(row) == left | {"gap": 0.25}
