"""The models that score a round's pairs: its reference, and others beside it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from tasks.config_training import TrainingSection
from tasks.errors import ConfigError, DataError
from tasks.model_matrix import earlier, of_the_run
from tasks.records import Checkpoint, Place, ReferenceScore
from tasks.training_data import truncation
from tasks.variants import kind_of
from tasks.weights import reference_fingerprint

ESTIMATOR_OF = "estimator:"
"""Begins the name of a reward model that an earlier round's estimator has become."""
TEACHER = "teacher-"
"""Begins the role of what the reference says under an instruction of the teacher."""
OWN = ("policy", "reference", "sft")
"""Names of weights that a round has by itself."""


def references_of(
    names: Sequence[str], loss: Any, place: Place, describe: Callable[[str], Checkpoint]
) -> dict[str, Checkpoint]:
    """By role: `reference`, the round's own, then `further-1` and so on in the order of `names`.

    Raises ConfigError for one that reads texts in another way, where `loss` looks at tokens.
    """
    found = {"reference": place.reference}
    for number, name in enumerate(names, start=1):
        one = place_model("training.references", name, place, describe)
        check_reference(name, one, place.reference, loss)
        found[f"further-{number}"] = one
    return found


def check_reference(name: str, one: Checkpoint, policy: Checkpoint, loss: Any) -> None:
    """Raise ConfigError unless `one` reads texts as `policy` does, or `loss` needs sums alone."""
    if loss.REFERENCE_TOKENS and not reads_alike(one, policy):
        what = "tokenizer" if one.tokenizer != policy.tokenizer else "template"
        raise ConfigError(
            f"training.references names {name!r}, whose {what} is not that of the policy "
            f"({policy.uri}), and the loss {kind_of(loss)!r} looks at single tokens; take a model "
            "of the same family or a round (round:N), or the loss mrpo by itself"
        )


def reads_alike(one: Checkpoint, other: Checkpoint) -> bool:
    """Whether both make the same tokens of prompts and responses."""
    return (one.tokenizer, one.template) == (other.tokenizer, other.template)


def fingerprint_of(checkpoint: Checkpoint, training: TrainingSection) -> str:
    """The fingerprint that scores of `checkpoint` are filed under."""
    return reference_fingerprint(
        weights=checkpoint.sha256,
        tokenizer=checkpoint.tokenizer,
        template=checkpoint.template,
        dtype=training.dtype if training.master_weights else f"{training.dtype} weights",
        truncation=truncation(training),
    )


def check_scored_by(
    checkpoint: Checkpoint, training: TrainingSection, scores: Iterable[ReferenceScore]
) -> None:
    """Raise DataError unless `checkpoint` gave `scores`, read as `training` says."""
    wanted = fingerprint_of(checkpoint, training)
    for one in scores:
        if one.reference != wanted:
            raise DataError(
                f"response {one.response_id} was scored by the reference {one.reference}, the "
                f"round's is {wanted} ({checkpoint.uri}); score again: --set redo=[score]"
            )


def estimator_after(key: str, name: str, place: Place) -> Checkpoint:
    """The reward model that the estimator of an earlier round has become; ConfigError if none."""
    index = name.removeprefix(ESTIMATOR_OF)
    if not index.isdigit():
        raise ConfigError(f"{key} is {name!r}; write estimator:N with N from 0")
    if int(index) not in place.estimators:
        known = ", ".join(f"estimator:{one}" for one in sorted(place.estimators)) or "none"
        raise ConfigError(
            f"{key} is {name!r}, but round {index} has left no reward model of an estimator; "
            f"there are: {known}. Rounds leave one where estimator.kind is reward_model"
        )
    return place.estimators[int(index)]


def estimator_base(name: str, place: Place, describe: Callable[[str], Checkpoint]) -> Checkpoint:
    """The model that an estimator starts from; `former` is that of the round before, or the SFT."""
    if name == "former":
        return place.estimators.get(place.round_index - 1, place.sft)
    return place_model("estimator.model", name, place, describe)


def place_model(
    key: str, name: str, place: Place, describe: Callable[[str], Checkpoint]
) -> Checkpoint:
    """As `named_model`, at `place`; and `estimator:N`, what the estimator of round N became."""
    if name.startswith(ESTIMATOR_OF):
        return estimator_after(key, name, place)
    return named_model(key, name, models_of_run(place), describe)


class ModelsOfRun(NamedTuple):
    """The weights that a run has by itself in a round."""

    sft: Checkpoint
    """Where the run started."""
    start: Checkpoint
    """Where the round starts."""
    policies: Mapping[int, Checkpoint] = MappingProxyType({})
    """That came out of earlier rounds."""
    averages: Mapping[float, Checkpoint] = MappingProxyType({})
    """Of these policies, by decay."""


def models_of_run(place: Place) -> ModelsOfRun:
    """What names of the run's own models mean at `place`."""
    return ModelsOfRun(place.sft, place.reference, place.policies, place.averages)


def named_model(
    key: str, name: str, own: ModelsOfRun, describe: Callable[[str], Checkpoint]
) -> Checkpoint:
    """The weights that `name` means in a round.

    `policy` and `reference` are where the round starts; `sft` is where the run did; `round:N` the
    policy after that round, `ema:G` an average of them; anything else is a folder or a hub id.
    Errors name the setting `key`.
    """
    if name in OWN:
        return own.sft if name == "sft" else own.start
    if of_the_run(name):
        return earlier(key, name, own.sft, own.policies, own.averages)
    return describe(name)
