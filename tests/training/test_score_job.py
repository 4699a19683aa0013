import numpy as np
import pyarrow as pa
import pytest
import torch
from tiny_models import tiny_model
from training_jobs import EOS, ids, lines, plain_logps, plain_model, run_here

from tasks.errors import DataError
from tasks.records import ReferenceScore
from tasks.tables import check

ROWS = [
    {
        "response_id": f"r{index}",
        "prompt_ids": ids((index, 0), 3 + index % 4),
        "response_ids": [*ids((index, 1), index % 7), EOS],
    }
    for index in range(12)
]


def score(workdir, rows=ROWS, model=None, **fields):
    table = pa.Table.from_pylist(rows)
    with pa.ipc.new_file(str(workdir / "rows.arrow"), table.schema) as writer:
        writer.write_table(table, max_chunksize=5)
    spec = {
        "job": "score", "stage": "score-0", "model": str(model or tiny_model()), "threads": 1,
        "rows": "rows.arrow", "shards": {"0": [0, 5], "2": [5, 12]}, "reference": "ref-1",
        "tokens_per_microbatch": 40,
    }  # fmt: skip
    return run_here(workdir, spec | fields)


def shard(workdir, index):
    return pa.ipc.open_file(str(workdir / f"shards/{index:05d}.arrow")).read_all()


@pytest.mark.parametrize("kind", ["qwen2", "llama", "gpt2"])
def test_scores_equal_those_of_single_rows(kind, tmp_path):
    assert score(tmp_path, model=tiny_model(kind)) == {"rows": 12}
    found = shard(tmp_path, 0).to_pylist() + shard(tmp_path, 2).to_pylist()
    model = plain_model(tiny_model(kind))
    for row, scored in zip(ROWS, found, strict=True):
        with torch.no_grad():
            wanted = plain_logps(model, row["prompt_ids"], row["response_ids"]).numpy()
        np.testing.assert_allclose(scored["token_logps"], wanted, atol=3e-5)
        assert scored["logp"] == pytest.approx(sum(scored["token_logps"]))
        assert (scored["response_id"], scored["reference"]) == (row["response_id"], "ref-1")
        assert scored["num_tokens"] == len(row["response_ids"])


def test_each_shard_is_a_valid_table_and_an_event(tmp_path):
    score(tmp_path)
    events = lines(tmp_path / "progress.jsonl")
    assert [event for event in events if event["event"] == "shard"] == [
        {"event": "shard", "index": 0, "rows": 5, "file": "shards/00000.arrow"},
        {"event": "shard", "index": 2, "rows": 7, "file": "shards/00002.arrow"},
    ]
    check(ReferenceScore, shard(tmp_path, 2))


def test_a_shard_does_not_depend_on_the_other_shards(tmp_path):
    score(tmp_path)
    first = shard(tmp_path, 2)
    score(tmp_path, shards={"2": [5, 12]})
    assert shard(tmp_path, 2).equals(first)


def test_each_response_is_logged_before_it_is_scored(tmp_path):
    log = tmp_path / "items.jsonl"
    score(tmp_path, item_log=str(log))
    assert sorted(line["item"] for line in lines(log)) == sorted(row["response_id"] for row in ROWS)


def test_rows_beyond_the_context_are_refused_with_numbers(tmp_path):
    long = [{"response_id": "r", "prompt_ids": ids(0, 500), "response_ids": ids(1, 20)}]
    with pytest.raises(DataError, match="520 tokens, the model's context is 512"):
        score(tmp_path, rows=long, shards={"0": [0, 1]})


def test_missing_columns_are_named(tmp_path):
    rows = [{"response_id": "r", "prompt_ids": [6]}]
    with pytest.raises(DataError, match=r"no columns \['response_ids'\]"):
        score(tmp_path, rows=rows)
