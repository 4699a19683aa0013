"""What the cards of a run say: facts of its rounds, and what its settings state."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tasks.cards.settings import CardSettings
from tasks.ledger.provenance import SHORT, cell_settings, judge_named
from tasks.ledger.rounds import WHOLE, RoundFacts
from tasks.records import EvalReport

NOT_STATED = "not stated"
SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (1_000_000, "100K<n<1M"))
"""Classes of size as the hub names them, by the number they end below."""


@dataclass(frozen=True, kw_only=True)
class CardFacts:
    """A run as its cards need it."""

    run: str
    """Its name."""
    rounds: Sequence[RoundFacts]
    """Those that the cards are about, in order; the model is that of the last."""
    settings: CardSettings
    """What people state."""
    sources: Mapping[str, int]
    """Prompts trained on, by their `source`."""
    people: int
    """Persons whose verdicts are in it; simulated ones are none."""
    people_verdicts: int
    """Verdicts of these persons."""
    simulated: int = 0
    """Verdicts of simulated people."""
    origin: Mapping[str, Any] | None = field(default=None)
    """Run and round that it was forked from."""

    @property
    def newest(self) -> RoundFacts:
        """The round whose policy the model is."""
        return self.rounds[-1]

    @property
    def title(self) -> str:
        """What data and model are called."""
        return self.settings.title or self.run

    @property
    def contents(self) -> str:
        """What the data set holds."""
        both = (("preference pairs", self.pairs), ("labels of single responses", self.labels))
        return " and ".join(name for name, number in both if number) or both[0][0]

    @property
    def pairs(self) -> int:
        """Pairs that the rounds made to train on."""
        return sum(one.pairs for one in self.rounds)

    @property
    def held_out(self) -> int:
        """Pairs held out to measure policies."""
        return sum(one.count("pair", "held_out") for one in self.rounds)

    @property
    def labels(self) -> int:
        """Labels of single responses, those held out included."""
        return sum(one.count("pair", "labels") for one in self.rounds)


class SourceRow(NamedTuple):
    """Prompts or responses of one source."""

    name: str
    rows: int
    licence: str
    url: str


class CellFacts(NamedTuple):
    """A cell over all rounds."""

    name: str
    model: str
    settings: str
    origin: str
    responses: int
    chosen: int
    rejected: int
    licence: str


class FigureRow(NamedTuple):
    """A metric on a slice."""

    metric: str
    slice: str
    policy: EvalReport
    reference: EvalReport | None
    sft: EvalReport | None


def source_rows(facts: CardFacts) -> list[SourceRow]:
    """Where prompts come from, the largest source first."""
    ordered = sorted(facts.sources.items(), key=lambda one: (-one[1], one[0]))
    return [_source(facts, name, rows) for name, rows in ordered]


def _source(facts: CardFacts, name: str, rows: int) -> SourceRow:
    said = facts.settings.sources.get(name)
    return SourceRow(
        name=name or "(none named)",
        rows=rows,
        licence=(said.licence if said else "") or NOT_STATED,
        url=(said.url if said else "") or NOT_STATED,
    )


def cell_rows(facts: CardFacts) -> list[CellFacts]:
    """Who wrote responses, with what became of them."""
    responses, chosen, rejected = Counter[str](), Counter[str](), Counter[str]()
    cells: dict[str, Mapping[str, Any]] = {}
    for one in facts.rounds:
        cells |= one.config.get("matrix", {})
        for role, artifact in one.manifest["artifacts"].items():
            if role.startswith("sample-train-"):
                responses[role.removeprefix("sample-train-")] += artifact["rows"]
        for pairs in one.pair_cells:
            chosen[pairs.chosen] += pairs.pairs
            rejected[pairs.rejected] += pairs.pairs
    return [
        CellFacts(
            name=name,
            model=str(cell.get("model") or "recorded"),
            settings=cell_settings(cell),
            origin=str(cell.get("origin", "")),
            responses=responses[name],
            chosen=chosen[name],
            rejected=rejected[name],
            licence=_source(facts, name, 0).licence,
        )
        for name, cell in cells.items()
    ]


def judge_rows(facts: CardFacts) -> list[tuple[str, str]]:
    """The judges that labelled, by name: what each is."""
    judges: dict[str, str] = {}
    for one in facts.rounds:
        judges |= {
            name: judge_named(settings) for name, settings in one.config.get("judges", {}).items()
        }
    return list(judges.items())


def outcome_rows(facts: CardFacts) -> list[tuple[str, int]]:
    """What became of comparisons, added over the rounds, the most frequent first."""
    return _added(facts, "pair", "preference_")


def dropped_rows(facts: CardFacts) -> list[tuple[str, int]]:
    """Pairs that filters dropped, and prompts that were in an evaluation set, by reason."""
    pairs = _added(facts, "pair", "dropped_")
    return [*pairs, *_added(facts, "collect-train", "contaminated")]


def _added(facts: CardFacts, role: str, prefix: str) -> list[tuple[str, int]]:
    found = Counter[str]()
    for one in facts.rounds:
        for name, number in one.manifest["counts"].get(role, {}).items():
            if name.startswith(prefix) and number:
                found[name.removeprefix(prefix) if prefix.endswith("_") else name] += number
    return sorted(found.items(), key=lambda one: (-one[1], one[0]))


def figure_rows(facts: CardFacts) -> list[FigureRow]:
    """What was measured of the policy, with the reference and the SFT model beside it."""
    newest = facts.newest
    rows = []
    for report in newest.evaluation:
        if report.checkpoint == newest.policy:
            key = (report.metric, report.slice)
            reference, sft = (newest.figure(*key, who) for who in ("reference", "sft"))
            rows.append(FigureRow(*key, report, reference, sft))
    return sorted(rows, key=lambda row: (row.metric, row.slice != WHOLE, row.slice))


def data_matter(facts: CardFacts) -> dict[str, Any]:
    """The front matter of the data set's card; what is not stated is left out."""
    total = facts.pairs + facts.held_out + facts.labels
    size = next((name for limit, name in SIZES if total < limit), "n>1M")
    held_out_labels = sum(one.count("pair", "held_out_labels") for one in facts.rounds)
    splits = [
        {"name": "train", "num_examples": facts.pairs + facts.labels - held_out_labels},
        {"name": "held_out", "num_examples": facts.held_out + held_out_labels},
    ]
    return _stated(
        license=facts.settings.data_licence,
        language=facts.settings.languages,
        pretty_name=f"{facts.title}: {facts.contents}",
        task_categories=["text-generation"],
        size_categories=[size],
        tags=["preference-pairs", "dpo", "tso"] if facts.pairs else ["labels", "tso"],
        dataset_info={"splits": splits},
    )


