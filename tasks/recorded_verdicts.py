"""Verdicts that exist already become records: joined to the responses that were really judged.

A row names the two responses by their ids or by their texts (or by keys of a table of texts),
never by the models that are said to have written them: what a file calls a model's answer is not
always the answer that was judged. Names of cells only tell equal texts apart.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from tasks.conversations import NAMES, asked_key, prompt_keys
from tasks.errors import DataError
from tasks.opinions import Annotator, Opinion, Question, verdict_of
from tasks.records import Prompt, Response, Verdict
from tasks.sources import Row, text_of

OUTCOMES = ("a", "b", "tie", "both_bad", "skip", "unparsed")
SHOWN = ("a", "b", "unknown")
MIRRORED = {"a": "b", "b": "a"}
OTHER_PROMPTS = "of_other_prompts"
UNKNOWN_RESPONSES = "of_unknown_responses"
WITH_ITSELF = "of_a_response_with_itself"
SHARED_TEXTS = "of_texts_of_several_cells"
_SHOWN_AS = {"a": "first", "b": "second"}
"""A judge speaks of first and second: here the response a counts as the first."""
FIELDS = {
    *("prompt_id", "source_id", "source", "messages", "prompt"),
    *("a_id", "b_id", "a", "b", "a_cell", "b_cell"),
    *("outcome", "p_b_wins", "preference", "first_shown"),
    *("annotator", "criterion", "strength", "reply", "duration_seconds", "cost_usd"),
}
TEXT_FIELDS = {"prompt_id", "source_id", "source", "messages", "prompt", "key", "response"}
LONGEST_SECONDS = 1e7
MOST_USD = 1e6

Texts = Mapping[tuple[str, str], str]
"""Judged texts by (prompt_id, key)."""


class Answered:
    """The prompts and responses of a round, as rows of tables name them."""

    def __init__(self, prompts: Iterable[Prompt], responses: Mapping[str, Response]) -> None:
        self.responses = responses
        self._prompts: dict[tuple[str, ...], str] = {}
        for prompt in prompts:
            keys = prompt_keys(prompt.prompt_id, prompt.messages, prompt.source, prompt.source_id)
            self._prompts |= dict.fromkeys(keys, prompt.prompt_id)
        self._by_text: dict[tuple[str, str], list[Response]] = {}
        for response in sorted(responses.values(), key=lambda one: one.response_id):
            key_of_text = (response.prompt_id, response.text)
            self._by_text.setdefault(key_of_text, []).append(response)

    def prompt_of(self, row: Row) -> str | None:
        """Id of the prompt that `row` is about, None if it is not of this round.

        Raises DataError if the row does not say.
        """
        return self._prompts.get(asked_key(row))

    def of_text(self, prompt_id: str, text: str) -> list[Response]:
        """The responses with this text, by id."""
        return self._by_text.get((prompt_id, text), [])


class Join(NamedTuple):
    """Verdicts on this round's responses, and rows that are none, by reason."""

    verdicts: list[Verdict]
    counts: dict[str, int]


def texts_of(rows: Iterable[Row], answered: Answered) -> dict[tuple[str, str], str]:
    """The judged texts of this round's prompts; DataError if one key has two texts."""
    texts: dict[tuple[str, str], str] = {}
    for row in rows:
        row.check_fields(TEXT_FIELDS)
        prompt = answered.prompt_of(row)
        text, key = row.text("response"), text_of(row.fields.get("key"))
        if prompt is not None and texts.setdefault((prompt, key), text) != text:
            raise DataError(f"{row.at('key')}: {key!r} has two texts for prompt {prompt}; keep one")
    return texts


def check_verdict(row: Row, keys: bool = False) -> None:
    """Raise DataError that names column and value if `row` can be no verdict on any round.

    `keys`: its a and b are keys of a table of texts.
    """
    row.check_fields(FIELDS)
    if row.fields.get("a_id") is not None or row.fields.get("b_id") is not None:
        row.text("a_id"), row.text("b_id")
    else:
        asked_key(row)
        for side in ("a", "b"):
            _text_or_key(row, side, keys)
    _opinion(row)
    row.one_of("first_shown", SHOWN, "unknown")


