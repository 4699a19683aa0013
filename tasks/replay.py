"""Door: a round's pairs in, the same with pairs of earlier rounds that it trains on again out."""

from contextlib import ExitStack
from dataclasses import replace
from typing import Any, NamedTuple

from infra.artifacts import Finished, open_artifact
from infra.place import note, open_stage, records_of, store_of
from infra.prefect.door import door
from infra.stages import Stage
from infra.table_files import Spool, spooled
from tasks.derivations import TABLE as ORIGINS
from tasks.derivations import Derivation
from tasks.records import Artifact, Feedback, Place, PreferencePair, Prompt, Response, Verdict
from tasks.replay_rows import Earlier, groups_held_out
from tasks.replaying import allowed, next_memory, remembered, stale_pairs
from tasks.replays._contract import Remembered
from tasks.tables import to_table
from tasks.variants import settings_of

SEMANTICS = 2
RECORDS: dict[str, type] = {
    "prompts": Prompt,
    "responses": Response,
    "verdicts": Verdict,
    "pairs": PreferencePair,
}
"""What is replayed, by the tables of the stage."""
BESIDE: dict[str, type] = {"held_out": PreferencePair, ORIGINS: Derivation}
"""Tables beside the pairs that verbs after this one read."""


class Learned(NamedTuple):
    """What a round trains on."""

    prompts: Artifact
    """Of its pairs."""
    feedback: Feedback
    """Responses and verdicts, those of replayed pairs among them."""
    pairs: Artifact
    """Its own and replayed ones."""


def replayed(
    prompts: Artifact, feedback: Feedback, pairs: Artifact, replay: Any, place: Place
) -> Learned:
    """The round's pairs with those of earlier rounds that `replay` draws; as they are for None.

    Replayed pairs go through scoring, filters and training like the others.
    """
    if replay is None:
        return Learned(prompts, feedback, pairs)
    learned: Learned = join_earlier(prompts, feedback, pairs, replay, place)
    return learned


@door("replay", retries=1)
def join_earlier(
    prompts: Artifact, feedback: Feedback, pairs: Artifact, replay: Any, place: Place
) -> Learned:
    """Draw pairs of earlier rounds; where there are some, they join prompts, feedback and pairs.

    The stage's tables: rows (what the next round may replay); pairs, prompts, responses, verdicts
    and origins (what this one does). Whatever is replayed is a pair that its round trained on,
    whose prompt is still a train prompt of the pool and near no prompt whose pairs measure in this
    round.
    """
    earlier = Earlier(replay, place)
    stage = _stage(prompts, pairs, replay, earlier, place)
    done = stage.finished()
    artifact = done.artifact if done else _commit(stage, prompts, pairs, replay, earlier, place)
    note(place, "replay", artifact)
    found = done or open_artifact(store_of(place), artifact)
    if not found.counts["replayed"]:
        return Learned(prompts, feedback, pairs)
    return Learned(
        prompts=_joined("prompts", prompts, found, place),
        feedback=replace(
            feedback,
            responses=[*feedback.responses, _joined("responses", None, found, place)],
            verdicts=[*feedback.verdicts, _joined("verdicts", None, found, place)],
        ),
        pairs=_joined("pairs", pairs, found, place),
    )


def _stage(
    prompts: Artifact, pairs: Artifact, replay: Any, earlier: Earlier, place: Place
) -> Stage:
    return open_stage(
        place,
        "replay",
        settings=settings_of(replay),
        inputs={
            "prompts": prompts.content,
            "pairs": pairs.content,
            "pairs_stage": pairs.stage,
            "pool": earlier.pool().artifact.content,
            **earlier.contents(),
        },
        seeds={"seed": place.seed, "round": place.round_index},
        semantics=SEMANTICS,
    )


def _commit(
    stage: Stage, prompts: Artifact, pairs: Artifact, replay: Any, earlier: Earlier, place: Place
) -> Artifact:
    """Choose what is replayed, and keep it with what the next round may choose from."""
    index = place.round_index
    own = remembered(records_of(place, PreferencePair, pairs), index)
    memory = earlier.memory
    groups = earlier.groups({one.prompt_id for one in memory})
    may, dropped = allowed(memory, own, groups, groups_held_out(prompts, pairs, place))
    chosen = replay.drawn(may, len(own), place.seed, index)
    drawn = earlier.clean(chosen)
    counts = {"own": len(own), "remembered": len(memory), "replayed": len(drawn), **dropped}
    if len(drawn) < len(chosen):
        counts["dropped_contaminated"] = len(chosen) - len(drawn)
    stale = stale_pairs(earlier.pairs(drawn), drawn, replay.decay, index)
    origins = earlier.origins(drawn)
    after = next_memory(memory, drawn, own, replay, index)
    return stage.commit(
        tables={
            "rows": (Remembered, to_table(Remembered, after)),
            "pairs": (PreferencePair, to_table(PreferencePair, stale)),
            "prompts": (Prompt, earlier.prompts(drawn)),
            "responses": (Response, earlier.responses(drawn, origins)),
            "verdicts": (Verdict, earlier.verdicts(drawn)),
            ORIGINS: (Derivation, origins),
        },
        counts=counts,
        deterministic=True,
    )


def _joined(name: str, own: Artifact | None, found: Finished, place: Place) -> Artifact:
    """The table `name` of what is replayed behind the main one of `own`, as a stage of its own.

    What else stands in `own` and is read after this verb stays beside it.
    """
    stage = open_stage(
        place,
        "replay",
        settings={"part": name},
        inputs={
            "replay": found.folder.rpartition("/")[2],
            **({"own": own.content, "of": own.stage} if own else {}),
        },
        semantics=SEMANTICS,
    )
    if done := stage.finished():
        return note(place, f"replay-{name}", done.artifact)
    with ExitStack() as stack:
        tables = {"rows": stack.enter_context(spooled(RECORDS[name]))}
        if own is not None:
            given = open_artifact(store_of(place), own)
            beside = [one for one in BESIDE if one in given.manifest["tables"]]
            tables |= {one: stack.enter_context(spooled(BESIDE[one])) for one in beside}
            for one, spool in tables.items():
                _copy(given, one, spool)
        tables["rows"].add(found.table(name))
        if ORIGINS in tables:
            tables[ORIGINS].add(found.table(ORIGINS))
        artifact = stage.commit(tables=tables, deterministic=True)
    return note(place, f"replay-{name}", artifact)


def _copy(given: Finished, name: str, spool: Spool) -> None:
    """All rows of a table, a row group at a time."""
    with given.opened(name) as table:
        for rows in table.groups():
            spool.add(rows)
