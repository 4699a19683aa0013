"""Published judgements replayed: parsers, positions, people, log-probabilities (data elsewhere)."""

import json
import os
from pathlib import Path

import pandas as pd
import pytest

from tasks.candidates import Candidate
from tasks.correction import CorrectionSettings, correct
from tasks.opinions import Annotator, Opinion, Question, verdict_of
from tasks.recorded_verdicts import Answered, joined
from tasks.sources import Row
from tasks.voices import people_of
from tests.judges_asking import asking
from tests.llmbar import figures, judgements, replayed
from tests.opinion_makers import person, prompt, response

DATA = Path(os.environ.get("TSO_SHARED_DATA", "../shared/data")).absolute()
pytestmark = [
    pytest.mark.shared_data,
    pytest.mark.skipif(not DATA.is_dir(), reason=f"no public data at {DATA} (TSO_SHARED_DATA)"),
]


def expected(name):
    return json.loads((DATA / "expected_answers.json").read_text(encoding="utf-8"))[name]


@pytest.fixture(scope="module")
def rows():
    """Every judgement; the outcome is read from the completion, or recorded where none is."""
    rows = judgements(DATA)
    stored = rows.completion.notna()
    read = replayed(rows[stored], "first")
    return rows.assign(
        stored=stored, outcome=rows.shown.mask(stored, pd.Series(read, rows.index[stored]))
    )


def test_all_stored_completions_are_read_as_they_were_recorded(rows):
    stored = rows[rows.stored]
    assert (len(rows), len(stored)) == (45_604, 41_320)
    assert (stored.outcome == stored.shown).all()
    assert (stored.outcome == "unparsed").sum() == 220
    assert set(rows[~rows.stored].strategy.str.partition("_")[0]) == {"Rating"}


def test_replies_that_say_both_are_unparsed_unless_the_first_pattern_shall_decide(rows):
    stored = rows[rows.stored]
    read = pd.Series(replayed(stored, "unparsed"), stored.index)
    understood = read != "unparsed"
    assert (~understood).sum() == 436
    assert (read[understood] == stored.shown[understood]).all()


def test_accuracy_and_order_consistency_are_as_published(rows):
    found = figures(rows)
    published = expected("llmbar")
    assert len(published) == len(found) == 349
    for one in published:
        mine = found.loc[(one["subset"], one["judge"], one["strategy"])]
        assert mine["average", "size"] == one["n"]
        assert mine["average", "mean"] == pytest.approx(one["average_accuracy"], abs=1e-6), one
        assert mine["both", "mean"] == pytest.approx(one["both_orders_correct"], abs=1e-6), one
        assert mine["consistent", "mean"] == pytest.approx(one["order_consistent"], abs=1e-6), one


def verdict_on(row):
    """Our verdict on a judgement: response 1 of the pair is a, response 2 is b."""
    first, second = ("b", "a") if row.swapped else ("a", "b")
    question = Question(prompt_id="p", first_id=first, second_id=second)
    return verdict_of(Opinion(outcome=row.outcome), question, Annotator(name="j", kind="judge"))


RESPONSES = [
    Candidate(
        prompt_id="p", response_id=name, cell=name, strength=1.0, origin="model", sample_index=0,
        text_digest=name,
    )
    for name in ("a", "b")
]  # fmt: skip


def believed(group):
    """The corrected outcome of one pair: a, b or dropped."""
    verdicts = [verdict_on(row) for row in group.itertuples()]
    [preference] = correct(verdicts, RESPONSES, CorrectionSettings())
    return preference.outcome


def accuracies(rows):
    """Of single verdicts, and of the pairs that both orders agree on, with the share that does."""
    right = {1: "first", 2: "second"}
    single = [
        row.outcome != "unparsed" and (row.outcome == right[row.gold]) != row.swapped
        for row in rows.itertuples()
    ]
    pairs = rows.groupby(["judge", "strategy", "subset", "item_id"])
    kept = [(believed(group), group.gold.iloc[0]) for _, group in pairs]
    sure = [outcome == "ab"[gold - 1] for outcome, gold in kept if outcome != "dropped"]
    return sum(single) / len(single), sum(sure) / len(sure), len(sure) / len(kept)


def test_what_survives_in_both_orders_is_right_more_often(rows):
    single, agreed, share = accuracies(rows[rows.stored])
    assert share < 1 and agreed > single + 0.02, (single, agreed, share)


