"""What a run is made of: one frozen, fully described configuration.

A preset file is a whole configuration. Unknown keys are refused; every problem is a ConfigError
that names the key, the value and what is allowed. Fields marked `NotInKey` change how work is
done, never what comes out, so they do not enter stage keys.
"""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field, TypeAdapter, ValidationError, model_validator
from pydantic_core import ErrorDetails

from tasks.agreement.settings import AgreementSettings
from tasks.cards.settings import CardSettings
from tasks.config_evaluation import (
    ComparisonRule,
    EvaluationSection,
    Judge,
    RefreshSection,
)
from tasks.config_matrix import CellSection as CellSection
from tasks.config_training import Positive, Section, Share, TrainingSection
from tasks.consistency import check_challenger, check_consistent
from tasks.correction import CorrectionSettings
from tasks.decontamination.settings import DecontaminationSettings
from tasks.diversity.settings import DiversitySettings
from tasks.errors import ConfigError
from tasks.label_studio_settings import LabelStudioSettings
from tasks.layers import with_overrides
from tasks.near_duplicates import NearDuplicateSettings
from tasks.placement import Placement, refuse_those_that_stay
from tasks.placement_checks import check_placement
from tasks.queue.settings import QueueSettings
from tasks.quotas import QuotaSettings
from tasks.sources import SourceIn
from tasks.spending import Budget, EndpointLimits, Price, Terms
from tasks.storage_settings import StorageSettings
from tasks.variants import NotInKey, chosen_from, first_problem, problem_text

EvaluationSet = Annotated[Any, *chosen_from("tasks.evaluation_sets")]
Aggregation = Annotated[Any, *chosen_from("tasks.aggregations")]
PairRule = Annotated[Any, *chosen_from("tasks.pair_rules")]
LabelRule = Annotated[Any, *chosen_from("tasks.label_rules")]
PairFilter = Annotated[Any, *chosen_from("tasks.pair_filters")]
Replay = Annotated[Any, *chosen_from("tasks.replays")]
Selection = Annotated[Any, *chosen_from("tasks.selections")]
Estimator = Annotated[Any, *chosen_from("tasks.estimators")]
Transform = Annotated[Any, *chosen_from("tasks.transforms")]


class RunSection(Section):
    """What the run starts from."""

    base_model: str
    """The SFT model: a local folder or a hub id. It is the first policy and the first reference."""
    seed: int = 0
    """Everything random derives from it, the round, the verb and record ids."""


class PromptsSection(Section):
    """The pool of prompts."""

    files: Annotated[list[SourceIn], Field(min_length=1), NotInKey]
    """Tables of prompts: messages (or prompt), split, tags, checks, source, source_id."""
    split_shares: Annotated[dict[str, Share], NotInKey] = Field(default_factory=dict)
    """Shares of prompts whose row names no split for dev, held_out, sealed; the rest is train."""
    per_round: Positive = 1024
    """Prompts that one round trains on; a prompt is used once."""
    held_out: Positive = 256
    """Held-out prompts of the files that the gate draws each round."""
    evaluation: Annotated[dict[str, EvaluationSet], NotInKey] = Field(default_factory=dict)
    """Evaluation sets by name, which is a tag of their prompts; measured beside held-out ones."""
    decontamination: DecontaminationSettings | None = DecontaminationSettings()
    """What repeats a prompt of another split is kept out of training; null: nothing is."""


