"""What estimators, selections, pair filters and label rules return on inputs that never change."""

from dataclasses import replace
from typing import Any

from tasks.label_rules._contract import Judged
from tasks.pairs import PairView, PromptPreferences
from tests.golden_inputs import TEXTS
from tests.opinion_makers import candidate, pair, preference, response, verdict

ORIGINS = ("policy", "policy", "model", "model", "human", "recorded")


def of_label_rule(rule: Any) -> Any:
    """The labels of a prompt of which some comparisons are dropped and some responses scored."""
    members = {f"r{i}": candidate(f"r{i}", origin=origin) for i, origin in enumerate(ORIGINS)}
    ids = sorted(members)
    every = [(a, b) for i, a in enumerate(ids) for b in ids[i + 1 :]]
    preferences = [
        preference(*both, ("a", "b", "dropped")[number % 3], margin=(number % 5 + 1) / 5)
        for number, both in enumerate(every)
    ]
    scores = [
        replace(verdict(one, one, "scored", by=by, kind=kind), b_id="", score=score, scale=scale)
        for number, one in enumerate(ids[:5])
        for by, kind, score, scale in (
            ("main", "judge", float(number), "1-5"),
            ("ann", "human", float(number % 2), "thumbs"),
            ("bea", "human", float(number > 2), "thumbs"),
        )
        if kind == "judge" or number
    ]
    said = rule(Judged("p", members, preferences, scores))
    shares = {one: round(value, 6) for one, value in sorted(said.desirable.items())}
    return [shares, dict(sorted(said.left_out.items()))]


def of_pair_filter(one: Any) -> Any:
    """The reason for each of thirty pairs that it drops."""
    views = []
    for number in range(30):
        cut = "length" if number % 7 == 0 else "stop"
        longer = " and some words more" if number % 3 else ""
        views.append(
            PairView(
                pair=pair(
                    f"c{number}", f"r{number}", margin=number / 30, prompt_id=f"p{number % 4}"
                ),
                chosen=response("c", TEXTS[number % len(TEXTS)] + longer, finish_reason=cut),
                rejected=response("r", TEXTS[number * 3 % len(TEXTS)]),
                reference_chosen_logp=-10.0 - number,
                reference_rejected_logp=-40.0 + number,
                estimates=[0.1 + 0.025 * number, 0.3, 1 - 0.03 * number],
            )
        )
    return dict(sorted(one(views).items()))


def of_estimator(estimator: Any) -> Any:
    """Scores and passes of four responses of which two were compared twice; nothing of a model."""
    if not estimator.FITS:
        return None
    prompt = PromptPreferences(
        preferences=[preference("r1", "r2", margin=0.5), preference("r2", "r3", "b")],
        candidates={name: candidate(name) for name in ("r1", "r2", "r3", "r4")},
    )
    scores, passes = estimator(prompt, "p", 1)
    return [
        {name: round(one, 6) for name, one in scores.items()},
        {name: [round(one, 6) for one in some] for name, some in passes.items()},
    ]


def of_selection(selection: Any) -> Any:
    """What stays of ten, four, one and no responses, under two seeds."""
    scores = {f"r{number}": number * 0.7 % 1 for number in range(10)}
    sizes = (10, 4, 1, 0)
    return [
        selection(dict(list(scores.items())[:size]), "p", seed) for size in sizes for seed in (1, 2)
    ]
