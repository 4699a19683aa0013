"""From presumed order, judges and people to what is believed about two responses of a prompt.

The prior presumes that a stronger cell's response is better. Judges confirm it, reverse it or
cannot tell; people overrule both. Every outcome keeps who decided, who was overruled, and why.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, ClassVar, Literal, NamedTuple

from pydantic import ConfigDict

from tasks.beliefs import Belief, dropped
from tasks.candidates import Candidate, different_texts
from tasks.canonical import short_id
from tasks.cycles import drop_cycles, resolve_cycles
from tasks.degrees import by_score, by_wins
from tasks.errors import DataError
from tasks.near_duplicates import standing
from tasks.opinions import Annotator, Opinion, Question, verdict_of
from tasks.records import Preference, Verdict
from tasks.variants import InKeyIfSet
from tasks.voices import (
    P_B_WINS,
    WEAK,
    HalfTie,
    SingleOrder,
    Voice,
    judges_of,
    most_frequent,
    on_side,
    people_of,
    prior_of,
    together_of,
)

Comparison = tuple[str, str]

PRIOR = Annotator(name="prior", kind="prior", version=short_id("stronger is better", 1))


@dataclass(frozen=True, kw_only=True)
class CorrectionSettings:
    """How opinions become preferences."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )

    inconsistent: Literal["drop", "soft"] = "drop"
    """Judges that contradict themselves or each other: drop, or soft for the mean of all."""
    tie: Literal["drop", "soft"] = "drop"
    """Judges or people that call it a tie: drop, or soft for the mean of all."""
    half_tie: HalfTie = "inconsistent"
    """A tie in one order and a decision in the other: inconsistent, or the decision."""
    single_order: SingleOrder = "weak"
    """Verdicts in one or an unknown order: a weak vote, a full one, or ignored."""
    uncompared: Literal["prior", "drop"] = "drop"
    """Comparisons without an opinion of a judge or person: keep the prior, or drop."""
    cycles: Literal["drop", "bradley_terry"] = "drop"
    """a > b > c > a: drop these preferences, or resolve them by a fit over the prompt."""
    degrees: Annotated[Literal["scores", "wins"] | None, InKeyIfSet] = None
    """How sure a judge's decision is: scores, by how far the scores it gave lie apart; wins, by how
    much more of the prompt's comparisons the better response wins; null: as the judge says, and
    certain where it says nothing."""


class _Heard(NamedTuple):
    """All that is said about one comparison."""

    prior: str | None
    judges: list[Voice]
    people: list[Voice]
    together: Voice | None
    """What all people together say, where a setting tells how that is found."""
    protected: bool
    """The prior prefers a response that a person wrote."""


def prior_verdicts(candidates: Sequence[Candidate]) -> list[Verdict]:
    """The presumed order of one prompt's responses: people above models, strong above weak.

    Responses of equal strength, two samples of one cell among them, and equal texts have none; a
    response that another one stands in for has none either.
    """
    pairs = different_texts(standing(candidates))
    return [_presumed(a, b) for a, b in pairs if a.rank != b.rank]


def _presumed(a: Candidate, b: Candidate) -> Verdict:
    nobody_saw = Question(prompt_id=a.prompt_id, first_id=a.response_id, second_id=b.response_id)
    opinion = Opinion(outcome="first" if a.rank > b.rank else "second")
    return replace(verdict_of(opinion, nobody_saw, PRIOR), first_shown="unknown")


def correct(
    verdicts: Sequence[Verdict], candidates: Sequence[Candidate], settings: CorrectionSettings
) -> list[Preference]:
    """What is believed of every comparison of ONE prompt that anyone, the prior included, spoke of.

    Sorted by ids and independent of the order of the inputs; kept preferences have no cycles.
    Raises DataError for a verdict on another prompt or on a response that is no candidate.
    """
    known = {candidate.response_id: candidate for candidate in candidates}
    if settings.degrees == "scores":
        verdicts = [by_score(one) for one in verdicts]
    heard = {
        ids: _hear(rows, known[ids[0]], known[ids[1]], settings)
        for ids, rows in sorted(_by_comparison(verdicts, known).items())
    }
    beliefs = {ids: _believe(said, settings) for ids, said in heard.items()}
    for a_id, b_id in beliefs:
        if known[a_id].text_digest == known[b_id].text_digest:
            beliefs[a_id, b_id] = dropped("equal_texts")
    if settings.cycles == "drop":
        beliefs = drop_cycles(beliefs)
    else:
        beliefs = resolve_cycles(beliefs, {i for i, one in known.items() if one.origin == "human"})
    if settings.degrees == "wins":
        beliefs = by_wins(beliefs)
    return [
        _preference(known[ids[0]].prompt_id, ids, belief, heard[ids])
        for ids, belief in beliefs.items()
    ]


def _by_comparison(
    verdicts: Sequence[Verdict], known: Mapping[str, Candidate]
) -> dict[Comparison, list[Verdict]]:
    """Verdicts on two different responses; scores and comparisons with itself are left out."""
    groups: dict[Comparison, list[Verdict]] = {}
    for verdict in verdicts:
        if not verdict.b_id or verdict.a_id == verdict.b_id:
            continue
        for response_id in (verdict.a_id, verdict.b_id):
            _check_known(verdict, response_id, known)
        if verdict.a_id > verdict.b_id:
            raise DataError(f"verdict of {verdict.annotator!r} has a_id {verdict.a_id} above b_id")
        groups.setdefault((verdict.a_id, verdict.b_id), []).append(verdict)
    return groups