class AnnotateSection(Section):
    """What people add: verdicts on a budgeted part of the comparisons, and responses."""

    budget: Share = 0.0
    """Share of the comparisons that people see, repeats and the random share included."""
    queue: QueueSettings = QueueSettings()
    """Which comparisons these are."""
    people: dict[str, Judge] = Field(default_factory=dict)
    """Simulated people by name; they take turns, and answer at once."""
    aggregation: Aggregation | None = None
    """How several people's answers to a comparison become one; null: most of them decide."""
    verdict_files: list[SourceIn] = Field(default_factory=list)
    """Tables of verdicts: prompt, a and b (texts) or a_id and b_id, outcome, annotator, ...; on one
    response: prompt and response (its text) or response_id, thumbs (up, down), annotator."""
    response_files: list[SourceIn] = Field(default_factory=list)
    """Tables of responses written by people: prompt (or messages, ...), response, annotator."""

    front_end: Annotated[Literal["page", "label_studio", "files", "none"], NotInKey] = "page"
    """Where people answer; none: nobody is asked, simulated people apart."""
    quorum: Annotated[float, Field(gt=0, le=1), NotInKey] = 0.9
    """Share of the wanted answers with which the round goes on."""
    deadline_hours: Annotated[float | None, Field(gt=0), NotInKey] = 72.0
    """Hours after which it no longer waits; null: it waits for the quorum, or until it is told."""
    on_deadline: Annotated[Literal["go_on", "fail"], NotInKey] = "go_on"
    """At the deadline the round goes on with the answers there are, or fails."""
    label_studio: Annotated[LabelStudioSettings | None, NotInKey] = None
    """The server for `front_end: label_studio`."""

    @property
    def asks_people(self) -> bool:
        """Whether there is a queue: a budget, and somebody who may answer."""
        return bool(self.budget and (self.people or self.front_end != "none"))


class PairsSection(Section):
    """From preferences to preference pairs."""

    rule: PairRule | None = None
    """Which preferences become pairs; null where `labels` makes all that is trained on."""
    selection: Selection | None = None
    """Which responses of a prompt the rule sees; null: all of them."""
    labels: LabelRule | None = None
    """How single responses get a label, for losses on single responses; null: from the pairs."""
    filters: list[PairFilter] = Field(default_factory=list)
    """What drops pairs, in this order."""
    held_out_share: Share = 0.05
    """Share of the prompts whose pairs measure reward accuracy and are not trained on."""


class ChallengerSection(Section):
    """A second recipe on the same feedback; the better policy of the two goes on."""

    set: dict[str, Any] = Field(min_length=1)
    """Settings that differ, by dotted key, of sections after `annotate`."""


class MachineSection(Section):
    """How work is spread over this machine; never part of a stage's key."""

    side_by_side: Positive | None = None
    """Cells that are sampled at the same time; null: as many as memory and GPUs hold."""


