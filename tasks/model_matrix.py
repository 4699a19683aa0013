"""The model matrix: configured cells with the weights they stand for in this round."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from tasks.canonical import digest
from tasks.config import CellSection, Config
from tasks.errors import ConfigError
from tasks.records import Checkpoint, Place
from tasks.variants import settings_of

EARLIER, AVERAGE = "round:", "ema"
OWN_DECAY = 0.5
"""Of the average that is named without one."""
EVALUATED = ("policy", "reference", "sft")
"""Names of the cells that answer evaluation prompts."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One entry of the matrix in one round."""

    name: str
    """Its name in the configuration."""
    settings: CellSection
    """Engine and decoding."""
    checkpoint: Checkpoint | None
    """The weights; None where an API or a file answers."""
    fingerprint: str
    """What is sampled: digest of weights or of recorded rows, or the name of an API model."""
    origin: str
    """policy, model, human or recorded."""
    share: float = 1.0
    """Share of the round's prompts that it answers."""

    @cached_property
    def digest(self) -> str:
        """What decides its responses: weights (or API model and revision), engine, decoding."""
        return digest({"sampled": self.fingerprint, **settings_of(self.settings)})[:16]


def matrix_cells(
    matrix: Mapping[str, CellSection],
    place: Place,
    describe: Callable[[str], Checkpoint],
    fingerprint: Callable[[CellSection], str],
) -> dict[str, Cell]:
    """The cells of this round's matrix.

    `describe` turns a model's name into a checkpoint; `fingerprint` names what a cell without
    weights of its own answers with.
    """
    cells = {}
    for name, settings in matrix.items():
        checkpoint = _checkpoint(name, settings, place, describe)
        cells[name] = Cell(
            name=name,
            settings=settings,
            checkpoint=checkpoint,
            fingerprint=_sampled(settings, checkpoint, fingerprint),
            origin="policy" if settings.model == "policy" else settings.origin,
            share=place.shares.get(name, 1.0),
        )
    _refuse_twins(cells)
    return cells


def _sampled(
    settings: CellSection, checkpoint: Checkpoint | None, fingerprint: Callable[[CellSection], str]
) -> str:
    """What answers: the weights, the weights with an adapter, or what the engine names."""
    if checkpoint is None:
        return fingerprint(settings)
    if not getattr(settings.engine, "adapter", ""):
        return checkpoint.sha256
    return digest([checkpoint.sha256, fingerprint(settings)])


def _refuse_twins(cells: Mapping[str, Cell]) -> None:
    """Two cells that are the same file or API model would give one response two owners."""
    owners: dict[str, str] = {}
    for name, cell in cells.items():
        other = owners.setdefault(cell.digest, name)
        if other != name and cell.checkpoint is None:
            raise ConfigError(
                f"matrix.{name} and matrix.{other} bring the same responses (equal rows or model, "
                "equal settings); keep one, with more samples, or choose rows by `where`"
            )


def _checkpoint(
    name: str, cell: CellSection, place: Place, describe: Callable[[str], Checkpoint]
) -> Checkpoint | None:
    if not cell.engine.NEEDS_WEIGHTS:
        return None
    if cell.model == "policy":
        return place.reference
    if of_the_run(cell.model):
        key = f"matrix.{name}.model"
        return earlier(key, cell.model, place.sft, place.policies, place.averages)
    return describe(cell.model)


def of_the_run(model: str) -> bool:
    """Whether `model` names what earlier rounds of the run left: round:N, ema or ema:G."""
    return model.startswith(EARLIER) or model == AVERAGE or model.startswith(f"{AVERAGE}:")


def decay_of(key: str, model: str) -> float | None:
    """The decay of the average that `model` names, None if it names none; `ema` is `ema:0.5`.

    Raises ConfigError if it is no share.
    """
    name, colon, given = model.partition(":")
    if name != AVERAGE:
        return None
    try:
        decay = float(given) if colon else OWN_DECAY
    except ValueError:
        decay = -1.0
    if not 0 <= decay < 1:
        raise ConfigError(f"{key} is {model!r}; write ema, or ema:G with G from 0 to below 1")
    return decay


