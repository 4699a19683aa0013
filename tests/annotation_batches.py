"""Batches for tests: items, prompts and responses as finished stages, and answers to them."""

from infra.annotation.batch_records import Terms
from infra.annotation.batches import make_batch
from infra.run_tree import RunTree
from infra.stages import Stage, StageKey
from tasks.annotation_items import Answer, Item, item_id_of
from tasks.records import Prompt, Response
from tasks.tables import to_table
from tests.opinion_makers import prompt, response


def items_of(number, annotators=1, first=0):
    """Items of prompts p0, p1, ...: r0a against r0b, r1a against r1b, ..."""
    return [
        Item(
            item_id=item_id_of(f"p{one}", f"r{one}a", f"r{one}b"),
            prompt_id=f"p{one}",
            a_id=f"r{one}a",
            b_id=f"r{one}b",
            repeat=0,
            first_shown="a" if one % 2 else "b",
            reason="random",
            stratum="pool",
            chance=0.5,
            known=None,
            annotators=annotators,
            position=place,
        )
        for place, one in enumerate(range(first, first + number))
    ]


def asked_stage(store, items, text="text of {}"):
    """The finished stage that asks `items`; `text` is that of a response, {} its id."""
    prompts = {item.prompt_id: prompt(prompt_id=item.prompt_id) for item in items}
    texts = [
        response(one, text.format(one), prompt_id=item.prompt_id)
        for item in items
        for one in (item.a_id, item.b_id)
    ]
    tables = {
        "rows": (Item, to_table(Item, items)),
        "prompts": (Prompt, to_table(Prompt, prompts.values())),
        "responses": (Response, to_table(Response, texts)),
    }
    key = StageKey(
        verb="annotate", settings={"items": [item.item_id for item in items], "text": text}
    )
    stage = Stage(store, key)
    stage.commit(tables=tables)
    return stage.finished()


def batch_of(store, items, run="weekly", round_index=0, text="text of {}", **terms):
    """The batch of a round that asks `items`."""
    asked = asked_stage(store, items, text).artifact
    return make_batch(
        RunTree(store, run), round_index, asked, Terms(**{"front_end": "page", **terms})
    )


def answer(item, annotator="ann", outcome="a", revision=0, **more):
    fields = {
        "strength": None,
        "tags": [],
        "comment": "",
        "ideal": None,
        "ideal_from": None,
        "first_shown": item.first_shown,
        "front_end": "page",
        "session": None,
        "answered_at": "2026-11-22T06:00:00+00:00",
        "duration_seconds": 3.5,
    }
    fields |= {"item_id": item.item_id, "annotator": annotator, "outcome": outcome}
    return Answer(**{**fields, "revision": revision, **more})
