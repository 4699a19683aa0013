"""A cell behind an endpoint, through the sampling door, against a real HTTP server."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.place import counts_of, open_stage, records_of, side_of
from tasks.config import CellSection
from tasks.model_matrix import Cell
from tasks.records import Artifact, Place, Prompt, Response
from tasks.responses import SHARD_PROMPTS
from tasks.sample import sample_cell
from tasks.tables import content, to_table
from tasks.variants import settings_of
from tests.infra.chat_server import Server, running_server, send
from tests.infra.flaky_endpoint import choices
from tests.opinion_makers import prompt
from tests.small_config import small_place


@pytest.fixture
def server() -> Iterator[Server]:
    with running_server() as running:
        yield running


def test_only_model_revision_and_decoding_decide_what_a_cell_is() -> None:
    def key(**settings: Any) -> Any:
        return settings_of(cell(**settings).settings)

    elsewhere = {
        "base_url": "http://elsewhere/v1", "api_key_env": "K", "concurrency": 2, "price": [1, 2],
        "per_request": 4, "send_seed": False, "timeout_seconds": 3,
    }  # fmt: skip
    assert key(**elsewhere) == key()
    assert cell(**elsewhere).digest == cell().digest
    changes = {"revision": "2", "temperature": 0.5, "top_p": 0.5, "max_tokens": 9}
    others = [cell(**{name: value}) for name, value in changes.items()]
    assert len({one.digest for one in [*others, cell(), cell(model="org/other")]}) == 6


def cell(**settings: Any) -> Cell:
    given = {"engine": "openai", "model": "org/m", "base_url": "http://h/v1", **settings}
    section = CellSection.model_validate(given)
    print_of = section.engine.fingerprint(section.model)
    return Cell(
        name="large", settings=section, checkpoint=None, fingerprint=print_of, origin="model"
    )


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return small_place(root=f"file://{tmp_path}/store", round_index=0)


def sampled(place: Place, server: Server, count: int, **settings: Any) -> Artifact:
    """The door's artifact for `count` prompts."""
    rows = [prompt(prompt_id=f"p{n:04}", text=f"Say {n}.") for n in range(count)]
    table = to_table(Prompt, rows)
    stage = open_stage(
        place, "test", settings="prompts", inputs={"rows": content(Prompt, table)}, semantics=1
    )
    prompts = stage.commit(tables={"rows": (Prompt, table)})
    one = cell(base_url=server.url, **settings)
    done: Artifact = sample_cell.fn(
        name="large · train", prompts=prompts, cell=one, role="train", place=place
    )
    return done


def test_the_door_counts_what_is_no_response_and_how_others_ended(server, place):
    plays = [
        lambda h: choices(h, ["fine"]),
        lambda h: choices(h, ["cut"], finish="length"),
        lambda h: choices(h, ["half"], finish="content_filter"),
        lambda h: choices(h, [""]),
        lambda h: choices(h, [None], refusal="no"),
    ]
    server.play = lambda handler, number, text: plays[int(text[4:-1])](handler)
    artifact = sampled(place, server, 5)
    rows = {one.text: one for one in records_of(place, Response, artifact)}
    assert {text: one.finish_reason for text, one in rows.items()} == {
        "fine": "stop", "cut": "length", "half": "unknown",
    }  # fmt: skip
    assert all(one.token_ids is None for one in rows.values())
    assert counts_of(place, artifact) == {
        "responses": 3, "unanswered": 2, "unanswered_empty": 1, "unanswered_refusal": 1,
        "finish_content_filter": 1, "cut_at_max_tokens": 1,
    }  # fmt: skip


def test_calls_tokens_and_money_of_all_attempts_are_in_the_side_file(server, place):
    def play(handler: Any, number: int, text: str) -> None:
        first_half = int(text[4:-1]) < SHARD_PROMPTS // 2
        if number == 1 and first_half:
            send(handler, 500, "{}", Retry_After="0.01")
        elif number == 1 and text == f"Say {SHARD_PROMPTS}.":
            send(handler, 418, "{}")
        else:
            choices(handler, ["x"])

    server.play = play
    count, settings = SHARD_PROMPTS + 2, {"price": [1_000_000, 10_000_000], "concurrency": 4}
    with pytest.raises(ConnectionError, match="1 of 130 calls failed"):
        sampled(place, server, count, **settings)
    artifact = sampled(place, server, count, **settings)
    assert side_of(place, artifact) == {
        "calls": count, "short_calls": 0, "uncounted_calls": 0,
        "failed_attempts": {"418": 1, "500": SHARD_PROMPTS // 2},
        "prompt_tokens": 3 * count, "completion_tokens": 2 * count,
        "cost_usd": 3.0 * count + 20.0 * count,
    }  # fmt: skip
    assert sum(server.asked.values()) == count + SHARD_PROMPTS // 2 + 1
