"""From what an annotator was shown and said to a verdict, without losing the order it was shown in.

A judge speaks of `first` and `second`; a verdict speaks of `a` and `b`, a being the smaller id.
Only `verdict_of` translates, so a verdict can be mapped to the wrong response in one place only.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from tasks.canonical import short_id
from tasks.records import AnnotatorKind, Verdict
from tasks.seeds import uniform_of


@dataclass(frozen=True, kw_only=True, slots=True)
class Opinion:
    """What a judge said about the two responses, or the one, that it was shown."""

    outcome: str
    """first, second, tie, both_bad, skip, scored, or unparsed: not said in the agreed form."""
    p_second_wins: float | None = None
    """Probability that the second one is better, if the judge gave one."""
    strength: float | None = None
    """How sure or how much better, 0 to 1, if given."""
    reply: str | None = None
    """The raw reply of a judge that was asked."""
    cost_usd: float | None = None
    """What asking cost (USD), if known."""
    score: float | None = None
    """Score of the one response that was shown, for outcome scored."""
    aspects: tuple[tuple[str, float], ...] = ()
    """Score of each aspect by its name, where the score is made of several."""


Token = tuple[str, float]
"""A token's text and its log-probability (nats)."""
Tokens = Sequence[Token]
"""The likeliest first tokens of a reply."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """Two responses in the order in which they are shown, or one response alone."""

    prompt_id: str
    """The prompt both answer."""
    first_id: str
    """The response that is shown first."""
    second_id: str
    """The response that is shown second; empty where one is scored alone."""
    criterion: str = "overall"
    """What is asked."""
    replicate: int = 0
    """0-based repeat of the same question in the same order."""

    @property
    def id(self) -> str:
        """Names the comparison for seeds; the same in both orders."""
        ids = sorted((self.first_id, self.second_id))
        return short_id(self.prompt_id, *ids, self.criterion, self.replicate)


def comparison_of(verdict: Verdict) -> str:
    """The `Question.id` of what the verdict answers."""
    ids = (verdict.a_id, verdict.b_id)
    return short_id(verdict.prompt_id, *ids, verdict.criterion, verdict.replicate)


@dataclass(frozen=True, kw_only=True, slots=True)
class Annotator:
    """Who gives an opinion."""

    name: str
    """Name of the judge or person."""
    kind: AnnotatorKind
    """prior, judge, human or aggregate."""
    version: str = ""
    """Digest of what gives the opinion; empty for people."""


def questions(prompt_id: str, ids: tuple[str, str], both_orders: bool, seed: int) -> list[Question]:
    """The comparison of `ids` in both orders, or in one that a seeded coin picks."""
    a_id, b_id = sorted(ids)
    shown = [
        Question(prompt_id=prompt_id, first_id=a_id, second_id=b_id),
        Question(prompt_id=prompt_id, first_id=b_id, second_id=a_id),
    ]
    if both_orders:
        return shown
    return [shown[uniform_of(seed, "order", shown[0].id) >= 0.5]]


def verdict_of(opinion: Opinion, question: Question, annotator: Annotator) -> Verdict:
    """The verdict that `annotator` gave on `question`; swapping the order shown swaps back here."""
    a_first = question.first_id <= question.second_id
    a_id, b_id = sorted((question.first_id, question.second_id))
    sides = {"first": "a", "second": "b"} if a_first else {"first": "b", "second": "a"}
    p_second = opinion.p_second_wins
    return Verdict(
        prompt_id=question.prompt_id,
        a_id=a_id,
        b_id=b_id,
        annotator=annotator.name,
        annotator_kind=annotator.kind,
        annotator_version=annotator.version,
        criterion=question.criterion,
        replicate=question.replicate,
        first_shown="a" if a_first else "b",
        outcome=sides.get(opinion.outcome, opinion.outcome),
        p_b_wins=p_second if a_first or p_second is None else 1 - p_second,
        score=None,
        scale=None,
        strength=opinion.strength,
        reply=opinion.reply,
        session=None,
        duration_seconds=None,
        cost_usd=opinion.cost_usd,
    )


def score_verdicts(
    opinion: Opinion, question: Question, annotator: Annotator, scale: str
) -> list[Verdict]:
    """The verdicts on the one response of `question`: its score, then that of each aspect.

    A score of an aspect has its name for a criterion.
    """
    blank = verdict_of(opinion, replace(question, second_id=question.first_id), annotator)
    whole = replace(
        blank,
        b_id="",
        first_shown="unknown",
        outcome="unparsed" if opinion.score is None else "scored",
        score=opinion.score,
        scale=None if opinion.score is None else scale,
    )
    return [
        whole,
        *(
            replace(whole, criterion=name, score=score, strength=None, reply=None, cost_usd=None)
            for name, score in opinion.aspects
        ),
    ]
