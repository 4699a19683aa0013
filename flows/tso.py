"""TSO: rounds of sampling, feedback, pairing, training, evaluation; the algorithm in one file."""

from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed

from flows.measure import measure
from infra.prefect.form import NumRounds, Overrides, PresetName, RecipeNames, RunName, UntilRounds
from infra.prefect.names import laid_over, run_name
from tasks.annotate import annotate, assess, calibrated, choose
from tasks.average import averaged
from tasks.collect import collect, decontaminated, decontaminated_feedback, foresee
from tasks.config import Config
from tasks.contend import contenders, winner
from tasks.estimate import estimate
from tasks.judge import judge
from tasks.pair import pair
from tasks.records import Artifact, Collected, Feedback, Place, RoundWork
from tasks.refresh import flattened, refresh
from tasks.replay import replayed
from tasks.rounds import claimed
from tasks.sample import resolve_matrix, sample
from tasks.score import resolve_references, score
from tasks.teach import teach
from tasks.train import train
from tasks.transform import transform
from tasks.waiting import people_answer


@flow(name="tso", flow_run_name=run_name, persist_result=False)
def tso(
    run: RunName,
    preset: PresetName = "quickstart",
    recipes: RecipeNames = None,
    rounds: NumRounds = 1,
    until: UntilRounds = None,
    overrides: Overrides = None,
) -> State[Any]:
    """Add rounds to a run, or go on until it has as many as asked for.

    Args:
        run: A new name begins a run, a known one goes on with it.
        preset: The file that describes the run: models, prompts, judges, training.
        recipes: Methods laid over the preset, later ones over earlier ones (docs/recipes.md).
        rounds: An unfinished round is finished first and counts as one.
        until: Adding rounds is usual. With a total, the run goes on until it has that many.
        overrides: Settings to replace, by dotted key, e.g. `{"training.epochs": 2}`
    """
    done = 0
    with claimed(run, laid_over(preset, recipes), overrides or {}, rounds, until) as claim:
        for place in claim.places():
            if why := flattened(claim.config.refresh, place):
                return Completed(name="GainFlattened", message=f"{run}: {why}")
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
    asked, place = prompts.train, averaged(config, place)
    foresee(config, prompts, place)
    cells = resolve_matrix(config.matrix, prompts, place)
    responses = decontaminated(sample(asked, cells, "train", place), config.prompts, place)
    verdicts = judge(asked, responses, config.judges, config.comparisons, "train", place)
    people, comparisons = config.annotate, config.comparisons
    items = choose(asked, responses, verdicts, people, comparisons, place)
    people_answer(items, people, place)  # a deployed flow run is suspended meanwhile
    feedback = annotate(asked, responses, verdicts, items, people, comparisons, place)
    feedback = decontaminated_feedback(feedback, config.prompts, place)
    quality = assess(feedback, config, place)  # below a floor the round ends here, before it costs
    works = [attempt(prompts, feedback, quality, *one) for one in contenders(config, place)]
    refresh(winner(works, config, place), config, place)
    return True


def attempt(
    drawn: Collected, feedback: Feedback, quality: Artifact, config: Config, place: Place
) -> RoundWork:
    """From feedback to a measured policy, by one recipe: the champion's or the challenger's."""
    asked, training = drawn.train, calibrated(config.training, quality, place)
    feedback = estimate(asked, feedback, config.estimator, config.correction, place)
    pairs = pair(asked, feedback, config.correction, config.pairs, place)
    feedback, pairs = transform(asked, feedback, pairs, config.transforms, place)
    asked, feedback, pairs = replayed(asked, feedback, pairs, config.replay, place)
    said, models = feedback.responses, resolve_references(training, place).items()
    scores = [score(role, asked, said, pairs, one, training, place) for role, one in models]
    for role, told in teach(asked, training, place).items():
        scores.append(score(role, told, said, pairs, place.reference, training, place))
    trained = train(asked, feedback, pairs, scores, training, config.pairs.filters, place)
    policy, report = trained.policy, None
    if config.evaluation.due(place.round_index):
        scored = [scores[0], score("policy", asked, said, pairs, policy, training, place)]
        report = measure(drawn.evaluation, pairs, scored, policy, config, place)
    return RoundWork(prompts=drawn, feedback=feedback, pairs=pairs, trained=trained, report=report)
