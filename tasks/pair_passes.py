"""Part of the pair door: a round's pairs, a range of prompts at a time, in a pass or several.

The first pass corrects and makes pairs. Rules and filters that weigh a pair against all others see
a few numbers of every pair and then decide; each of them begins another pass over what is left.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from infra.blocks import Block, Blocks
from infra.place import blocks_of
from infra.table_files import Spool, TableFile, spooled
from tasks.competition import Competition
from tasks.config import PairsSection
from tasks.correction import CorrectionSettings
from tasks.estimates import passes_of
from tasks.judging import candidates_of
from tasks.pairing import (
    competes,
    corrected,
    counted_preferences,
    filtered,
    in_turns,
    reads_passes,
    split_held_out,
    views_of,
)
from tasks.pairs import reweigh
from tasks.records import (
    Artifact,
    Feedback,
    Place,
    Preference,
    PreferencePair,
    Prompt,
    Response,
    Verdict,
)
from tasks.responses import by_id
from tasks.selecting import readers_of, selected, with_scores
from tasks.tables import grouped, to_table
from tasks.variants import kind_of

Stays = NDArray[np.bool_]


class Made(NamedTuple):
    """What the passes leave, growing on local disk."""

    prior: Spool
    preferences: Spool
    rows: Spool
    held_out: Spool
    counts: Counter[str]


class _Left(NamedTuple):
    """The pairs that a pass has left: which of those in a file."""

    pairs: Spool
    stays: Stays | None
    """None: all of them."""

    def of(self, blocks: Blocks) -> Iterator[tuple[Block, list[PreferencePair]]]:
        """Each range of prompts with the pairs that are left of it."""
        first = 0
        for block in blocks:
            pairs = block.records(PreferencePair, "pairs")
            end = first + len(pairs)
            if self.stays is not None:
                stays = self.stays[first:end].tolist()
                pairs = [pair for pair, stay in zip(pairs, stays, strict=True) if stay]
            first = end
            yield block, pairs


def made_pairs(
    prompts: Artifact,
    feedback: Feedback,
    correction: CorrectionSettings,
    settings: PairsSection,
    place: Place,
    stack: ExitStack,
) -> Made:
    """Correct the preferences of every prompt, make pairs of them, filter, weigh and split them.

    What is spooled lives as long as `stack`.
    """
    made = Made(
        prior=stack.enter_context(spooled(Verdict)),
        preferences=stack.enter_context(spooled(Preference)),
        rows=stack.enter_context(spooled(PreferencePair)),
        held_out=stack.enter_context(spooled(PreferencePair)),
        counts=Counter(comparisons=0, made=0, pairs=0, prompts_with_pairs=0, held_out=0),
    )
    with ExitStack() as passes:
        left = _corrected(made, feedback, correction, settings, place, passes)
        filters = [one for one in settings.filters if one.STAGE == "paired"]
        for turn in in_turns(filters):
            if turn:
                left = _filtered(made, left, turn, feedback, place, passes)
        _divided(made, left, prompts, settings.held_out_share, place)
    return made


def _corrected(
    made: Made,
    feedback: Feedback,
    correction: CorrectionSettings,
    settings: PairsSection,
    place: Place,
    passes: ExitStack,
) -> _Left:
    """The first pass: prior, preferences, and the pairs that the rule makes of them."""
    pairs, contest = _none_yet(passes), Competition()
    rule: Any = settings.rule
    selection = settings.selection
    readers = readers_of(rule, selection)
    tables: dict[str, Any] = {"responses": feedback.responses, "verdicts": feedback.verdicts}
    with blocks_of(place, "responses", **tables) as blocks:
        for block in blocks:
            responses = block.records(Response, "responses")
            candidates = candidates_of(responses, place.strengths, place.min_distance)
            verdicts = block.records(Verdict, "verdicts")
            prior, by_prompt = corrected(candidates, verdicts, correction)
            preferences = [one for prompt in by_prompt.values() for one in prompt.preferences]
            made.prior.add(to_table(Verdict, prior))
            made.preferences.add(to_table(Preference, preferences))
            made.counts.update(counted_preferences(preferences))
            if rule is None:  # labels are all that the round trains on
                continue
            scored = with_scores(by_prompt, verdicts, readers)
            by_prompt, unseen = selected(scored, selection, place.seed)
            made.counts.update(unseen)
            if competes(rule):
                found = rule.pairs(by_prompt)
                contest.add(rule.competitors(found, by_prompt, place.seed))
            else:
                found = rule(by_prompt, place.seed)
            pairs.add(to_table(PreferencePair, found))
    pairs.close()
    stays = contest.staying(rule.rooms) if competes(rule) else None
    made.counts["made"] += pairs.rows if stays is None else int(stays.sum())
    return _Left(pairs, stays)


def _none_yet(passes: ExitStack) -> Spool:
    pairs = passes.enter_context(spooled(None))
    pairs.add(to_table(PreferencePair, []))
    return pairs


def _filtered(
    made: Made,
    left: _Left,
    filters: Sequence[Any],
    feedback: Feedback,
    place: Place,
    passes: ExitStack,
) -> _Left:
    """A pass over the pairs left and their texts; the last filter may weigh all of them."""
    *alone, last = filters
    alone = alone if competes(last) else [*alone, last]
    pairs, contest = _none_yet(passes), Competition()
    tables: dict[str, Any] = {"responses": feedback.responses, "pairs": TableFile(left.pairs.path)}
    if reads_passes(filters):
        tables["verdicts"] = feedback.verdicts
    with blocks_of(place, "responses", **tables) as blocks:
        for block, found in left.of(blocks):
            responses = by_id(block.records(Response, "responses"))
            said = block.records(Verdict, "verdicts") if "verdicts" in tables else []
            estimates = passes_of(said)
            dropped = filtered(found, responses, alone, {}, estimates)
            made.counts.update(f"dropped_{reason}" for reason in dropped.values())
            kept = [pair for pair in found if pair.pair_id not in dropped]
            if competes(last):
                views = views_of(kept, responses, {}, estimates)
                contest.add(last.competitors(views, place.seed))
            pairs.add(to_table(PreferencePair, kept))
    pairs.close()
    if not competes(last):
        return _Left(pairs, None)
    stays = contest.staying(last.rooms)
    if lost := int(len(stays) - stays.sum()):
        made.counts[f"dropped_{kind_of(last)}"] += lost
    return _Left(pairs, stays)


def _divided(
    made: Made, left: _Left, prompts: Artifact, held_out_share: float, place: Place
) -> None:
    """The last pass: weights of the pairs that are left, and which of them are held out."""
    tables: dict[str, Any] = {"prompts": prompts, "pairs": TableFile(left.pairs.path)}
    with blocks_of(place, "prompts", **tables) as blocks:
        for block, found in left.of(blocks):
            groups = {one.prompt_id: one.group_id for one in block.records(Prompt, "prompts")}
            weighed = reweigh(found)
            training, held_out = split_held_out(weighed, groups, held_out_share, place.seed)
            made.rows.add(to_table(PreferencePair, training))
            made.held_out.add(to_table(PreferencePair, held_out))
            made.counts.update(
                pairs=len(weighed),
                prompts_with_pairs=len(grouped(weighed)),
                held_out=len(held_out),
            )
