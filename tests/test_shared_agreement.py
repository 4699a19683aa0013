"""Published figures about judges and people that our code must reproduce on real verdicts."""

import json
import os
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tasks.agreement.between import agreement_of
from tasks.agreement.biases import biases_of
from tasks.agreement.intervals import Sampling
from tasks.agreement.labels import PRESUMED, TIE, opinions
from tasks.agreement.settings import AgreementSettings
from tasks.candidates import candidate_of
from tasks.opinions import Annotator, Opinion, Question, verdict_of
from tests.opinion_makers import response

DATA = Path(os.environ.get("TSO_SHARED_DATA", "../shared/data"))
pytestmark = [
    pytest.mark.shared_data,
    pytest.mark.skipif(not DATA.is_dir(), reason=f"no public data at {DATA} (TSO_SHARED_DATA)"),
]
SAMPLING = Sampling(AgreementSettings(resamples=100, min_prompts=2), seed=0)


@pytest.fixture(scope="module")
def expected():
    return json.loads((DATA / "expected_answers.json").read_text())


def said(item, winner, *, first=1, by="judge", kind="judge"):
    """A verdict on the responses ITEM-1 and ITEM-2; winner 1, 2, 0 for a tie, None for unparsed."""
    sides = {1: f"{item}-1", 2: f"{item}-2"}
    question = Question(prompt_id=item, first_id=sides[first], second_id=sides[3 - first])
    outcome = {first: "first", 3 - first: "second", 0: "tie"}.get(winner, "unparsed")
    return verdict_of(Opinion(outcome=outcome), question, Annotator(name=by, kind=kind))


def answers(items, texts=("a", "bb")):
    """Two responses to each item, of cells one and two."""
    return {
        f"{item}-{side}": response(f"{item}-{side}", text, prompt_id=item, cell=cell)
        for item in items
        for side, text, cell in zip((1, 2), texts, ("one", "two"), strict=True)
    }


def labels_of(verdicts, responses):
    """Labels that tell the winner: the response of cell one is presumed better."""
    strengths = {"one": 2.0, "two": 1.0}
    return opinions(verdicts, [candidate_of(r, strengths[r.cell]) for r in responses.values()])


@pytest.fixture(scope="module")
def llmbar():
    rows = pd.read_parquet(DATA / "llmbar" / "llmbar_judgements.parquet")
    winner = rows.winner.map({"1": 1, "2": 2}).astype(object).where(rows.winner != "None", None)
    return rows.assign(winner=winner).groupby(["subset", "judge", "strategy"])


def test_judges_of_llmbar_are_as_consistent_over_orders_as_published(llmbar, expected):
    known = {(one["subset"], one["judge"], one["strategy"]): one for one in expected["llmbar"]}
    assert len(known) == len(llmbar) == 349
    for key, rows in llmbar:
        verdicts = [
            said(row.item_id, row.winner, first=2 if row.swapped else 1)
            for row in rows.itertuples()
        ]
        found = biases_of(verdicts, answers(set(rows.item_id)), SAMPLING)["order_consistency"]
        assert found.value == pytest.approx(known[key]["order_consistent"], abs=1e-6), key
        assert found.n == known[key]["n"]


def test_both_orders_right_is_agreement_with_gold_where_all_replies_were_read(llmbar, expected):
    known = {(one["subset"], one["judge"], one["strategy"]): one for one in expected["llmbar"]}
    checked = 0
    for key, rows in llmbar:
        if rows.winner.isna().any():
            continue
        verdicts = [
            said(row.item_id, row.winner, first=2 if row.swapped else 1)
            for row in rows.itertuples()
        ]
        gold = rows.drop_duplicates("item_id")
        verdicts += [said(r.item_id, r.gold, by="gold", kind="human") for r in gold.itertuples()]
        responses = answers(set(rows.item_id))
        found = labels_of(verdicts, responses)
        same = [found.majority[item] == label for item, label in found.judges["judge"].items()]
        assert np.mean(same) == pytest.approx(known[key]["both_orders_correct"], abs=1e-6), key
        checked += 1
    assert checked > 250