def model_matter(facts: CardFacts) -> dict[str, Any]:
    """The front matter of the model's card; what is not stated is left out."""
    kind = str(facts.newest.config.get("training", {}).get("loss", {}).get("kind", ""))
    results = [
        {
            "task": {"type": "text-generation"},
            "dataset": {"name": f"held-out prompts of {facts.run}", "type": facts.run},
            "metrics": [
                {"type": row.metric, "name": row.metric, "value": round(row.policy.value, 6)}
                for row in figure_rows(facts)
                if row.slice == WHOLE
            ],
        }
    ]
    return _stated(
        license=facts.settings.model_licence,
        language=facts.settings.languages,
        library_name="transformers",
        pipeline_tag="text-generation",
        base_model=facts.settings.base_model,
        tags=[tag for tag in ("tso", "preference-optimization", kind) if tag],
        **{"model-index": [{"name": facts.title, "results": results}]},
    )


def _stated(**fields: Any) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value}


def lineage_rows(facts: CardFacts) -> list[tuple[str, str, str]]:
    """From the SFT model to the model: what it is, its weights, what the gate said."""
    rows = [("SFT model", facts.rounds[0].sft or facts.rounds[0].reference_in, "")]
    return rows + [
        (f"policy of round {one.index}", one.policy, one.outcome) for one in facts.rounds
    ]


def short_of(sha256: str) -> str:
    """The first digits of a digest."""
    return sha256[:SHORT]
