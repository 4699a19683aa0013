"""Measure models on their own: a run's policy, its SFT model and its cells, on any split."""

from typing import Any

from prefect import flow

from tasks.collect import collect_split
from tasks.evaluate import measure_cells
from tasks.model_matrix import measured_matrix
from tasks.records import Artifact, Collected
from tasks.rounds import outside_rounds
from tasks.sample import resolve_matrix, sample


@flow(name="tso-evaluation", flow_run_name="{run} · {split}", persist_result=False)
def evaluation(
    run: str,
    preset: str,
    overrides: dict[str, Any] | None = None,
    split: str = "dev",
    temperatures: tuple[float, ...] = (0.0,),
    cells: tuple[str, ...] = (),
) -> Artifact:
    """Let the newest policy, the SFT model and the matrix's cells answer every prompt of `split`.

    Each answers at each of `temperatures` and at its own; `cells` names some of them, none means
    all. The artifact's rows are one value by metric, slice, cell and prompt.
    """
    config, place = outside_rounds(run, preset, overrides or {})
    prompts = collect_split(config.prompts, split, place)
    matrix = measured_matrix(config, temperatures, cells, place)
    resolved = resolve_matrix(matrix, Collected(train=prompts, evaluation=prompts), place)
    answers = sample(prompts, resolved, f"evaluation-{split}", place)
    measured: Artifact = measure_cells(prompts, answers, config.evaluation.metrics, place)
    return measured
