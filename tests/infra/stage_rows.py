"""Small tables for stages."""

from infra.stages import Stage, StageKey
from tasks.records import PreferencePair, Verdict
from tasks.tables import to_table


def pair(number, margin=0.5):
    return PreferencePair(
        pair_id=f"pair{number}",
        prompt_id="prompt",
        chosen_id=f"chosen{number}",
        rejected_id="rejected",
        p_chosen=0.9,
        margin=margin,
        weight=1.0,
        rule="best_vs_worst",
    )


def pairs(*numbers, margin=0.5):
    return to_table(PreferencePair, [pair(number, margin) for number in numbers])


def verdicts(cost_usd):
    verdict = Verdict(
        prompt_id="prompt",
        a_id="a",
        b_id="b",
        annotator="judge",
        annotator_kind="judge",
        annotator_version="1",
        criterion="overall",
        replicate=0,
        first_shown="a",
        outcome="a",
        p_b_wins=None,
        score=None,
        scale=None,
        strength=None,
        reply=None,
        session=None,
        duration_seconds=None,
        cost_usd=cost_usd,
    )
    return to_table(Verdict, [verdict])


def stage(store, verb="pair", **settings):
    return Stage(store, StageKey(verb=verb, settings=settings, inputs={"verdicts": "v1"}))


def commit(stage, table, **more):
    return stage.commit(tables={"rows": (PreferencePair, table)}, **more)