def _text_or_key(row: Row, side: str, keys: bool) -> str:
    value = row.fields.get(side)
    return text_of(value) if keys and value is not None else row.text(side)


def check_text_row(row: Row) -> None:
    """Raise DataError that names column and value if `row` can be no judged text."""
    row.check_fields(TEXT_FIELDS)
    asked_key(row), row.text("response")
    if row.fields.get("key") is None:
        raise DataError(f"{row.at('key')}: key is missing; it is what verdicts call the text")


def joined(
    rows: Iterable[Row], answered: Answered, annotator: Annotator, texts: Texts | None = None
) -> Join:
    """The verdicts in `rows`, of `annotator` unless a row names another.

    With `texts`, columns a and b hold its keys. A judge that gave several verdicts on the same
    comparison in the same order gets replicates; a person may give one. Raises DataError that
    names the row, and if none of the rows about this round's prompts is about its responses.
    """
    verdicts: list[Verdict] = []
    counts = dict.fromkeys((OTHER_PROMPTS, UNKNOWN_RESPONSES, WITH_ITSELF, SHARED_TEXTS), 0)
    repeats: dict[tuple[str, ...], int] = {}
    for row in rows:
        row.check_fields(FIELDS)
        sides = _sides(row, answered, texts)
        if isinstance(sides, str):
            counts[sides] += 1
            last = row
            continue
        counts[WITH_ITSELF] += sides[0].response_id == sides[1].response_id
        counts[SHARED_TEXTS] += _is_shared(row, sides, answered)
        verdict = _verdict(row, sides, annotator)
        key = _key(verdict)
        repeats[key] = repeats.get(key, -1) + 1
        if repeats[key]:
            verdict = _repeated(row, verdict, repeats[key])
        verdicts.append(verdict)
    if counts[UNKNOWN_RESPONSES] and not verdicts:
        raise DataError(
            f"none of the {counts[UNKNOWN_RESPONSES]} verdicts on this round's prompts is about "
            f"one of its responses, the last in {last.where}; a and b need the texts that were "
            "judged (or keys of a table in `texts`), and a cell of the matrix has to bring them"
        )
    return Join(verdicts, counts)


def _key(verdict: Verdict) -> tuple[str, ...]:
    """What makes two verdicts repeats; a person sees a comparison once, in whatever order."""
    key = (verdict.a_id, verdict.b_id, verdict.annotator, verdict.criterion)
    return key if verdict.annotator_kind == "human" else (*key, verdict.first_shown)


def _repeated(row: Row, verdict: Verdict, replicate: int) -> Verdict:
    if verdict.annotator_kind == "human":
        raise DataError(
            f"{row.where}: {verdict.annotator!r} judged {verdict.a_id} and {verdict.b_id} twice; "
            "keep one row, or map the column `annotator` if they are several people"
        )
    return replace(verdict, replicate=replicate)


def _sides(row: Row, answered: Answered, texts: Texts | None) -> tuple[Response, Response] | str:
    """The two responses that were judged, or why there are none."""
    if row.fields.get("a_id") is not None or row.fields.get("b_id") is not None:
        return _by_ids(row, answered)
    prompt = answered.prompt_of(row)
    if prompt is None:
        return OTHER_PROMPTS
    found = []
    for side in ("a", "b"):
        text: str | None = _text_or_key(row, side, texts is not None)
        if texts is not None:
            text = texts.get((prompt, str(text)))
        found.append([] if text is None else answered.of_text(prompt, text))
    if not all(found):
        return UNKNOWN_RESPONSES
    first = _meant(row, "a", found[0], [])
    return first, _meant(row, "b", found[1], [first])


