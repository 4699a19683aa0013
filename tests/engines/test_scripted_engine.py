from pathlib import Path
from typing import Any

from infra.engines._contract import Decoding, Job, Request
from infra.engines.scripted import Scripted

SCRIPT = {"Name a fruit.": ["pear", "plum tree"]}


def answers(engine: Scripted, prompt: str, count: int, **decoding: Any) -> list[Any]:
    requests = [
        Request(
            prompt_id="p",
            sample_index=index,
            seed=index,
            messages=[{"role": "user", "content": prompt}],
            prompt_ids=None,
        )
        for index in range(count)
    ]
    settings = {"temperature": 1.0, "top_p": 1.0, "max_tokens": 9} | decoding
    work = Job(
        stage="sample",
        model="",
        decoding=Decoding(**settings),
        shards={4: requests},
        workdir=Path("unused"),
        stop_ids=[],
        item_log=None,
    )
    [(index, samples)] = engine.sample(work)
    assert index == 4
    return samples


def test_written_answers_are_given_in_turn() -> None:
    samples = answers(Scripted(responses=SCRIPT), "Name a fruit.", 3)
    assert [sample.text for sample in samples] == ["pear", "plum tree", "pear"]
    assert {sample.finish_reason for sample in samples} == {"stop"}


def test_other_prompts_get_the_default_with_its_blanks_filled() -> None:
    samples = answers(Scripted(default="{index} of {prompt}"), "Hello {x}", 2)
    assert [sample.text for sample in samples] == ["0 of Hello {x}", "1 of Hello {x}"]


def test_answers_longer_than_max_tokens_are_cut() -> None:
    [sample] = answers(Scripted(default="one two three"), "x", 1, max_tokens=2)
    assert (sample.text, sample.finish_reason) == ("one two", "length")


def test_another_script_is_another_generator() -> None:
    assert Scripted().fingerprint("m") != Scripted(responses=SCRIPT).fingerprint("m")
