"""A round's rows as the report needs them: counted, range by range, and a few kept to show."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from tasks.canonical import digest
from tasks.diversity.measure import PromptDiversity
from tasks.labelling import WANTED
from tasks.records import Label, Message, Preference, PreferencePair, Prompt, Response, Verdict
from tasks.tables import grouped

MOST_EXCERPTS = 10
"""Pairs of each kind that are kept to be shown."""
MOST_DULL = 5
"""Prompts whose responses hardly differ that are kept to be shown."""
KINDS = ("human", "swapped", "judge", "prior", "none")
"""Who decided a pair, in the order in which excerpts take turns."""


@dataclass(frozen=True, kw_only=True)
class RangeRows:
    """Everything about some prompts of the round; no other range has rows about them."""

    prompts: list[Prompt] = field(default_factory=list)
    """The round's prompts."""
    responses: list[Response] = field(default_factory=list)
    """Every response to them."""
    verdicts: list[Verdict] = field(default_factory=list)
    """Every opinion: of the prior, of judges and of people."""
    preferences: list[Preference] = field(default_factory=list)
    """What is believed after correction, dropped comparisons included."""
    pairs: list[PreferencePair] = field(default_factory=list)
    """The preference pairs that the rule and the filters left."""
    diversity: list[PromptDiversity] = field(default_factory=list)
    """How different the responses to each prompt are."""
    labels: list[Label] = field(default_factory=list)
    """Labels of single responses that are trained on."""


@dataclass(frozen=True, kw_only=True)
class ShownPair:
    """A pair with its texts and with what is believed of it."""

    messages: list[Message]
    """The prompt."""
    chosen: Response
    """The better response."""
    rejected: Response
    """The worse response."""
    belief: Preference | None
    """How it was decided."""


@dataclass(frozen=True, kw_only=True)
class ShownLabel:
    """A labelled response with its text."""

    messages: list[Message]
    """The prompt."""
    response: Response
    """The response."""
    label: Label
    """How probably it is wanted, by which rule."""


@dataclass(kw_only=True)
class CellTally:
    """What one cell wrote, and how it fared."""

    responses: int = 0
    """Its responses."""
    words: int = 0
    """In all of them."""
    truncated: int = 0
    """Of them, cut at the token limit."""
    decided: int = 0
    """Decided preferences against a response of another cell."""
    won: int = 0
    """Of these, won."""
    chosen: int = 0
    """Pairs in which a response of it is chosen."""
    rejected: int = 0
    """Pairs in which one is rejected."""