def _meant(row: Row, side: str, found: Sequence[Response], taken: Sequence[Response]) -> Response:
    """Of responses with the judged text: the named cell's, else one that is not `taken`."""
    cell = row.fields.get(f"{side}_cell")
    free = [one for one in found if one not in taken]
    return next((one for one in found if one.cell == cell), (free or found)[0])


def _is_shared(row: Row, sides: tuple[Response, Response], answered: Answered) -> bool:
    """Whether a side's text is also another cell's, and the row does not name the cell."""
    return any(
        row.fields.get(f"{name}_id") is None
        and row.fields.get(f"{name}_cell") != side.cell
        and len({one.cell for one in answered.of_text(side.prompt_id, side.text)}) > 1
        for name, side in zip("ab", sides, strict=True)
    )


def _by_ids(row: Row, answered: Answered) -> tuple[Response, Response] | str:
    ids = row.text("a_id"), row.text("b_id")
    if any(one not in answered.responses for one in ids):
        return UNKNOWN_RESPONSES if _of_this_round(row, answered) else OTHER_PROMPTS
    first, second = (answered.responses[one] for one in ids)
    if first.prompt_id != second.prompt_id:
        raise DataError(f"{row.where}: {ids[0]} and {ids[1]} answer two prompts")
    if row.fields.get("prompt_id") not in (None, first.prompt_id):
        raise DataError(
            f"{row.at('prompt_id')}: prompt_id is {row.fields['prompt_id']!r}, but the responses "
            f"answer {first.prompt_id!r}"
        )
    return first, second


def _of_this_round(row: Row, answered: Answered) -> bool:
    named = any(row.fields.get(name) is not None for name in NAMES)
    return named and answered.prompt_of(row) is not None


def _verdict(row: Row, sides: tuple[Response, Response], annotator: Annotator) -> Verdict:
    name = row.fields.get("annotator") or annotator.name
    if not name:
        raise DataError(f"{row.at('annotator')}: annotator is missing; a verdict says whose it is")
    question = Question(
        prompt_id=sides[0].prompt_id,
        first_id=sides[0].response_id,
        second_id=sides[1].response_id,
        criterion=str(row.fields.get("criterion") or "overall"),
    )
    verdict = verdict_of(_opinion(row), question, replace(annotator, name=str(name)))
    shown = row.one_of("first_shown", SHOWN, "unknown")
    sides_shown = {"a": verdict.first_shown, "b": MIRRORED[verdict.first_shown]}
    return replace(
        verdict,
        first_shown=sides_shown.get(shown, "unknown"),
        duration_seconds=row.number("duration_seconds", 0, LONGEST_SECONDS),
        cost_usd=row.number("cost_usd", 0, MOST_USD),
    )


def _opinion(row: Row) -> Opinion:
    """Outcome and probability: `p_b_wins` from 0 to 1, or `preference` from 1 (a) to 2 (b)."""
    p = row.number("p_b_wins", 0, 1)
    preference = row.number("preference", 1, 2)
    if preference is not None:
        if p is not None:
            raise DataError(f"{row.where}: has p_b_wins and preference; map one of them")
        p = preference - 1
    if row.fields.get("outcome") is not None:
        outcome = row.one_of("outcome", OUTCOMES)
        if p is not None and {outcome, _more_likely(p)} == {"a", "b"}:
            raise DataError(
                f"{row.where}: outcome is {outcome!r}, but the probability that b wins is {p:g}; "
                "one of the two columns means the other side"
            )
    elif row.fields.keys() & {"p_b_wins", "preference"}:
        outcome = _more_likely(p)
    else:
        raise DataError(f"{row.where}: needs outcome, p_b_wins or preference")
    return Opinion(
        outcome=_SHOWN_AS.get(outcome, outcome),
        p_second_wins=p,
        strength=row.number("strength", 0, 1),
        reply=None if row.fields.get("reply") is None else row.text("reply"),
    )


def _more_likely(p_b_wins: float | None) -> str:
    if p_b_wins is None:
        return "unparsed"
    return "tie" if p_b_wins == 0.5 else "b" if p_b_wins > 0.5 else "a"
