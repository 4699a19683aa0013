"""What transforms make of two prompts, the writer's answers given: for tests/golden.json."""

from dataclasses import replace
from typing import Any

from infra.engines._contract import Sample
from tasks.responses import Tokens
from tasks.tokens import load_tokenizer
from tasks.transforms._contract import Maker, PromptPairs
from tests.opinion_makers import pair, prompt, response
from tests.tiny_models import tiny_model

TEXTS = {
    "c": "a ripe fig, a sweet plum and a green pear from the garden",
    "r": "an old fig, a sour plum and a brown pear",
    "s": "nuts",
}
ANSWERS = ("a ripe fig, a sour plum and a brown pear", "NO EDIT", "")


def of_transform(transform: Any) -> Any:
    """Pairs by texts, where responses come from, and counts; asks in short."""
    tokens = None
    if transform.READS_TOKENS:
        tokens = Tokens(load_tokenizer(tiny_model()), "tok", "tem")
    maker = Maker("made", "digest", tokens, (1, 0))
    pairs = [pair("c", "r"), pair("c", "s"), pair("r", "s")]
    answers = {name: _answer(name, text) for name, text in TEXTS.items()}
    view = PromptPairs(prompt=prompt(text="Name fruits."), pairs=pairs, responses=answers)
    asks = transform.asks(view, maker)
    written = {
        one.ask_id: _sample(one.ask_id, number, tokens is not None)
        for number, one in enumerate(asks)
    }
    made = transform.made(view, written, maker)
    texts = TEXTS | {one.response_id: one.text for one in made.responses}
    return {
        "asks": [[one.ask_id, len(one.prefix_ids or []), one.max_tokens] for one in asks],
        "pairs": [[texts[one.chosen_id], texts[one.rejected_id]] for one in made.pairs],
        "made": sorted(one.text for one in made.responses),
        "from": sorted([one.made_from, one.degree, one.start] for one in made.origins),
        "counts": dict(sorted(made.counts.items())),
    }


def _answer(name: str, text: str) -> Any:
    return replace(response(name, text), origin="model")


def _sample(ask_id: str, number: int, ids: bool) -> Sample:
    return Sample(
        prompt_id=ask_id,
        sample_index=0,
        text=None if ids else ANSWERS[number % len(ANSWERS)],
        token_ids=[5 + number, 6, 7] if ids else None,
        finish_reason="stop" if not ids else "length",
    )


def of_key_phrases(extractor: Any) -> Any:
    """Words, score and places of the phrases of each text."""
    return {
        name: [[one.words, round(one.score, 6), one.spans] for one in extractor(text)]
        for name, text in TEXTS.items()
    }
