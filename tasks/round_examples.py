"""A round's examples: of the kind that the loss trains on, with all that it needs besides."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from tasks.config_training import TrainingSection
from tasks.derivations import Derivation, segments_of, variants_of
from tasks.further_responses import explored_responses
from tasks.pair_examples import Examples, Scores, check_scored, pair_examples, response_examples
from tasks.pairing import filtered, views_of
from tasks.pairs import PairView
from tasks.records import Label, PreferencePair, Prompt, Response, Verdict
from tasks.responses import Tokens
from tasks.supplies import Supplies, never
from tasks.taught import with_scores
from tasks.training_data import Tokenised, prompt_limit, tokenised, used_responses
from tasks.uncertainty import uncertainties
from tasks.unpaired import labelled_examples, unpaired_examples, wanted_examples


@dataclass(frozen=True, kw_only=True)
class RoundRows:
    """What a round has to train on."""

    pairs: Sequence[PreferencePair]
    """Those that are not held out."""
    prompts: Mapping[str, Prompt]
    """By prompt_id."""
    responses: Mapping[str, Response]
    """By response_id, in a pair or not."""
    scores: Sequence[Scores]
    """Of each reference, the round's own first."""
    verdicts: Sequence[Verdict]
    """Of judges and people."""
    said: Mapping[str, Scores] = field(default_factory=dict)
    """By instruction of the teacher, what the round's reference says under it."""
    labels: Sequence[Label] | None = None
    """Those that are not held out; None where single responses have no labels of their own."""
    origins: Sequence[Derivation] = ()
    """Of responses that transforms made, where the loss looks at them."""


def round_examples(
    rows: RoundRows, tokens: Tokens, training: TrainingSection, filters: Sequence[Any]
) -> Examples:
    """The examples that `training` reads, pairs filtered by those of `filters` that need scores."""
    if rows.labels is not None and training.loss.EXAMPLES_KIND != "pair":
        return _of_labels(rows, rows.labels, tokens, training)
    loss, pairs = training.loss, rows.pairs
    explored = explored_responses(pairs, rows.responses) if "explored" in loss.OTHERS else {}
    used = used_responses(pairs)
    variants = {one: some for one, some in variants_of(rows.origins).items() if one in used}
    used |= {*explored.values(), *(one for some in variants.values() for _, one in some)}
    ids = tokenised(rows.prompts, rows.responses, used, tokens, prompt_limit(training))
    dropped = _filtered(rows, filters)
    if loss.EXAMPLES_KIND == "response_only":
        made = response_examples(pairs, ids, training.max_tokens, dropped)
        return with_scores(made, loss, rows.scores[0], training.teacher, rows.said)
    for scores in rows.scores:
        check_scored(pairs, ids, scores, training.max_tokens)
    if loss.EXAMPLES_KIND == "unpaired":
        return unpaired_examples(pairs, ids, rows.scores[0], dropped, loss.OTHERS)
    supplies = replace(
        _supplies(loss, rows, ids, explored, tokens),
        segments=segments_of(rows.origins),
        variants=_fitting(variants, rows, ids, training.max_tokens),
    )
    made = pair_examples(pairs, ids, rows.scores, supplies.lacking(pairs) | dropped)
    return _counted(supplies.added(pairs, made), variants, supplies.variants)


Variants = Mapping[str, Sequence[tuple[int, str]]]


def _fitting(variants: Variants, rows: RoundRows, ids: Tokenised, longest: int) -> Variants:
    """`variants` that have a token, and no more than `longest` with their prompt."""
    room = {one: longest - len(ids.prompts[rows.responses[one].prompt_id]) for one in variants}
    return {
        response_id: [one for one in some if 0 < len(ids.responses[one[1]]) <= room[response_id]]
        for response_id, some in variants.items()
    }


def _counted(made: Examples, before: Variants, after: Variants) -> Examples:
    """`made` with the number of variants that do not fit, if there are any."""
    lost = sum(map(len, before.values())) - sum(map(len, after.values()))
    counts = dict(made.counts) | ({"variants_longer_than_max_tokens": lost} if lost else {})
    return made._replace(counts=counts)


def _of_labels(
    rows: RoundRows, labels: Sequence[Label], tokens: Tokens, training: TrainingSection
) -> Examples:
    """Examples of single responses; filters, which look at pairs, have no say in them."""
    limit = prompt_limit(training)
    ids = tokenised(rows.prompts, rows.responses, used_responses(labels), tokens, limit)
    if training.loss.EXAMPLES_KIND == "response_only":
        made = wanted_examples(labels, ids, training.max_tokens)
        return with_scores(made, training.loss, rows.scores[0], training.teacher, rows.said)
    for scores in rows.scores:
        check_scored(labels, ids, scores, training.max_tokens)
    return labelled_examples(labels, ids, rows.scores[0], training.loss.OTHERS)


def _filtered(rows: RoundRows, filters: Sequence[Any]) -> dict[str, str]:
    """The reason by pair_id of each pair that a filter drops by its reference scores."""
    pairs, logps = _scored(rows)
    late = [one for one in filters if one.STAGE == "scored"]
    return filtered(pairs, rows.responses, late, logps)


def left_after(rows: RoundRows, filters: Sequence[Any]) -> list[PairView]:
    """The pairs that `filters` leave, as the next filter sees them."""
    pairs, logps = _scored(rows)
    dropped = _filtered(rows, filters)
    left = [pair for pair in pairs if pair.pair_id not in dropped]
    return views_of(left, rows.responses, logps)


def _scored(rows: RoundRows) -> tuple[list[PreferencePair], dict[str, float]]:
    """What filters see: no pairs with a response that was too long to be scored; and the scores."""
    logps = {one: score.logp for one, score in rows.scores[0].items()}
    seen = [one for one in rows.pairs if one.chosen_id in logps and one.rejected_id in logps]
    return seen, logps


def _supplies(
    loss: Any, rows: RoundRows, ids: Tokenised, explored: Mapping[str, str], tokens: Tokens
) -> Supplies:
    wanted = "uncertainty" in loss.REQUIRES
    return Supplies(
        loss=loss,
        ids=ids,
        scores=rows.scores,
        explored=explored,
        uncertainties=uncertainties(rows.verdicts) if wanted else {},
        unmarked=_one_of(loss.UNMARKED, tokens) if loss.UNMARKED else never,
    )


def _one_of(words: Sequence[str], tokens: Tokens) -> Callable[[int], bool]:
    """Whether a token is one of `words` as a whole, the white space around it left out."""
    known = frozenset(words)

    @cache
    def is_known(token: int) -> bool:
        return str(tokens.tokenizer.decode([token])).strip().lower() in known

    return is_known
