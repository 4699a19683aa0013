"""A prompt with its pairs, and answers of a writer, in short."""

from dataclasses import replace

from infra.engines._contract import Sample
from tasks.transforms._contract import Maker, PromptPairs
from tests.opinion_makers import pair, prompt, response

MAKER = Maker("made", "digest", None, (1, 0))


def view_of(texts, *pairs, text="Name fruits.", checks=()):
    """Responses by name and pairs of names."""
    return PromptPairs(
        prompt=prompt(*checks, text=text),
        pairs=[pair(*both) for both in pairs],
        responses={
            name: replace(response(name, one), origin="model") for name, one in texts.items()
        },
    )


def answer(ask_id, text, finish="stop", ids=None):
    return Sample(prompt_id=ask_id, sample_index=0, text=text, token_ids=ids, finish_reason=finish)


def answers(transform, view, *texts, maker=MAKER):
    """Each text as the answer to one ask, in order."""
    asks = transform.asks(view, maker)
    return {one.ask_id: answer(one.ask_id, text) for one, text in zip(asks, texts, strict=True)}
