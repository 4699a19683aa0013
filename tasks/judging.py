"""What a judge is shown of a set of responses, and what its opinions become."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tasks.candidates import Candidate, candidate_of
from tasks.canonical import digest
from tasks.near_duplicates import represented, standing
from tasks.opinions import Annotator, Opinion, Question, score_verdicts, verdict_of
from tasks.records import Prompt, Response, Verdict
from tasks.responses import by_id
from tasks.seeds import seed_of
from tasks.tables import grouped


class Asked(NamedTuple):
    """One question with what it is about."""

    question: Question
    prompt: Prompt
    first: Response
    second: Response


def candidates_of(
    responses: Iterable[Response],
    strengths: Mapping[str, float],
    min_distance: float | None = None,
) -> dict[str, list[Candidate]]:
    """The responses of each prompt as candidates with their cells' strengths.

    `min_distance` marks those whose text is nearly that of another (`NearDuplicateSettings`). Two
    cells that are the same weights in this round, as `round:0` and `policy` in the first one, have
    given the same responses: each counts once, as the first cell's.
    """
    once: dict[str, Response] = {}
    for row in responses:
        once.setdefault(row.response_id, row)
    rows = list(once.values())
    found = grouped(candidate_of(row, strengths.get(row.cell, 0.0)) for row in rows)
    return represented(found, by_id(rows), min_distance)


def comparisons_of(
    candidates: Mapping[str, Sequence[Candidate]], rule: Any, seed: int
) -> dict[str, list[tuple[str, str]]]:
    """The comparisons that `rule`, which needs no verdicts, makes of each prompt's candidates.

    Those that another one stands in for take no part.
    """
    return {
        prompt_id: rule(standing(members), seed_of(seed, "comparisons", prompt_id))
        for prompt_id, members in sorted(candidates.items())
    }


def compared_in(verdicts: Iterable[Verdict]) -> dict[str, list[tuple[str, str]]]:
    """The comparisons of two responses that `verdicts` are about, by prompt."""
    found: dict[str, set[tuple[str, str]]] = {}
    for one in verdicts:
        if one.b_id and one.a_id != one.b_id:
            found.setdefault(one.prompt_id, set()).add((one.a_id, one.b_id))
    return {prompt_id: sorted(ids) for prompt_id, ids in sorted(found.items())}


def call_id(one: Asked, judge: Any, annotator: str) -> str:
    """Names the call in the journal; judges of different names have opinions of their own."""
    question = one.question
    ids = [question.first_id, question.second_id, question.criterion, question.replicate]
    return digest([annotator, judge.version(), one.prompt.prompt_id, *ids])


def gives_scores(judge: Any) -> bool:
    """Whether `judge` scores one response at a time: it says on which scale."""
    return hasattr(judge, "scale")


@dataclass(kw_only=True)
class Looking:
    """A judge at the responses to one prompt; what it has scored it does not look at again."""

    judge: Any
    annotator: Annotator
    looks: int = 0
    """Comparisons, or responses where it gives scores, that it was shown."""
    _scores: dict[str, float | None] = field(default_factory=dict)

    def work(self, asked: Sequence[Asked]) -> list[Asked]:
        """What it has to look at to answer `asked`: the comparisons, or each new response once."""
        work = self._responses(asked) if gives_scores(self.judge) else list(asked)
        self.looks += len(work)
        return work

    def _responses(self, asked: Iterable[Asked]) -> list[Asked]:
        found = {}
        for one in asked:
            for response in (one.first, one.second):
                if response.response_id not in self._scores:
                    question = _alone(one, response)
                    found[question] = Asked(question, one.prompt, response, response)
        return [found[question] for question in sorted(found, key=lambda one: one.first_id)]

    def verdicts(
        self, asked: Sequence[Asked], work: Sequence[Asked], opinions: Sequence[Opinion | None]
    ) -> list[Verdict]:
        """The verdicts that the opinions on `work` make; None is an opinion that was not given.

        Scores make verdicts on single responses, and those on the comparisons follow from them.
        """
        given = [(one, said) for one, said in zip(work, opinions, strict=True) if said is not None]
        if not gives_scores(self.judge):
            return [verdict_of(said, one.question, self.annotator) for one, said in given]
        scale = self.judge.scale
        self._scores |= {one.first.response_id: said.score for one, said in given}
        scored = [
            verdict
            for one, said in given
            for verdict in score_verdicts(said, one.question, self.annotator, scale.name)
        ]
        return scored + [verdict for one in asked for verdict in self._compared(one, scale)]

    def _compared(self, one: Asked, scale: Any) -> list[Verdict]:
        """What the two scores say; nothing where one of them was not given."""
        ids = (one.first.response_id, one.second.response_id)
        if not self._scores.keys() >= set(ids):
            return []
        opinion = scale.opinion(*(self._scores[name] for name in ids))
        return [verdict_of(opinion, one.question, self.annotator)]


def _alone(one: Asked, response: Response) -> Question:
    return Question(
        prompt_id=one.prompt.prompt_id,
        first_id=response.response_id,
        second_id="",
        criterion=one.question.criterion,
        replicate=one.question.replicate,
    )


def opinions_of_pure(work: Sequence[Asked], judge: Any) -> list[Opinion]:
    """The opinions of a judge that needs nobody else."""
    if gives_scores(judge):
        return [scored(score) for score in judge.scores([(one.prompt, one.first) for one in work])]
    return [judge.compare(one.prompt, one.first, one.second, one.question.id) for one in work]


def scored(score: float | None) -> Opinion:
    """A score as an opinion; None is none."""
    return Opinion(outcome="unparsed" if score is None else "scored", score=score)