@pytest.fixture(scope="module")
def pandalm():
    rows = pd.read_parquet(DATA / "pandalm_human" / "pandalm_human.parquet")
    verdicts = []
    for row in rows.itertuples():
        item = f"q{row.idx}"
        verdicts += [
            said(item, getattr(row, name), by=name, kind="human")
            for name in ("human_1", "human_2", "human_3")
        ]
        # the published figure takes the 14 replies that are garbage for ties
        verdicts.append(said(item, 0 if pd.isna(row.gpt35) else int(row.gpt35), by="gpt35"))
        verdicts.append(said(item, int(row.pandalm7b), by="pandalm7b"))
    responses = answers({f"q{index}" for index in rows.idx})
    return labels_of(verdicts, responses)


def test_people_of_pandalm_agree_with_each_other_as_published(pandalm, expected):
    for pair, share in expected["pandalm"]["human_pairwise_agreement"].items():
        one, other = (pandalm.people[f"human_{number}"] for number in pair)
        found = agreement_of(one, other, SAMPLING)
        assert found.agreement.value == pytest.approx(share, abs=1e-6)
        assert found.agreement.n == expected["pandalm"]["n"] == 712
        assert found.agreement.low < share < found.agreement.high
        assert 0.8 < found.kappa.low < found.kappa.value < found.kappa.high < share
        assert found.alpha.value == pytest.approx(found.kappa.value, abs=0.002)


def test_judges_of_pandalm_agree_with_most_people_as_published(pandalm, expected):
    shares = {
        "gpt35": expected["pandalm"]["gpt35_accuracy_garbage_as_tie"],
        "pandalm7b": expected["pandalm"]["pandalm7b_accuracy"],
    }
    for judge, share in shares.items():
        found = agreement_of(pandalm.judges[judge], pandalm.majority, SAMPLING)
        assert found.agreement.value == pytest.approx(share, abs=1e-6)
        assert 0.3 < found.kappa.value < 0.6


def test_most_people_of_pandalm_say_what_is_published(pandalm, expected):
    names = {PRESUMED: "1", TIE: "0"}
    counts = Counter(names.get(label, "2") for label in pandalm.majority.values())
    assert counts == expected["pandalm"]["majority_counts"]


@pytest.fixture(scope="module")
def alpaca():
    rows = pd.read_parquet(DATA / "alpaca_eval" / "alpaca_eval_judgements.parquet")
    rows = rows.assign(winner=rows.winner.map({"model_1": 1, "model_2": 2, "tie": 0}))
    return rows[rows.winner.notna()]


def alpaca_figures(rows, name):
    """The biases of one judge, each verdict with the lengths that it was given on."""
    verdicts, responses = [], {}
    for number, row in enumerate(rows[rows.annotator == name].itertuples()):
        item = f"{row.prompt_id}-{number}"
        first = {"model_1": 1, "model_2": 2}.get(row.first_shown)
        verdict = said(item, int(row.winner), first=first or 1)
        if first is None:
            verdict = replace(verdict, first_shown="unknown")
        verdicts.append(verdict)
        responses |= answers([item], ("x" * row.chars_1, "x" * row.chars_2))
    return biases_of(verdicts, responses, SAMPLING)


def test_judges_of_alpaca_prefer_the_first_shown_and_the_longer_as_published(alpaca, expected):
    for name, longer in expected["alpaca_longer_wins"].items():
        found = alpaca_figures(alpaca, name)
        assert found["longer_wins"].value == pytest.approx(longer["p"], abs=1e-6)
        assert found["longer_wins"].n == longer["n"]
        if first := expected["alpaca_position"].get(name):
            bias = found["position_bias"]
            assert bias.value + 0.5 == pytest.approx(first["p_first_shown_wins"], abs=1e-6)
            assert bias.n == first["n"]
        else:
            assert found["position_bias"].value is None


def test_judges_of_alpaca_agree_as_published_and_far_less_beyond_chance(alpaca, expected):
    """Published are comparisons that neither calls a tie."""
    rows = alpaca[alpaca.winner != 0].drop_duplicates(
        ["annotator", "prompt_id", "text_1", "text_2"]
    )
    items = rows.prompt_id + rows.text_1 + rows.text_2
    verdicts = [
        said(item, int(row.winner), by=row.annotator)
        for item, row in zip(items, rows.itertuples(), strict=True)
    ]
    found = labels_of(verdicts, answers(set(items))).judges
    for names, published in expected["alpaca_annotator_agreement"].items():
        one, other = (found[name] for name in names.split(" ~ "))
        measured = agreement_of(one, other, SAMPLING)
        assert measured.agreement.value == pytest.approx(published["agreement"], abs=1e-6)
        assert measured.agreement.n == published["n"]
        assert measured.kappa.value < measured.agreement.value - 0.05
