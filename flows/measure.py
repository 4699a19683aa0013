"""How a round's policy is measured: the same doors once more, on evaluation prompts."""

from tasks.config import Config
from tasks.evaluate import evaluate
from tasks.judge import judge
from tasks.model_matrix import drawn_cells, evaluation_cells
from tasks.records import Artifact, Checkpoint, Evaluated, Place
from tasks.sample import sample
from tasks.score import score_drawn


def measure(
    prompts: Artifact,
    pairs: Artifact,
    scores: list[Artifact],
    policy: Checkpoint,
    config: Config,
    place: Place,
) -> Evaluated:
    """Let policy, reference and SFT model answer evaluation prompts, through the same doors."""
    settings = config.evaluation
    answers = sample(prompts, evaluation_cells(config, policy, place), "evaluation", place)
    judges, comparisons = settings.judges, settings.comparisons
    opinions = judge(prompts, answers, judges, comparisons, "evaluation", place)
    samples = sample(prompts, drawn_cells(config, policy), "divergence", place)
    drawn = score_drawn(prompts, samples, policy, config.training, place)
    report: Evaluated = evaluate(
        prompts, answers, opinions, pairs, scores, drawn, policy, settings, place
    )
    return report
