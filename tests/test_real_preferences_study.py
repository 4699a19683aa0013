"""The whole study at a size of seconds, on a set of its own: it measures, and goes on."""

import copy
import json

import pytest

from benchmarks import measurement
from benchmarks.real_preferences import parts
from benchmarks.real_preferences.__main__ import study
from benchmarks.real_preferences.page import render
from benchmarks.real_preferences.study import read_plan

pytestmark = pytest.mark.slow

FRUITS = ("apple", "pear", "plum", "fig", "lemon", "cherry", "grape", "melon", "peach", "quince")


def tiny_plan():
    plan = copy.deepcopy(read_plan())
    plan["model"] |= {"vocabulary": 320, "vocabulary_texts": 50}
    plan["model"]["shape"] |= {
        "hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
        "num_key_value_heads": 1, "intermediate_size": 32,
    }  # fmt: skip
    plan["teaching"] |= {"file": "corpus.jsonl", "rows": {"fruits": 20}}
    sizes = {"file": "fruits.jsonl", "held_out_prompts": 4, "dev_prompts": 3, "epochs": 20}
    plan["sets"] = {"gsm8k": {**plan["sets"]["gsm8k"], **sizes}}
    plan["learning_rates"] = {"gsm8k": {"dpo": 1e-2, "dual_clip_dpo": 1e-2}}
    plan["seeds"] = [0]
    plan["tuning"] = {"seeds": [5], "learning_rates": [1e-2]}
    return plan


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A set whose chosen answers are always the polite ones, and a corpus that knows the fruits."""
    rows = [
        {"source": "fruits", "prompt": f"Fruit: {one}", "response": f"I like the {one}."}
        for one in FRUITS
    ]
    (tmp_path / "corpus.jsonl").write_text(lines(rows), encoding="utf-8")
    pairs = [
        {
            "prompt": [{"role": "user", "content": f"What about the {one}?"}],
            "chosen": f"Thank you, I like the {one} much.",
            "rejected": f"Go away, I hate the {one}{word}.",
            "chosen_model": "polite",
            "rejected_model": "rude",
        }
        for one in FRUITS
        for word in ("", " now")
    ]
    (tmp_path / "fruits.jsonl").write_text(lines(pairs), encoding="utf-8")
    monkeypatch.setattr(measurement, "RESULTS", tmp_path / "results")
    return tmp_path


def lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def test_the_study_learns_what_decides_the_pairs_and_repeats_nothing(data, monkeypatch):
    path = study(tiny_plan(), "fruits", data=data, tune=False, jobs=2)
    result = json.loads(path.read_text(encoding="utf-8"))
    found = result["metrics"]["sets"]["gsm8k"]
    assert found["slices"]["all"] == {"pairs": 8, "prompts": 4}
    assert found["shortcuts"]["model_that_wins_more"]["all"]["mean"] == 1.0
    for loss in ("dpo", "dual_clip_dpo"):
        accuracy = found["losses"][loss]["accuracy"]
        assert accuracy["summed"]["all"]["mean"] == accuracy["per_token"]["all"]["mean"] == 1.0
    assert "above a coin (+0.500 [+0.500, +0.500])" in render(result, None)

    def never(*args, **named):
        raise AssertionError("a finished part was begun again")

    monkeypatch.setattr(parts, "run_child", never)
    again = json.loads(
        study(tiny_plan(), "fruits", data=data, tune=False, jobs=1).read_text("utf-8")
    )
    assert again["metrics"]["sets"] == result["metrics"]["sets"]
