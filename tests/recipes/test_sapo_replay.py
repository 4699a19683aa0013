"""SAPO over two rounds: the buffer's pairs bring the segments that were rewritten."""

import pytest

pytestmark = [pytest.mark.slow]

WRITER = {"engine": "transformers", "model": "ema", "max_tokens": 4, "threads": 1, "device": "cpu"}
SEGMENT = {"kind": "sapo_dpo", "tokens": "segment"}
TRANSFORMS = [{"kind": "regenerate_segment", "writer": WRITER}]


def test_the_second_round_of_sapo_trains_on_the_buffer_with_its_segments(recipes):
    settings = {"transforms": TRANSFORMS, "training__loss": SEGMENT}
    recipes.round("sapo", run="sapo-two", **settings)
    world, second = recipes.round("sapo", run="sapo-two", **settings)
    replayed = world.table(second, "replay", "pairs").to_pylist()
    own = world.table(second, "transform-0-regenerate_segment")
    assert replayed and "average-0.5" in second["artifacts"]
    origins = world.table(second, "replay-pairs", "origins").to_pylist()
    assert {row["rejected_id"] for row in replayed} <= {row["response_id"] for row in origins}
    assert second["counts"]["train"]["examples"] == own.num_rows + len(replayed)
