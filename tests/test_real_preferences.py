"""The study on real preferences: what may be trained on, how it is measured, what the page says."""

import json

import numpy as np
import pandas as pd
import pytest

from benchmarks.measurement import RESULTS
from benchmarks.real_preferences.__main__ import DATA
from benchmarks.real_preferences.corpus import teaching_mix
from benchmarks.real_preferences.measures import hits, in_slice, interval, margin, verdict
from benchmarks.real_preferences.page import PAGE, judgements, render
from benchmarks.real_preferences.preferences import (
    Pair,
    draw,
    normalised,
    prompt_texts,
    read_preferences,
    split_by_prompt,
    win_rates,
)
from benchmarks.real_preferences.study import read_plan, read_sets


def real(test):
    """Marks a test that reads the public data."""
    reason = f"no public data at {DATA} (TSO_SHARED_DATA)"
    return pytest.mark.shared_data(pytest.mark.skipif(not DATA.is_dir(), reason=reason)(test))


RECORD = RESULTS / "real_preferences.json"
TUNING = RESULTS / "real_preferences_tuning.json"


def pair(prompt, number, chosen="a", rejected="b"):
    return Pair(
        pair_id=f"{prompt}-{number}",
        prompt_id=prompt,
        chosen_id=f"{prompt}-{number}-c",
        rejected_id=f"{prompt}-{number}-r",
        chosen_model=chosen,
        rejected_model=rejected,
    )


def pairs(prompts=10, of_each=3):
    return [pair(f"p{one}", number) for one in range(prompts) for number in range(of_each)]