def earlier(
    key: str,
    model: str,
    sft: Checkpoint,
    policies: Mapping[int, Checkpoint],
    averages: Mapping[float, Checkpoint],
) -> Checkpoint:
    """The policy after an earlier round, or an average of all of them, by decay.

    In rounds before them, it is the model the run started from.
    """
    decay = decay_of(key, model)
    if decay is not None:
        return averages.get(decay, sft)
    index = model.removeprefix(EARLIER)
    if not index.isdigit():
        raise ConfigError(f"{key} is {model!r}; write round:N with N from 0")
    return policies.get(int(index), sft)


def own_cells(config: Config) -> dict[str, list[str]]:
    """The cells that are sampled from each judge's own model, for the judges that are a cell's."""
    models = {name: getattr(judge, "model", "") for name, judge in config.judges.items()}
    found = {
        judge: sorted(name for name, cell in config.matrix.items() if cell.model == model)
        for judge, model in models.items()
        if model
    }
    return {judge: cells for judge, cells in found.items() if cells}


def evaluated_name(sha256: str) -> str:
    """Cell name of evaluation answers of the weights `sha256`.

    Named by weights, not by role: this round's policy is the next round's reference, and its
    answers to the same prompts are sampled once.
    """
    return f"weights-{sha256[:12]}"


def evaluation_cells(config: Config, policy: Checkpoint, place: Place) -> dict[str, Cell]:
    """Policy, reference and SFT model as cells that answer evaluation prompts once, by role.

    Decoding is the policy cell's with the evaluation temperature. Equal weights appear once.
    """
    base = config.matrix[config.policy_cell]
    settings = base.model_copy(
        update={"temperature": config.evaluation.temperature, "samples": 1, "top_p": 1.0}
    )
    cells: dict[str, Cell] = {}
    for role, checkpoint in zip(EVALUATED, (policy, place.reference, place.sft), strict=True):
        if all(cell.fingerprint != checkpoint.sha256 for cell in cells.values()):
            cells[role] = Cell(
                name=evaluated_name(checkpoint.sha256),
                settings=settings,
                checkpoint=checkpoint if settings.engine.NEEDS_WEIGHTS else None,
                fingerprint=checkpoint.sha256,
                origin="model",
            )
    return cells


def drawn_cells(config: Config, policy: Checkpoint) -> dict[str, Cell]:
    """The policy as a cell that is sampled for its divergence; none where it is not measured.

    It answers as it is scored: at temperature 1, all tokens allowed, without a system prompt.
    """
    if config.evaluation.divergence is None:
        return {}
    wanted = config.evaluation.divergence
    settings = config.matrix[config.policy_cell].model_copy(
        update={"temperature": 1.0, "top_p": 1.0, "system": "", "samples": wanted.samples}
    )
    cell = Cell(
        name=f"drawn-{policy.sha256[:12]}",
        settings=settings,
        checkpoint=policy if settings.engine.NEEDS_WEIGHTS else None,
        fingerprint=policy.sha256,
        origin="model",
        share=wanted.share,
    )
    return {"policy": cell}


def measured_matrix(
    config: Config, temperatures: tuple[float, ...], cells: tuple[str, ...], place: Place
) -> dict[str, CellSection]:
    """Newest policy, SFT model and cells with weights, each at its own and at `temperatures`.

    Cells are named `name@temperature` and draw one sample; the newest policy is the last round's,
    whether or not it became a reference. `cells` names some of them, none means all.
    """
    newest = f"{EARLIER}{max(place.policies, default=0)}"
    models = {"policy": newest, "sft": config.run.base_model}
    own = config.matrix[config.policy_cell]
    sources = {name: own.model_copy(update={"model": model}) for name, model in models.items()}
    sources |= {
        name: cell
        for name, cell in config.matrix.items()
        if cell.engine.NEEDS_WEIGHTS and cell.model != "policy"
    }
    if unknown := [name for name in cells if name not in sources]:
        raise ConfigError(f"no cells {unknown} to measure; there are: {', '.join(sources)}")
    return {
        f"{name}@{temperature:g}": cell.model_copy(
            update={"temperature": temperature, "samples": 1}
        )
        for name, cell in sources.items()
        if name in (cells or sources)
        for temperature in sorted({cell.temperature, *temperatures})
    }
