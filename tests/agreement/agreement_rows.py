"""Short ways to write a round's verdicts for the figures about judges; every prompt p0, p1, …"""

from dataclasses import replace

from tasks.agreement.intervals import Sampling
from tasks.agreement.measure import quality
from tasks.agreement.settings import AgreementSettings
from tasks.candidates import candidate_of
from tasks.opinions import Annotator, Opinion, Question, verdict_of
from tests.opinion_makers import response

SETTINGS = AgreementSettings(resamples=200, min_prompts=2)
STRENGTHS = {"big": 2.0, "small": 1.0}


def world(number, big="a long answer", small="short"):
    """Responses b0, s0, b1, s1, … of the cells big and small to prompts p0, p1, …"""
    made = {}
    for index in range(number):
        for letter, cell, text in (("b", "big", big), ("s", "small", small)):
            name = f"{letter}{index}"
            made[name] = response(name, text, prompt_id=f"p{index}", cell=cell)
    return made


def candidates(responses):
    return [candidate_of(one, STRENGTHS.get(one.cell, 0.0)) for one in responses.values()]


def said(index, winner, *, first="b", by="judge", kind="judge", replicate=0):
    """What `by` says on prompt `index`: b (big wins), s, tie or unparsed."""
    names = {"b": f"b{index}", "s": f"s{index}"}
    second = {"b": "s", "s": "b"}[first]
    question = Question(
        prompt_id=f"p{index}",
        first_id=names[first],
        second_id=names[second],
        replicate=replicate,
    )
    outcome = {first: "first", second: "second"}.get(winner, winner)
    return verdict_of(Opinion(outcome=outcome), question, Annotator(name=by, kind=kind))


def both(index, one, other=None, **who):
    """What is said with big first and with small first."""
    return [said(index, one, first="b", **who), said(index, other or one, first="s", **who)]


def person(index, winner, by="ann"):
    return replace(said(index, winner, by=by, kind="human"), first_shown="unknown")


def figures(verdicts, responses, own=None, settings=SETTINGS):
    """{(annotator, other, figure): figure}."""
    found = quality(verdicts, responses, candidates(responses), own or {}, Sampling(settings, 3))
    return {(one.annotator, one.other, one.figure): one for one in found}
