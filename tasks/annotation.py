"""What people say and write: which comparisons they see, and their rows as records."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import cycle
from typing import Any, NamedTuple, get_args

from tasks.canonical import short_id
from tasks.errors import DataError
from tasks.opinions import Annotator, questions, verdict_of
from tasks.prompts import check_text, messages_of, prompt_id
from tasks.records import FirstShown, Prompt, Response, Verdict
from tasks.seeds import uniform_of

WRITTEN_CELL = "people"
"""Cell name of responses that annotators write."""
VERDICT_FIELDS = {"prompt_id", "a_id", "b_id", "annotator", "outcome", "strength", "first_shown"}
SHOWN = get_args(FirstShown)
RESPONSE_FIELDS = {"prompt_id", "messages", "prompt", "response", "annotator", "better_than"}
OUTCOMES = ("a", "b", "tie", "both_bad", "skip")
MIRRORED = {"a": "b", "b": "a"}

Row = tuple[str, Mapping[str, Any]]
"""The place of a row in its file and its fields."""


class Written(NamedTuple):
    """What response files hold for this round."""

    responses: list[Response]
    verdicts: list[Verdict]
    skipped: dict[str, int]


def budgeted(
    comparisons: Mapping[str, Sequence[tuple[str, str]]], share: float, seed: int
) -> list[tuple[str, tuple[str, str]]]:
    """A random `share` of all comparisons as (prompt_id, ids), the same for the same seed."""
    every = [(prompt, ids) for prompt, members in comparisons.items() for ids in members]
    ordered = sorted(every, key=lambda one: uniform_of(seed, "annotate", *one[1]))
    return sorted(ordered[: round(share * len(every))])


def simulated_verdicts(
    picked: Iterable[tuple[str, tuple[str, str]]],
    prompts: Mapping[str, Prompt],
    responses: Mapping[str, Response],
    people: Mapping[str, Any],
    seed: int,
) -> list[Verdict]:
    """One verdict of one simulated person on each comparison, the people taking turns.

    Each sees the two responses in an order that `seed` picks, and errs in a way of their own.
    """
    named = {name: _named(people[name], name) for name in sorted(people)}
    verdicts = []
    for (prompt, ids), name in zip(picked, cycle(named), strict=False):
        [question] = questions(prompt, ids, both_orders=False, seed=seed)
        first, second = responses[question.first_id], responses[question.second_id]
        opinion = named[name].compare(prompts[prompt], first, second, question.id)
        verdicts.append(verdict_of(opinion, question, Annotator(name=name, kind="human")))
    return verdicts


def _named(person: Any, name: str) -> Any:
    """`person` under `name`: what a simulated person gets wrong depends on it."""
    return replace(person, name=name) if hasattr(person, "name") else person


def verdicts_of_rows(
    rows: Iterable[Row], responses: Mapping[str, Response]
) -> tuple[list[Verdict], dict[str, int]]:
    """People's verdicts on this round's responses, and how many rows were about others.

    Raises DataError that names the row for an unknown field or outcome, a comparison of a response
    with itself or across prompts, and for one person who judged the same comparison twice.
    """
    verdicts: dict[tuple[str, str, str], Verdict] = {}
    others = 0
    for where, fields in rows:
        _check_fields(fields, VERDICT_FIELDS, where)
        for name in ("a_id", "b_id"):
            if not isinstance(fields.get(name), str):
                raise DataError(f"{where}: {name} is {fields.get(name)!r}, needs a response's id")
        if any(fields[name] not in responses for name in ("a_id", "b_id")):
            others += 1
            continue
        verdict = _verdict(fields, responses, where)
        key = (verdict.a_id, verdict.b_id, verdict.annotator)
        if key in verdicts:
            raise DataError(f"{where}: {key[2]!r} judged {key[0]} and {key[1]} twice; keep one row")
        verdicts[key] = verdict
    return list(verdicts.values()), {"verdicts_not_of_this_round": others}


def _check_fields(fields: Mapping[str, Any], allowed: set[str], where: str) -> None:
    if unknown := sorted(fields.keys() - allowed):
        raise DataError(f"{where}: unknown field {unknown[0]!r}; allowed: {sorted(allowed)}")
    if not fields.get("annotator"):
        raise DataError(f"{where}: annotator is missing; every verdict says whose it is")


def _verdict(fields: Mapping[str, Any], responses: Mapping[str, Response], where: str) -> Verdict:
    first, second = responses[fields["a_id"]], responses[fields["b_id"]]
    if first.response_id == second.response_id:
        raise DataError(f"{where}: compares {first.response_id} with itself")
    if first.prompt_id != second.prompt_id:
        raise DataError(f"{where}: {first.response_id} and {second.response_id} answer two prompts")
    if fields.get("prompt_id") not in (None, first.prompt_id):
        raise DataError(
            f"{where}: prompt_id is {fields['prompt_id']!r}, but the responses answer "
            f"{first.prompt_id!r}"
        )
    outcome = _one_of(OUTCOMES, fields, "outcome", None, where)
    shown = _one_of(SHOWN, fields, "first_shown", "unknown", where)
    swapped = first.response_id > second.response_id
    return _human_verdict(
        prompt=first.prompt_id,
        ids=sorted((first.response_id, second.response_id)),
        annotator=str(fields["annotator"]),
        outcome=MIRRORED.get(outcome, outcome) if swapped else outcome,
        first_shown=MIRRORED.get(shown, shown) if swapped else shown,
        strength=_strength(fields, where),
    )


def _one_of(
    allowed: Sequence[str], fields: Mapping[str, Any], name: str, default: str | None, where: str
) -> str:
    value = fields.get(name, default)
    if value not in allowed:
        raise DataError(f"{where}: {name} is {value!r}; allowed: {', '.join(allowed)}")
    return str(value)


def _strength(fields: Mapping[str, Any], where: str) -> float | None:
    value = fields.get("strength")
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise DataError(f"{where}: strength is {value!r}; allowed: a number from 0 to 1")
    return float(value)


def _human_verdict(
    *,
    prompt: str,
    ids: Sequence[str],
    annotator: str,
    outcome: str,
    first_shown: str = "unknown",
    strength: float | None = None,
) -> Verdict:
    return Verdict(
        prompt_id=prompt,
        a_id=ids[0],
        b_id=ids[1],
        annotator=annotator,
        annotator_kind="human",
        annotator_version="",
        criterion="overall",
        replicate=0,
        first_shown=first_shown,
        outcome=outcome,
        p_b_wins=None,
        score=None,
        scale=None,
        strength=strength,
        reply=None,
        session=None,
        duration_seconds=None,
        cost_usd=None,
    )


def written_responses(
    rows: Iterable[Row], prompts: Mapping[str, Prompt], responses: Mapping[str, Response]
) -> Written:
    """Responses that people wrote for this round's prompts.

    Who writes a response prefers it to the ones named in `better_than`, or to all responses of
    its prompt if none are named.
    """
    by_prompt: dict[str, list[str]] = {}
    for response in responses.values():
        by_prompt.setdefault(response.prompt_id, []).append(response.response_id)
    written: dict[str, Response] = {}
    verdicts: list[Verdict] = []
    others = 0
    for where, fields in rows:
        _check_fields(fields, RESPONSE_FIELDS, where)
        prompt = str(fields.get("prompt_id") or prompt_id(messages_of(fields, where)))
        if prompt not in prompts:
            others += 1
            continue
        response = _written(fields, prompt, len(written), where)
        if response.response_id in written:
            raise DataError(f"{where}: {fields['annotator']!r} wrote this before; keep one row")
        worse = fields.get("better_than", by_prompt.get(prompt, []))
        written[response.response_id] = response
        verdicts += _preferred(response, worse, responses, str(fields["annotator"]), where)
    return Written(list(written.values()), verdicts, {"responses_not_of_this_round": others})


def _written(fields: Mapping[str, Any], prompt: str, index: int, where: str) -> Response:
    text = fields.get("response")
    if not isinstance(text, str) or not text.strip():
        raise DataError(f"{where}: response is {text!r:.80}, needs a text")
    check_text(text, where)
    generator = f"human:{fields['annotator']}"
    return Response(
        response_id=short_id(prompt, generator, 0, text),
        prompt_id=prompt,
        text=text,
        origin="human",
        cell=WRITTEN_CELL,
        generator=generator,
        sample_index=index,
        seed=None,
        finish_reason="stop",
        token_ids=None,
        tokenizer=None,
        template=None,
    )


def _preferred(
    response: Response,
    worse: Sequence[str],
    responses: Mapping[str, Response],
    annotator: str,
    where: str,
) -> list[Verdict]:
    verdicts = []
    for other in dict.fromkeys(worse):
        if other not in responses or responses[other].prompt_id != response.prompt_id:
            raise DataError(f"{where}: better_than names {other!r}, no response to this prompt")
        if responses[other].text.strip() == response.text.strip():
            continue
        ids = sorted((response.response_id, other))
        outcome = "a" if ids[0] == response.response_id else "b"
        verdicts.append(
            _human_verdict(prompt=response.prompt_id, ids=ids, annotator=annotator, outcome=outcome)
        )
    return verdicts
