"""What every judge returns on inputs that never change: its part of tests/golden.json."""

from dataclasses import replace
from typing import Any

from tasks.judging import Asked
from tasks.opinions import Annotator, Question
from tasks.panels import panel_verdicts
from tasks.recorded_verdicts import Answered, joined
from tasks.sources import Row
from tests.golden_inputs import CHECKS, REPLIES, TEXTS
from tests.opinion_makers import prompt, response, verdict

QUESTIONS = 40


def of_judge(judge: Any) -> Any:
    """Opinions on pairs of texts in both orders, or what is asked and how replies are read."""
    asked = prompt(*CHECKS, text="Name ```animals```.")
    if judge.SHAPE == "asks":
        return _of_asking(judge, asked)
    if judge.SHAPE == "recorded":
        return _recorded_verdicts(judge)
    if judge.SHAPE == "panel":
        return _panel_verdicts(judge)
    if hasattr(judge, "models"):
        numbers = [dict.fromkeys(judge.models(), 0.5) | {"policy": n / 4} for n in range(-4, 5)]
        return _of_scale(judge.scale, [judge.score_of(one) for one in numbers])
    opinions = []
    for number in range(QUESTIONS):
        first = response("r1", TEXTS[number % len(TEXTS)])
        second = response("r2", TEXTS[number * 7 % len(TEXTS)])
        for one, other in ((first, second), (second, first)):
            opinion = judge.compare(asked, one, other, f"question-{number}")
            opinions.append([opinion.outcome, opinion.p_second_wins, opinion.strength])
    texts = [(asked, response("r", text)) for text in TEXTS]
    scores = judge.scores(texts) if judge.SHAPE == "scores" else []
    return {"opinions": opinions, "scores": scores}


def _of_asking(judge: Any, asked: Any) -> Any:
    """What is asked, with which settings, and how replies and tokens are read."""
    asked = replace(asked, checks=[*asked.checks, '{"answer":"fox, owl","kind":"reference"}'])
    read = [judge.parse(reply, tokens) for reply in REPLIES for tokens in ((), TOKENS)]
    reads = [[one.outcome, one.p_second_wins, one.score, one.aspects] for one in read]
    question = judge.render(asked, TEXTS[4], TEXTS[10])
    scale = _of_scale(judge.scale, [1.0, 2.0, 4.5]) if hasattr(judge, "scale") else None
    return {"asks": question, "request": judge.request(), "reads": reads, "scale": scale}


def _of_scale(scale: Any, scores: list[float]) -> Any:
    """What pairs of scores become."""
    opinions = [scale.opinion(one, other) for one in scores for other in scores]
    return [scores, [[one.outcome, one.p_second_wins, one.strength] for one in opinions]]


def _panel_verdicts(panel: Any) -> Any:
    """What members that agree, differ and say nothing become."""
    names = sorted(panel.members)
    texts = {name: response(name, name) for name in ("r1", "r2")}
    question = Question(prompt_id="p", first_id="r1", second_id="r2")
    asked = [Asked(question, prompt(), texts["r1"], texts["r2"])]
    verdicts = []
    for outcomes in ("aaa", "aab", "abt", "aau", "auu", "uuu", "ttu"):
        said = {
            name: [verdict("r1", "r2", SAID[one], by=name, shown="a")]
            for name, one in zip(names, outcomes, strict=True)
        }
        verdicts += panel_verdicts(asked, said, panel, Annotator(name="main", kind="judge"))
    return [[one.outcome, one.p_b_wins, one.strength] for one in verdicts]


SAID = {"a": "a", "b": "b", "t": "tie", "u": "unparsed"}
TOKENS = [("A", -0.5), (" B", -1.5), ("B", -2.0), ("C", -3.0)]


def _recorded_verdicts(judge: Any) -> Any:
    """What rows of verdicts become, one for each way of giving an opinion."""
    said: list[dict[str, Any]] = [
        {"outcome": "a", "first_shown": "b"},
        {"p_b_wins": 0.75, "first_shown": "a"},
        {"preference": 1.25},
        {"preference": None},
        {"outcome": "tie", "strength": 0.5, "annotator": "ann"},
    ]
    answers = {one.response_id: one for one in (response("r2", "fig"), response("r1", "plum"))}
    rows = [Row("f:1", {"prompt_id": "p", "a": "fig", "b": "plum", **one}) for one in said]
    found = joined(rows, Answered([prompt()], answers), Annotator(name="main", kind=judge.by))
    return [[one.outcome, one.p_b_wins, one.first_shown, one.annotator] for one in found.verdicts]
