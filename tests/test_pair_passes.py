"""Pairs made range by range are those of the whole round at once."""

import random
from dataclasses import replace

import pytest

from infra.place import blocks_of, counts_of, records_of
from tasks import pair_passes
from tasks.config import PairsSection
from tasks.correction import CorrectionSettings
from tasks.judging import candidates_of
from tasks.pair import pair
from tasks.pairing import split_held_out
from tasks.records import Feedback, Preference, PreferencePair, Prompt, Response, Verdict
from tasks.responses import by_id
from tests.judged import committed
from tests.opinion_makers import prompt, response, verdict
from tests.paired import pairs_of
from tests.small_config import small_place

PROMPTS = [prompt(prompt_id=f"p{number:02}") for number in range(40)]
CELLS = {"policy": 1.0, "large": 2.0, "human": 3.0}


def made_round(seed):
    """Three responses to each prompt, and what a judge says of two in three comparisons."""
    chance = random.Random(seed)
    answers, opinions = [], []
    for one in PROMPTS:
        names = []
        for cell in CELLS:
            name, words = f"{cell}-{one.prompt_id}", chance.randint(1, 9)
            made = response(name, " ".join(["word"] * words), prompt_id=one.prompt_id, cell=cell)
            origin = "policy" if cell == "policy" else "model"
            ended = "length" if chance.random() < 0.2 else "stop"
            answers.append(replace(made, origin=origin, finish_reason=ended))
            names.append(name)
        for a, b in ((0, 1), (0, 2), (1, 2)):
            if chance.random() < 0.67:
                a_id, b_id = sorted((names[a], names[b]))
                said = chance.choice("aab")
                opinions += [
                    replace(verdict(a_id, b_id, said, shown=shown), prompt_id=one.prompt_id)
                    for shown in "ab"
                ]
    return answers, opinions


RULES = {
    "alone": {"kind": "best_vs_worst"},
    "against all": {"kind": "policy_first", "share": 0.8},
}
FILTERS = {
    "none": [],
    "each by itself": [{"kind": "truncated"}, {"kind": "per_prompt", "cap": 1}],
    "against all, twice": [
        {"kind": "truncated"},
        {"kind": "length_balance", "max_ratio": 1.5},
        {"kind": "per_prompt", "cap": 1},
        {"kind": "length_balance", "max_ratio": 1.0},
    ],
}


@pytest.mark.parametrize("filters", FILTERS)
@pytest.mark.parametrize("rule", RULES)
def test_ranges_of_prompts_make_the_pairs_of_the_whole_round(monkeypatch, tmp_path, rule, filters):
    monkeypatch.setattr(
        pair_passes, "blocks_of", lambda place, of, **tables: blocks_of(place, of, 7, **tables)
    )
    place = small_place(root=f"file://{tmp_path}/store", strengths=CELLS)
    answers, opinions = made_round(seed=3)
    settings = PairsSection.model_validate(
        {"rule": RULES[rule], "filters": FILTERS[filters], "held_out_share": 0.3}
    )
    whole = pairs_of(
        candidates_of(answers, CELLS), opinions, by_id(answers), CorrectionSettings(), settings, 1
    )
    shuffled = random.Random(1).sample(answers, len(answers))
    feedback = Feedback(
        responses=[committed(place, Response, shuffled)],
        verdicts=[committed(place, Verdict, opinions)],
    )
    prompts = committed(place, Prompt, PROMPTS)
    artifact = pair.fn(prompts, feedback, CorrectionSettings(), settings, place)
    groups = {one.prompt_id: one.group_id for one in PROMPTS}
    rows, held_out = split_held_out(whole.pairs, groups, 0.3, place.seed)
    assert rows and held_out
    assert records_of(place, PreferencePair, artifact) == rows
    assert records_of(place, PreferencePair, artifact, "held_out") == held_out
    assert records_of(place, Preference, artifact, "preferences") == whole.preferences
    assert records_of(place, Verdict, artifact, "prior") == whole.prior
    assert counts_of(place, artifact) == {**whole.counts, "held_out": len(held_out)}