def _check_known(verdict: Verdict, response_id: str, known: Mapping[str, Candidate]) -> None:
    candidate = known.get(response_id)
    if candidate is None or candidate.prompt_id != verdict.prompt_id:
        raise DataError(
            f"verdict of {verdict.annotator!r} on prompt {verdict.prompt_id} names response "
            f"{response_id}, which is no candidate of that prompt; give all its responses"
        )


def _hear(
    verdicts: Sequence[Verdict], a: Candidate, b: Candidate, settings: CorrectionSettings
) -> _Heard:
    prior = prior_of(verdicts)
    preferred = {"a": a.origin, "b": b.origin}.get(prior or "")
    judges = judges_of(verdicts, settings.single_order, settings.half_tie)
    people = people_of(verdicts)
    return _Heard(prior, judges, people, together_of(verdicts), preferred == "human")


def _believe(heard: _Heard, settings: CorrectionSettings) -> Belief:
    if heard.people:
        return _believe_people(heard, settings)
    if heard.judges:
        return _believe_judges(heard, settings)
    if heard.prior and settings.uncompared == "prior":
        return Belief(heard.prior, float(heard.prior == "b"), "prior", "prior")
    return dropped("uncompared")


def _believe_people(heard: _Heard, settings: CorrectionSettings) -> Belief:
    """What all people together say, else the majority of them, whatever prior and judges say."""
    said = heard.people if heard.together is None else [heard.together]
    outcome = most_frequent([voice.outcome for voice in said])
    if outcome not in P_B_WINS:
        return dropped("people_disagree")
    if outcome == "tie":
        return _soft("human_tie", said, heard) if settings.tie == "soft" else dropped("human_tie")
    return Belief(outcome, on_side(outcome, _mean(said)), "human", "human")


def _believe_judges(heard: _Heard, settings: CorrectionSettings) -> Belief:
    """The majority of the judges that decided; without one, drop or take the mean of all."""
    decided = [voice for voice in heard.judges if voice.outcome in ("a", "b")]
    for_a = sum(voice.weight for voice in decided if voice.outcome == "a")
    for_b = sum(voice.weight for voice in decided if voice.outcome == "b")
    if for_a != for_b:
        return _against_prior("a" if for_a > for_b else "b", decided, heard)
    outcomes = {voice.outcome for voice in heard.judges}
    undecided = (reason for reason in ("inconsistent", "tie", "unparsed") if reason in outcomes)
    reason = "judges_disagree" if decided else next(undecided)
    soft = {"tie": settings.tie, "unparsed": "drop"}.get(reason, settings.inconsistent)
    return _soft(reason, heard.judges, heard) if soft == "soft" else dropped(reason)


def _against_prior(outcome: str, decided: Sequence[Voice], heard: _Heard) -> Belief:
    """The judges' decision, where it may stand against the prior."""
    p = on_side(outcome, _mean(decided))
    weak = all(voice.weight <= WEAK for voice in decided if voice.outcome == outcome)
    if weak:
        p = (p + 0.5) / 2
    if heard.prior in (outcome, None):
        return Belief(outcome, p, "judge", "kept" if heard.prior else "no_prior")
    if weak:
        return dropped("weak_against_prior")
    return dropped("protected_human") if heard.protected else Belief(outcome, p, "judge", "swapped")


def _soft(reason: str, voices: Sequence[Voice], heard: _Heard) -> Belief:
    """The mean of `voices` and of the prior as one weak vote; dropped where it is balanced."""
    votes = [voice for voice in voices if voice.outcome != "unparsed"]
    if heard.prior:
        votes.append(Voice(PRIOR.name, heard.prior, float(heard.prior == "b"), WEAK))
    p = _mean(votes)
    if p == 0.5:
        return dropped(reason)
    outcome = "b" if p > 0.5 else "a"
    decided_by = "human" if heard.people else "judge"
    if heard.protected and outcome != heard.prior and decided_by == "judge":
        return dropped("protected_human")
    return Belief(outcome, p, decided_by, f"soft_{reason}")


def _mean(voices: Sequence[Voice]) -> float:
    total = sum(voice.weight for voice in voices)
    return math.fsum(voice.weight * voice.p_b_wins for voice in voices) / total


def _preference(prompt_id: str, ids: Comparison, belief: Belief, heard: _Heard) -> Preference:
    opposite = {"a": "b", "b": "a"}.get(belief.outcome)
    spoke = [(voice.annotator, voice.outcome) for voice in (*heard.judges, *heard.people)]
    spoke.append((PRIOR.name, heard.prior or ""))
    return Preference(
        prompt_id=prompt_id,
        a_id=ids[0],
        b_id=ids[1],
        p_b_wins=belief.p_b_wins,
        outcome=belief.outcome,
        margin=abs(2 * belief.p_b_wins - 1),
        decided_by=belief.decided_by,
        overruled=sorted({name for name, outcome in spoke if outcome == opposite}),
        reason=belief.reason,
    )