def written(path, *rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def judged(prompt, chosen, rejected):
    turn = {"role": "user", "content": prompt}
    models = {"chosen_model": "x", "rejected_model": "y"}
    return {"prompt": [turn], "chosen": chosen, "rejected": rejected, **models}


def test_duplicates_empty_texts_and_pairs_judged_both_ways_are_left_out_and_counted(tmp_path):
    rows = [
        judged("Name a fruit.", "A pear.", "Stone"),
        judged("name a  fruit.", "A pear.", "Stone"),  # the same prompt but for case and space
        judged("Name a tree.", "An oak.", "Fish"),
        judged("Name a tree.", "Fish", "An oak."),
        judged("Name a bird.", " ", "A wren."),
    ]
    found = read_preferences(written(tmp_path / "pairs.jsonl", *rows))
    assert [found.responses[one.chosen_id][1] for one in found.pairs] == ["A pear."]
    assert found.counts == {
        "rows": 5, "duplicates": 1, "judged_both_ways": 2, "empty_or_equal": 1,
    }  # fmt: skip


def test_no_prompt_is_in_two_parts_of_a_split():
    split = split_by_prompt(pairs(), held_out=3, dev=2, seed=1)
    prompts = [{one.prompt_id for one in part} for part in (split.held_out, split.dev, split.train)]
    assert [len(some) for some in prompts] == [3, 2, 5]
    assert len(set.union(*prompts)) == 10
    assert split != split_by_prompt(pairs(), held_out=3, dev=2, seed=2)


def test_a_draw_takes_so_many_pairs_of_each_prompt_and_others_for_another_seed():
    drawn = draw(pairs(of_each=6), 2, 0, "train")
    assert sorted(one.prompt_id for one in drawn) == sorted([f"p{one}" for one in range(10)] * 2)
    assert draw(pairs(of_each=6), 2, 1, "train") != drawn
    assert sorted(draw(pairs(), 9, 0), key=lambda one: one.pair_id) == pairs()


def test_a_model_wins_the_share_of_its_pairs_in_which_it_is_chosen():
    some = [pair("p", 0, "a", "b"), pair("p", 1, "a", "c"), pair("p", 2, "b", "a")]
    assert win_rates(some) == pytest.approx({"a": 2 / 3, "b": 1 / 2, "c": 0})


def test_demonstrations_with_a_prompt_of_the_sets_are_left_out(tmp_path):
    long = "Janet has sixteen ducks and sells each of them for two dollars."
    rows = [
        {"source": "s", "prompt": "What is  SNOW?", "response": "Ice."},
        {"source": "s", "prompt": f"Solve this: {long.upper()} How much?", "response": "32"},
        {"source": "s", "prompt": "Tell a story.", "response": f"{long} The end."},
        {"source": "s", "prompt": "What is snow made of?", "response": "Ice."},  # short: stays
        {"source": "other", "prompt": "A source that the mix does not name.", "response": "Yes."},
    ]
    path = written(tmp_path / "corpus.jsonl", *rows)
    mix, counts = teaching_mix(path, {"s": 9}, ["What is snow?", long], seed=0)
    assert [one.prompt for one in mix] == ["What is snow made of?"]
    assert counts == {
        "prompt_of_a_preference_set": 1,
        "contains_a_prompt_of_a_preference_set": 2,
        "s": 1,
    }


def table():
    return pd.DataFrame(
        {
            "chosen_tokens": [10, 40, 20, 10],
            "rejected_tokens": [20, 20, 19, 10],
            "drawn": [True, True, True, False],
            "matched": [False, False, True, True],
        }
    )


def test_only_the_length_matched_slice_takes_pairs_that_were_not_drawn():
    sizes = ("all", "length_matched", "chosen_longer", "chosen_shorter")
    assert [int(in_slice(table(), name).sum()) for name in sizes] == [3, 2, 2, 1]


def test_a_margin_per_token_divides_each_side_by_its_own_length():
    ratios = pd.DataFrame({"chosen": [2.0, 4.0, 2.0, 1.0], "rejected": [3.0, 1.0, 1.9, 1.0]})
    summed, per_token = (margin(table(), ratios, kind) for kind in ("summed", "per_token"))
    assert summed.tolist() == pytest.approx([-1.0, 3.0, 0.1, 0.0])
    assert per_token.tolist() == pytest.approx([0.05, 0.05, 0.0, 0.0])
    assert hits(summed).tolist() == [0, 1, 1, 0.5]


def test_pairs_of_one_prompt_are_drawn_together_so_they_are_worth_one():
    values = np.array([[1.0] * 50 + [0.0] * 50])
    apart = interval(values, [f"p{one}" for one in range(100)])
    together = interval(values, ["p"] * 50 + ["q"] * 50)
    assert apart["mean"] == together["mean"] == 0.5
    assert 0.38 < apart["low"] < 0.43  # 0.5 - 1.96 * 0.05
    assert (together["low"], together["high"]) == (0.0, 1.0)


def test_seeds_that_differ_widen_the_interval():
    prompts = [f"p{one}" for one in range(50)]
    alike = interval(np.full((3, 50), 0.5), prompts)
    differing = interval(np.array([[0.2] * 50, [0.5] * 50, [0.8] * 50]), prompts)
    assert (alike["low"], alike["high"]) == (0.5, 0.5)
    assert (differing["low"], differing["high"]) == (0.2, 0.8)


def test_the_words_follow_from_the_interval_alone():
    def found(low, high):
        one = {"mean": (low + high) / 2, "low": low, "high": high}
        return {**one, "verdict": verdict(one)}

    rivals = {"coin": found(0.1, 0.2), "longer": found(-0.1, 0.2), "shorter": found(-0.3, -0.1)}
    assert judgements(rivals) == (
        "above a coin (+0.150 [+0.100, +0.200]); "
        "not separated from the longer one (+0.050 [-0.100, +0.200]); "
        "below the shorter one (-0.200 [-0.300, -0.100])"
    )
    assert judgements({"coin": None}) == "no such pairs"


@pytest.mark.skipif(not RECORD.is_file(), reason="not measured yet")
def test_the_page_is_what_its_results_say():
    result, tuned = (json.loads(path.read_text(encoding="utf-8")) for path in (RECORD, TUNING))
    assert PAGE.read_text(encoding="utf-8") == render(result, tuned)


@pytest.mark.skipif(not TUNING.is_file(), reason="not tuned yet")
def test_each_learning_rate_is_the_best_of_its_loss_on_dev():
    tuned = json.loads(TUNING.read_text(encoding="utf-8"))["metrics"]["sets"]
    best = {
        name: {
            loss: float(max(rates, key=lambda rate: rates[rate]["accuracy"]["mean"]))
            for loss, rates in by_loss.items()
        }
        for name, by_loss in tuned.items()
    }
    assert read_plan()["learning_rates"] == best


@pytest.fixture(scope="module")
def sets():
    return read_sets(read_plan(), DATA)


@real
def test_the_sets_have_the_pairs_and_the_length_shortcuts_that_are_published(sets):
    assert {name: one.counts["rows"] for name, one in sets.items()} == {
        "gsm8k": 1782,
        "ai_preferences": 10000,
    }
    longer = {}
    for name, one in sets.items():
        text = {side: found for side, (_, found) in one.responses.items()}
        ahead = [len(text[some.chosen_id]) > len(text[some.rejected_id]) for some in one.pairs]
        longer[name] = sum(ahead) / len(ahead)
    assert longer == pytest.approx({"gsm8k": 0.534, "ai_preferences": 0.845}, abs=0.005)


@real
def test_no_prompt_of_the_sets_is_in_the_teaching_mix(sets):
    prompts = prompt_texts(sets)
    teaching = read_plan()["teaching"]
    mix, counts = teaching_mix(DATA / teaching["file"], teaching["rows"], prompts, seed=20)
    assert not {normalised(one.prompt) for one in mix} & {normalised(one) for one in prompts}
    assert sum(counts.values()) == len(mix) == 10360  # no row had to be left out