@dataclass(kw_only=True)
class Tally:
    """Counts of a round's rows."""

    prompts: int = 0
    """The round's prompts."""
    responses: int = 0
    """Responses to them."""
    compared: Counter[str] = field(default_factory=Counter)
    """Pairs of responses that judges, humans, or anyone compared: judge, human, all."""
    beliefs: Counter[tuple[bool, str, str]] = field(default_factory=Counter)
    """Preferences by whether they were decided, by reason, and by who decided."""
    rechecked: int = 0
    """Comparisons decided by people on which a judge had an opinion."""
    overruled: int = 0
    """Of those, where people said the opposite of a judge."""
    both_orders: int = 0
    """Questions that a judge answered in both orders."""
    stable: int = 0
    """Of those, where it said the same both times."""
    cost_usd: float | None = None
    """Money that verdicts cost, where it is known."""
    pairs: int = 0
    """Preference pairs."""
    paired_prompts: int = 0
    """Prompts with at least one."""
    labels: int = 0
    """Labels of single responses."""
    wanted: int = 0
    """Of them, how many say that the response is wanted."""
    labelled_prompts: int = 0
    """Prompts with at least one label."""
    shown_labels: list[tuple[str, ShownLabel]] = field(default_factory=list)
    """Those with the smallest digests, at most one a prompt."""
    cells: dict[str, CellTally] = field(default_factory=dict)
    """By name."""
    different: Counter[float] = field(default_factory=Counter)
    """Prompts with several responses, by the share of these that stand for themselves."""
    one_answer: int = 0
    """Prompts whose responses are all near-duplicates of one."""
    shown: dict[str, list[tuple[str, ShownPair]]] = field(default_factory=dict)
    """By who decided: the pairs with the smallest digests, at most one a prompt."""
    dull: list[tuple[tuple[float, int, str], PromptDiversity, Prompt]] = field(default_factory=list)
    """The prompts whose responses differ least, by share, responses and id."""

    @classmethod
    def of(cls, ranges: Iterable[RangeRows]) -> "Tally":
        """All ranges added up."""
        tally = cls()
        for rows in ranges:
            tally.add(rows)
        return tally

    def add(self, rows: RangeRows) -> None:
        """Count another range."""
        self.prompts += len(rows.prompts)
        self.responses += len(rows.responses)
        self.pairs += len(rows.pairs)
        self.paired_prompts += len(grouped(rows.pairs))
        self._add_verdicts(rows)
        self._add_preferences(rows)
        self._add_cells(rows)
        self._add_shown(rows)
        self._add_labels(rows)
        self._add_diversity(rows)

    def _add_verdicts(self, rows: RangeRows) -> None:
        seen: dict[str, set[tuple[str, str]]] = {"judge": set(), "human": set(), "prior": set()}
        answers: dict[tuple[str, str, str, str, int], dict[str, str]] = {}
        for row in rows.verdicts:
            if row.cost_usd is not None:
                self.cost_usd = (self.cost_usd or 0.0) + row.cost_usd
            if not row.b_id:
                continue
            seen.setdefault(row.annotator_kind, set()).add((row.a_id, row.b_id))
            if row.annotator_kind == "judge" and row.first_shown in ("a", "b"):
                question = (row.a_id, row.b_id, row.annotator, row.criterion, row.replicate)
                answers.setdefault(question, {})[row.first_shown] = row.outcome
        both = [set(outcomes.values()) for outcomes in answers.values() if len(outcomes) == 2]
        self.both_orders += len(both)
        self.stable += sum(len(outcomes) == 1 for outcomes in both)
        believed = {(row.a_id, row.b_id) for row in rows.preferences}
        everything = believed.union(*seen.values())
        self.compared.update(
            judge=len(seen["judge"]), human=len(seen["human"]), all=len(everything)
        )

    def _add_preferences(self, rows: RangeRows) -> None:
        self.beliefs.update(
            (row.outcome != "dropped", row.reason, row.decided_by) for row in rows.preferences
        )
        judged = [row for row in rows.verdicts if row.annotator_kind == "judge" and row.b_id]
        judges = {row.annotator for row in judged}
        opinions = {(row.a_id, row.b_id) for row in judged if row.outcome in ("a", "b")}
        rechecked = [
            row
            for row in rows.preferences
            if row.decided_by == "human" and (row.a_id, row.b_id) in opinions
        ]
        self.rechecked += len(rechecked)
        self.overruled += sum(bool(judges & set(row.overruled)) for row in rechecked)

    def _cell(self, name: str) -> CellTally:
        return self.cells.setdefault(name, CellTally())

    def _add_cells(self, rows: RangeRows) -> None:
        cell_of = {row.response_id: row.cell for row in rows.responses}
        for row in rows.responses:
            cell = self._cell(row.cell)
            cell.responses += 1
            cell.words += len(row.text.split())
            cell.truncated += row.finish_reason == "length"
        for pair in rows.pairs:
            if pair.chosen_id in cell_of:
                self._cell(cell_of[pair.chosen_id]).chosen += 1
            if pair.rejected_id in cell_of:
                self._cell(cell_of[pair.rejected_id]).rejected += 1
        for preference in rows.preferences:
            sides = {"a": cell_of.get(preference.a_id), "b": cell_of.get(preference.b_id)}
            winner = sides.get(preference.outcome)
            if winner is None or sides["a"] == sides["b"]:
                continue
            for name in filter(None, sides.values()):
                self._cell(name).decided += 1
            self._cell(winner).won += 1

    def _add_shown(self, rows: RangeRows) -> None:
        """Keep of each kind the pairs with the smallest digests: no taste, no order of rows."""
        for kind, mark, pair in _shown(rows):
            found = self.shown.setdefault(kind, [])
            found.append((mark, pair))
        for found in self.shown.values():
            found.sort(key=lambda one: one[0])
            del found[MOST_EXCERPTS:]

    def _add_labels(self, rows: RangeRows) -> None:
        self.labels += len(rows.labels)
        self.wanted += sum(one.desirable > WANTED for one in rows.labels)
        by_prompt = grouped(sorted(rows.labels, key=lambda one: digest(one.response_id)))
        self.labelled_prompts += len(by_prompt)
        prompts = {prompt.prompt_id: prompt for prompt in rows.prompts}
        responses = {response.response_id: response for response in rows.responses}
        for prompt_id, (first, *_) in by_prompt.items():
            response = responses.get(first.response_id)
            if response is not None and prompt_id in prompts:
                shown = ShownLabel(
                    messages=prompts[prompt_id].messages, response=response, label=first
                )
                self.shown_labels.append((digest(first.response_id), shown))
        self.shown_labels.sort(key=lambda one: one[0])
        del self.shown_labels[MOST_EXCERPTS:]

    def _add_diversity(self, rows: RangeRows) -> None:
        prompts = {prompt.prompt_id: prompt for prompt in rows.prompts}
        for one in rows.diversity:
            share = one.different / one.responses
            if one.responses > 1:
                self.different[share] += 1
                self.one_answer += one.different == 1
            if one.different < one.responses and one.prompt_id in prompts:
                rank = (share, -one.responses, one.prompt_id)
                self.dull.append((rank, one, prompts[one.prompt_id]))
        self.dull.sort(key=lambda one: one[0])
        del self.dull[MOST_DULL:]


def _shown(rows: RangeRows) -> Iterator[tuple[str, str, ShownPair]]:
    """Kind, digest and texts of one pair of each prompt, that with the smallest digest."""
    prompts = {prompt.prompt_id: prompt for prompt in rows.prompts}
    responses = {response.response_id: response for response in rows.responses}
    beliefs = {frozenset((row.a_id, row.b_id)): row for row in rows.preferences}
    seen: set[str] = set()
    for mark, pair in sorted(((digest(one.pair_id), one) for one in rows.pairs), key=_first):
        known = pair.chosen_id in responses and pair.rejected_id in responses
        if pair.prompt_id in seen or pair.prompt_id not in prompts or not known:
            continue
        seen.add(pair.prompt_id)
        belief = beliefs.get(frozenset((pair.chosen_id, pair.rejected_id)))
        shown = ShownPair(
            messages=prompts[pair.prompt_id].messages,
            chosen=responses[pair.chosen_id],
            rejected=responses[pair.rejected_id],
            belief=belief,
        )
        yield _kind(belief), mark, shown


def _first(one: tuple[str, PreferencePair]) -> str:
    return one[0]


def _kind(belief: Preference | None) -> str:
    if belief is None:
        return "none"
    swapped = belief.reason == "swapped" and belief.decided_by != "human"
    return "swapped" if swapped else belief.decided_by
