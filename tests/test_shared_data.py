"""Published figures that our code must reproduce on real data (not part of the repository)."""

import json
import os
from pathlib import Path

import pandas as pd
import pytest

from tasks.canonical import short_id
from tasks.config import PairsSection
from tasks.correction import CorrectionSettings
from tasks.judging import candidates_of
from tasks.opinions import Annotator
from tasks.prompts import prompt_of
from tasks.records import Response
from tasks.responses import by_id
from tasks.sources import Row
from tasks.variants import load_variant
from tasks.waves import Asking, dialogues_about, told
from tests.paired import pairs_of

DATA = Path(os.environ.get("TSO_SHARED_DATA", "../shared/data"))
pytestmark = [
    pytest.mark.shared_data,
    pytest.mark.skipif(not DATA.is_dir(), reason=f"no public data at {DATA} (TSO_SHARED_DATA)"),
]


@pytest.fixture(scope="module")
def matrix():
    return pd.read_parquet(DATA / "gsm8k_matrix" / "gsm8k_model_matrix.parquet")


def asked(rows):
    """The problems as prompts whose check is the final number of the reference answer."""
    return {
        row.prompt_id: prompt_of(
            Row(
                row.prompt_id,
                {
                    "prompt": row.prompt,
                    "checks": [{"kind": "final_number", "expected": row.reference}],
                },
            )
        )
        for row in rows.itertuples()
    }


def answers(rows, prompts):
    """The solutions as responses, one cell for each model."""
    return [
        Response(
            response_id=short_id(row.prompt_id, row.model),
            prompt_id=prompts[row.prompt_id].prompt_id,
            text=row.response,
            origin="recorded",
            cell=row.model,
            generator=row.model,
            sample_index=0,
            seed=None,
            finish_reason="stop",
            token_ids=None,
            tokenizer=None,
            template=None,
        )
        for row in rows.itertuples()
    ]


def test_final_numbers_tell_right_from_wrong_solutions_as_published(matrix):
    prompts = asked(matrix)
    judge = load_variant("tasks.judges", "rule")
    scores = [
        judge.score(prompts[row.prompt_id], response)
        for row, response in zip(matrix.itertuples(), answers(matrix, prompts), strict=True)
    ]
    assert [score == 1.0 for score in scores] == matrix.is_correct.tolist()
    published = json.loads((DATA / "expected_answers.json").read_text())["gsm8k_accuracy"]
    accuracy = matrix.assign(score=scores).groupby("model").score.mean()
    assert accuracy.round(6).to_dict() == published


def test_every_right_solution_makes_a_pair_with_every_wrong_one(matrix):
    prompts = asked(matrix)
    responses = answers(matrix, prompts)
    candidates = candidates_of(responses, {})
    judge = load_variant("tasks.judges", "rule")
    one_judge = Annotator(name="rule", kind="judge")
    asking = Asking(load_variant("tasks.comparison_rules", "all"), judge, seed=0)
    verdicts = [
        verdict
        for one in dialogues_about(
            list(prompts.values()), candidates, by_id(responses), asking
        ).dialogues
        for verdict in told(one, judge, one_judge).verdicts
    ]
    rules = PairsSection.model_validate({"rule": {"kind": "all_above_margin"}})
    made = pairs_of(candidates, verdicts, by_id(responses), CorrectionSettings(), rules, 0)
    assert len(made.pairs) == 1782
