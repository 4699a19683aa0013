"""What estimators, selections and pair filters return on inputs that never change."""

from typing import Any

from tasks.pairs import PairView, PromptPreferences
from tests.golden_inputs import TEXTS
from tests.opinion_makers import candidate, pair, preference, response


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