class Config(Section):
    """A whole run."""

    run: RunSection
    storage: Annotated[StorageSettings, NotInKey]
    """Where artifacts live."""
    prompts: PromptsSection
    matrix: dict[str, CellSection] = Field(min_length=1)
    """The model matrix, cells by name; one cell is the current policy."""
    quotas: QuotaSettings = QuotaSettings()
    """Whether a cell's share follows how useful its responses were."""
    judges: dict[str, Judge] = Field(default_factory=dict)
    """The AI judges, by name."""
    comparisons: ComparisonRule
    """Which responses are compared."""
    near_duplicates: NearDuplicateSettings = NearDuplicateSettings()
    """Which responses to a prompt are so alike that one is compared for all of them."""
    annotate: AnnotateSection = AnnotateSection()
    correction: CorrectionSettings = CorrectionSettings()
    """How prior, judges and people become preferences."""
    estimator: Estimator | None = None
    """Who learns from the round's verdicts and then scores its responses; null: nobody."""
    agreement: AgreementSettings = AgreementSettings()
    """How far judges and people agree, and below what no training starts."""
    diversity: DiversitySettings = DiversitySettings()
    """How different responses are, as the report shows it."""
    pairs: PairsSection
    transforms: list[Transform] = Field(default_factory=list)
    """What edits pairs, or adds to them, before they are trained on, in this order."""
    replay: Replay | None = None
    """Which pairs of earlier rounds a round trains on again; null: none."""
    training: TrainingSection
    challenger: ChallengerSection | None = None
    """Another recipe that makes a policy of the same feedback; null: there is one."""
    evaluation: EvaluationSection
    refresh: RefreshSection
    machine: Annotated[MachineSection, NotInKey] = MachineSection()
    placement: Annotated[Placement, BeforeValidator(refuse_those_that_stay), NotInKey] = Placement()
    """Where verbs are done: `local`, or on work pools of a Prefect server (docs/placement.md)."""
    prices: Annotated[dict[str, Price], NotInKey] = Field(default_factory=dict)
    """By a model's name: USD for a million prompt tokens and for a million completion tokens."""
    budget: Annotated[Budget, NotInKey] = Budget()
    """What calls to servers may cost."""
    endpoints: Annotated[dict[str, EndpointLimits], NotInKey] = Field(default_factory=dict)
    """Limits of servers, by a name of your own."""
    card: Annotated[CardSettings, NotInKey] = CardSettings()
    """Licences and sources, for the cards of data and model (`tso card`)."""

    @model_validator(mode="after")
    def _consistent(self) -> "Config":
        """Refuse what single sections cannot see."""
        check_consistent(self)
        self._check_challenger()
        check_placement(self)
        return self

    def _check_challenger(self) -> None:
        """Refuse a challenger that could not be, as the preset would be refused."""
        if self.challenger is None:
            return
        check_challenger(self.challenger.set)
        plain = {**plain_config(self), "challenger": None}
        try:
            build_config(with_overrides(plain, self.challenger.set))
        except ConfigError as error:
            raise ConfigError(f"challenger.set: {error}") from error

    @property
    def terms(self) -> Terms:
        """On which terms servers are called."""
        return Terms(prices=self.prices, budget=self.budget, endpoints=self.endpoints)

    @property
    def policy_cell(self) -> str:
        """Name of the cell that samples the current policy."""
        return next(name for name, cell in self.matrix.items() if cell.model == "policy")


_STORAGE = TypeAdapter(StorageSettings)


def build_config(data: Mapping[str, Any]) -> Config:
    """The configuration of `data`; ConfigError says which key is wrong and why."""
    try:
        return Config.model_validate(data)
    except ValidationError as error:
        raise ConfigError(f"configuration: {_said(error)[0]}") from error


def storage_of(data: Mapping[str, Any]) -> StorageSettings:
    """The settings of a store that `data` writes; ConfigError says which key is wrong and why."""
    try:
        return _STORAGE.validate_python(dict(data))
    except ValidationError as error:
        known = ", ".join(_fields(StorageSettings))
        raise ConfigError(f"storage: {first_problem(error)}; it takes: {known}") from error


def config_problems(data: Mapping[str, Any]) -> list[str]:
    """Everything that is wrong with `data`, where `build_config` names the first."""
    try:
        Config.model_validate(data)
    except ValidationError as error:
        return _said(error)
    return []


def _said(error: ValidationError) -> list[str]:
    """Each problem in words, with what is allowed."""
    problems = error.errors(include_url=False)
    return [f"{problem_text(one)}{_allowed(one)}" for one in problems]


def _allowed(problem: ErrorDetails) -> str:
    """For a key that is not known: the keys that its section has."""
    if problem["type"] not in ("extra_forbidden", "unexpected_keyword_argument"):
        return ""
    section: Any = Config
    for name in problem["loc"][:-1]:
        section = _inner(section, name)
    return f"; allowed here: {', '.join(_fields(section))}"


def _inner(section: Any, name: str | int) -> Any:
    """The section behind `name` in `section`, or behind any name of a mapping of sections."""
    known = getattr(section, "model_fields", {})
    if name not in known:
        return section
    hint = known[str(name)].annotation
    return next((one for one in (*get_args(hint), hint) if _fields(one)), section)


def _fields(section: Any) -> list[str]:
    """Names of the fields of a section or of a group of settings; none of anything else."""
    if is_dataclass(section):
        return [field.name for field in fields(section)]
    return list(getattr(section, "model_fields", ()))


def plain_config(config: Config) -> dict[str, Any]:
    """`config` as a preset file would write it."""
    data: dict[str, Any] = config.model_dump(mode="json")
    return data
