"""Verdicts through the judge door, asked of a scripted server."""

import json
import re
from dataclasses import replace
from typing import Any

from infra.place import open_stage, records_of
from tasks.judge import judge_with
from tasks.records import Artifact, Place, Prompt, Response, Verdict
from tasks.tables import content, to_table
from tasks.variants import load_variant
from tests.infra.chat_server import Server, send
from tests.opinion_makers import prompt, response


def committed(place: Place, record: type, rows: list[Any]) -> Artifact:
    table = to_table(record, rows)
    inputs = {"rows": content(record, table)}
    stage = open_stage(place, "test", settings=record.__name__, inputs=inputs, semantics=1)
    return stage.commit(tables={"rows": (record, table)})


def judged(
    place: Place,
    server: Server,
    count: int,
    name: str = "main",
    comparisons: Any = None,
    strengths: dict[str, float] | None = None,
    **settings: Any,
) -> Artifact:
    """The door's artifact for `count` prompts with two responses each, asked in both orders."""
    place = place if strengths is None else replace(place, strengths=strengths)
    asked = [prompt(prompt_id=f"p{n:02}", text=f"Say {n}.") for n in range(count)]
    answers = [
        response(f"r{one}-{n:02}", f"{one} {n}", prompt_id=f"p{n:02}", cell=one)
        for n in range(count)
        for one in ("small", "large")
    ]
    judge = load_variant("tasks.judges", "pairwise", model="m", base_url=server.url, **settings)
    done: Artifact = judge_with.fn(
        name=f"{name} · train",
        prompts=committed(place, Prompt, asked),
        responses=[committed(place, Response, answers)],
        judge=judge,
        comparisons=comparisons or load_variant("tasks.comparison_rules", "all"),
        place=place,
    )
    return done


def verdicts(place: Place, artifact: Artifact) -> list[Verdict]:
    return records_of(place, Verdict, artifact)


def number_of(text: str) -> int:
    """Which prompt a question is about."""
    found = re.search(r"Say (\d+)\.", text)
    assert found
    return int(found[1])


def say(handler: Any, reply: str, finish: str = "stop", **more: Any) -> None:
    message = {"role": "assistant", "content": reply}
    choice = {"index": 0, "message": message, "finish_reason": finish}
    body = {"id": "x", "object": "chat.completion", "created": 0, "model": "m", "choices": [choice]}
    send(handler, 200, json.dumps(body | more))
