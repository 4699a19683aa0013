"""TSO: rounds of sampling, feedback, pairing, training, evaluation; the algorithm in one file."""

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from tasks.annotate import annotate
from tasks.collect import collect
from tasks.config import Config
from tasks.evaluate import evaluate
from tasks.judge import judge
from tasks.model_matrix import evaluation_cells
from tasks.pair import pair
from tasks.records import Place, RoundWork
from tasks.refresh import refresh
from tasks.rounds import claimed
from tasks.sample import resolve_matrix, sample
from tasks.score import score
from tasks.train import train


@flow(name="tso", flow_run_name="{run}", persist_result=False)
def tso(
    run: str,
    preset: str = "quickstart",
    overrides: dict[str, Any] | None = None,
    rounds: int = 1,
    until: int | None = None,
) -> State[Any]:
    """Add `rounds` rounds to `run`, or go on until it has `until` of them.

    run: name of the run; it grows with every flow run that names it.
    preset: the file in flows/presets (or TSO_PRESETS) that describes it.
    overrides: settings to replace, by dotted keys.
    """
    done = 0
    with claimed(run, preset, overrides or {}, rounds, until) as claim:
        for place in claim.places():
            if not tso_round(claim.config, place):
                message = f"{run}: every train prompt has been used; add prompts to the pool"
                return Completed(name="PoolExhausted", message=message)
            done += 1
    return Completed(message=f"{run}: {done} rounds done, {claim.claim.last_index + 1} in all")


def tso_round(config: Config, place: Place) -> bool:
    """One round; False if no prompt is left to begin it with."""
    prompts = collect(config.prompts, place)
    if prompts is None:
        return False
    cells = resolve_matrix(config.matrix, place)
    responses = sample(prompts.train, cells, "train", place)
    verdicts = judge(prompts.train, responses, config.judges, config.comparisons, "train", place)
    feedback = annotate(
        prompts.train, responses, verdicts, config.annotate, config.comparisons, place
    )
    pairs = pair(feedback, config.correction, config.pairs, place)
    scores = score(
        "reference",
        prompts.train,
        feedback.responses,
        pairs,
        place.reference,
        config.training,
        place,
    )
    trained = train(
        prompts.train,
        feedback.responses,
        pairs,
        scores,
        config.training,
        config.pairs.filters,
        place,
    )

    answers = sample(
        prompts.evaluation, evaluation_cells(config, trained.policy, place), "evaluation", place
    )
    opinions = judge(
        prompts.evaluation,
        answers,
        config.evaluation.judges,
        config.evaluation.comparisons,
        "evaluation",
        place,
    )
    held_out = score(
        "policy", prompts.train, feedback.responses, pairs, trained.policy, config.training, place
    )
    report = evaluate(
        prompts.evaluation,
        answers,
        opinions,
        pairs,
        [scores, held_out],
        trained.policy,
        config.evaluation,
        place,
    )
    work = RoundWork(
        prompts=prompts, feedback=feedback, pairs=pairs, trained=trained, report=report
    )
    refresh(work, config, place)
    return True
