"""Bring recorded responses and verdicts in by the ordinary doors; nothing is sampled or asked."""

from typing import Any

from prefect import flow

from tasks.collect import collect_split
from tasks.judge import judge
from tasks.records import Collected, Feedback
from tasks.rounds import recorded_data
from tasks.sample import resolve_matrix, sample


@flow(name="tso-recorded", flow_run_name="{preset} · {split}", persist_result=False)
def recorded(preset: str, overrides: dict[str, Any] | None = None, split: str = "all") -> Feedback:
    """Join the responses of the recorded cells with the verdicts of the recorded judges.

    split: train, dev, held_out, sealed, or all.
    """
    data, place = recorded_data(preset, overrides or {})
    prompts = collect_split(data.prompts, split, place)
    cells = resolve_matrix(data.matrix, Collected(train=prompts, evaluation=prompts), place)
    responses = sample(prompts, cells, "recorded", place)
    verdicts = judge(prompts, responses, data.judges, None, "recorded", place)
    return Feedback(responses=responses, verdicts=verdicts)