@pytest.mark.parametrize("subset", ["Natural", "Neighbor"])
def test_agreement_of_orders_sharpens_a_judge_and_cannot_mend_one_below_chance(rows, subset):
    """A judge that is right more often than not gains; one that is not errs the more firmly."""
    some = rows[(rows.subset.str.endswith(subset)) & rows.strategy.isin(["Vanilla", "CoT"])]
    compared = 0
    for _, own in some.groupby(["judge", "strategy"]):
        single, agreed, share = accuracies(own)
        if abs(single - 0.5) > 0.05 and share < 0.95:
            assert (agreed > single) == (single > 0.5), (own.judge.iloc[0], single, agreed)
            compared += 1
    assert compared >= 3


@pytest.fixture(scope="module")
def pandalm():
    return pd.read_parquet(DATA / "pandalm_human" / "pandalm_human.parquet")


SAID = {1: "a", 2: "b", 0: "tie"}
LABEL = {outcome: label for label, outcome in SAID.items()}


def said_by(pandalm, column):
    """One recorded verdict for each row, imported as a table of verdicts is."""
    texts = {"r1": "1", "r2": "2"}
    answered = Answered([prompt()], {name: response(name, text) for name, text in texts.items()})
    outcomes = []
    for number, label in enumerate(pandalm[column]):
        outcome = "unparsed" if pd.isna(label) else SAID[int(label)]
        row = Row(f"f:{number}", {"prompt_id": "p", "a": "1", "b": "2", "outcome": outcome})
        [verdict] = joined([row], answered, Annotator(name=column, kind="judge")).verdicts
        outcomes.append(verdict.outcome)
    return outcomes


def majority(pandalm):
    """What most of the three people say, by the rule of correction."""
    told = []
    for row in pandalm.itertuples():
        labels = (row.human_1, row.human_2, row.human_3)
        spoken = [person("r1", "r2", SAID[label], by=f"p{n}") for n, label in enumerate(labels)]
        voices = [voice.outcome for voice in people_of(spoken)]
        told.append(max(set(voices), key=voices.count))
    return told


def macro_f1(truth, said):
    """Mean over the three labels of the F1 of each."""
    scores = []
    for label in SAID.values():
        hits = sum(t == s == label for t, s in zip(truth, said, strict=True))
        scores.append(2 * hits / (truth.count(label) + said.count(label)))
    return sum(scores) / len(scores)


def test_people_agree_as_published(pandalm):
    published = expected("pandalm")
    assert len(pandalm) == published["n"]
    truth = majority(pandalm)
    counts = {str(LABEL[outcome]): truth.count(outcome) for outcome in SAID.values()}
    assert counts == published["majority_counts"]
    assert [LABEL[outcome] for outcome in truth] == pandalm.human_majority.tolist()
    for pair, share in published["human_pairwise_agreement"].items():
        one, other = (pandalm[f"human_{person}"] for person in pair)
        assert (one == other).mean() == pytest.approx(share, abs=1e-6)


@pytest.mark.parametrize(
    ("judge", "name", "garbage"), [("gpt35", "gpt35", 14), ("pandalm7b", "pandalm7b", 0)]
)
def test_judges_agree_with_people_as_published(pandalm, judge, name, garbage):
    published = expected("pandalm")
    truth, said = majority(pandalm), said_by(pandalm, judge)
    assert said.count("unparsed") == garbage
    # The published figures count what was not understood as a tie; our verdicts never do.
    as_ties = ["tie" if outcome == "unparsed" else outcome for outcome in said]
    accuracy = sum(t == s for t, s in zip(truth, as_ties, strict=True)) / len(truth)
    wanted = published.get(f"{name}_accuracy_garbage_as_tie", published.get(f"{name}_accuracy"))
    assert accuracy == pytest.approx(wanted, abs=1e-6)
    assert macro_f1(truth, as_ties) == pytest.approx(published[f"{name}_macro_f1"], abs=1e-6)


def test_a_weighted_judges_preference_follows_from_its_log_probabilities():
    table = pd.read_parquet(DATA / "alpaca_eval" / "alpaca_eval_judgements.parquet")
    table = table[table.logprob_m.notna() & table.logprob_M.notna() & table.preference.notna()]
    judge = asking("logprob", letters=["m", "M"], least_mass=0.0)
    assert len(table) > 5_000
    read = 0
    for row in table.itertuples():
        opinion = judge.parse("m", [("m", row.logprob_m), ("M", row.logprob_M)])
        first = row.first_shown == "model_1"
        p = opinion.p_second_wins if first else 1 - opinion.p_second_wins
        assert p == pytest.approx(row.preference - 1, abs=1e-9)
        read += 1
    assert read == len(table)
