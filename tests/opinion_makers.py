"""Short ways to write prompts, responses, candidates and verdicts in tests."""

from dataclasses import replace

from tasks.candidates import Candidate
from tasks.canonical import canonical_json
from tasks.comparison_rules._contract import Heard
from tasks.opinions import Annotator, Opinion, Question, verdict_of
from tasks.records import Preference, PreferencePair, Prompt, Response, Verdict
from tasks.waves import chosen


def prompt(*checks, prompt_id="p", text="Say it.", tags=()):
    return Prompt(
        prompt_id=prompt_id,
        messages=[{"role": "user", "content": text}],
        source="test",
        source_id="",
        split="train",
        group_id=prompt_id,
        tags=list(tags),
        checks=[canonical_json(check) for check in checks],
    )


def response(response_id, text, *, prompt_id="p", finish_reason="stop", cell="policy"):
    return Response(
        response_id=response_id,
        prompt_id=prompt_id,
        text=text,
        origin="policy",
        cell=cell,
        generator=cell,
        sample_index=0,
        seed=None,
        finish_reason=finish_reason,
        token_ids=None,
        tokenizer=None,
        template=None,
    )


def candidate(
    response_id, strength=1.0, *, origin="model", text=None, prompt_id="p", represented_by=""
):
    return Candidate(
        prompt_id=prompt_id,
        response_id=response_id,
        cell=f"cell-{strength}",
        strength=strength,
        origin=origin,
        sample_index=0,
        text_digest=response_id if text is None else text,
        represented_by=represented_by,
    )


def verdict(a_id, b_id, outcome, *, by="judge", kind="judge", shown="unknown", p=None):
    question = Question(prompt_id="p", first_id=a_id, second_id=b_id)
    base = verdict_of(Opinion(outcome="tie"), question, Annotator(name=by, kind=kind))
    return replace(base, outcome=outcome, first_shown=shown, p_b_wins=p)


def both(a_id, b_id, outcome, *, by="judge", other=None, p=None) -> list[Verdict]:
    """A judge's two verdicts; `other` is the outcome when b is shown first."""
    return [
        verdict(a_id, b_id, outcome, by=by, shown="a", p=p),
        verdict(a_id, b_id, other or outcome, by=by, shown="b", p=p),
    ]


def person(a_id, b_id, outcome, by="ann"):
    return verdict(a_id, b_id, outcome, by=by, kind="human")


def preference(a_id, b_id, outcome="a", *, margin=1.0, prompt_id="p") -> Preference:
    sign = {"a": -1, "b": 1, "dropped": 0}[outcome]
    return Preference(
        prompt_id=prompt_id,
        a_id=a_id,
        b_id=b_id,
        p_b_wins=0.5 + sign * margin / 2,
        outcome=outcome,
        margin=margin if sign else 0.0,
        decided_by="judge",
        overruled=[],
        reason="kept" if sign else "tie",
    )


def pair(chosen_id, rejected_id, *, margin=1.0, prompt_id="p") -> PreferencePair:
    return PreferencePair(
        pair_id=f"{prompt_id}-{chosen_id}-{rejected_id}",
        prompt_id=prompt_id,
        chosen_id=chosen_id,
        rejected_id=rejected_id,
        p_chosen=0.5 + margin / 2,
        margin=margin,
        weight=1.0,
        rule="all_above_margin",
    )


def waves_of(rule, members, seed, p_b_wins):
    """The waves of a comparison rule where p_b_wins(a_id, b_id) is what the judge says."""
    asking, waves, heard = chosen(rule, members, seed), [], None
    try:
        while True:
            waves.append(asking.send(heard))
            heard = [Heard(*ids, p_b_wins(*ids)) for ids in waves[-1]]
    except StopIteration:
        return waves
