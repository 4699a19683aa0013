"""Measure models on their own: a run's policy, its SFT model and its cells, on any split."""

from prefect import flow

from infra.prefect.form import (
    CellNames,
    Overrides,
    PresetName,
    RecipeNames,
    RunName,
    Split,
    Temperatures,
)
from infra.prefect.names import laid_over
from tasks.average import averaged
from tasks.collect import collect_split
from tasks.evaluate import measure_cells
from tasks.model_matrix import measured_matrix
from tasks.records import Artifact, Collected
from tasks.rounds import outside_rounds
from tasks.sample import resolve_matrix, sample


@flow(name="tso-evaluation", flow_run_name="{run} · {split}", persist_result=False)
def evaluation(  # noqa: PLR0913, PLR0917 - a parameter for each field of the form
    run: RunName,
    preset: PresetName,
    recipes: RecipeNames = None,
    overrides: Overrides = None,
    split: Split = "dev",
    temperatures: Temperatures = (0.0,),
    cells: CellNames = (),
) -> Artifact:
    """Let the newest policy, the SFT model and the matrix's cells answer every prompt of a split.

    The artifact's rows are one value by metric, slice, cell and prompt.

    Args:
        run: The run whose policy is measured.
        preset: The file that describes the run.
        recipes: Methods laid over the preset, as the run has them.
        overrides: Settings to replace, by dotted key, e.g. `{"evaluation.metrics.words": null}`
        split: Which prompts. The gate decides on `held_out`; `sealed` is for the final report.
        temperatures: Each model answers at each of these, and at its own.
        cells: Some cells of the matrix; none means all.
    """
    config, place = outside_rounds(run, laid_over(preset, recipes), overrides or {})
    prompts, place = collect_split(config.prompts, split, place), averaged(config, place)
    matrix = measured_matrix(config, temperatures, cells, place)
    resolved = resolve_matrix(matrix, Collected(train=prompts, evaluation=prompts), place)
    answers = sample(prompts, resolved, f"evaluation-{split}", place)
    measured: Artifact = measure_cells(prompts, answers, config.evaluation.metrics, place)
    return measured
