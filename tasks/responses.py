"""Requests to engines and what comes back as responses; texts and tokens of a response."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple, Protocol

from tasks.canonical import short_id
from tasks.errors import ConfigError, DataError
from tasks.model_matrix import Cell
from tasks.records import SHARD_PROMPTS, Checkpoint, Message, Prompt, Response
from tasks.seeds import seed_of
from tasks.tokens import render, response_ids

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase as Tokenizer

ENDINGS = ("stop", "length")
"""Finish reasons whose meaning is known; whatever else an engine says is `unknown` in a record."""


class Drawn(Protocol):
    """What an engine returns for one request; see `infra.engines._contract.Sample`."""

    @property
    def prompt_id(self) -> str: ...  # noqa: D102
    @property
    def sample_index(self) -> int: ...  # noqa: D102
    @property
    def text(self) -> str | None: ...  # noqa: D102
    @property
    def token_ids(self) -> list[int] | None: ...  # noqa: D102
    @property
    def finish_reason(self) -> str: ...  # noqa: D102
    @property
    def token_logps(self) -> list[float] | None: ...  # noqa: D102


class Tokens(NamedTuple):
    """How a cell's prompts and responses become tokens."""

    tokenizer: "Tokenizer"
    tokenizer_digest: str
    template_digest: str


def shards_of(prompts: Sequence[Prompt]) -> list[list[Prompt]]:
    """`prompts` by id, cut into shards of a fixed size."""
    ordered = sorted(prompts, key=lambda prompt: prompt.prompt_id)
    return [ordered[i : i + SHARD_PROMPTS] for i in range(0, len(ordered), SHARD_PROMPTS)]


def messages_for(cell: Cell, prompt: Prompt) -> list[Message]:
    """What `cell` is asked: the prompt, after the cell's own system prompt if it has one."""
    system = cell.settings.system
    return [*([Message(role="system", content=system)] if system else []), *prompt.messages]


def check_room(
    prompts: Iterable[Prompt], cell: Cell, tokenizer: "Tokenizer", positions: int
) -> None:
    """Raise DataError for the first prompt that, with the longest answer, exceeds `positions`."""
    longest = cell.settings.max_tokens
    for prompt in prompts:
        length = len(render(tokenizer, messages_for(cell, prompt)))
        if length + longest > positions:
            raise DataError(
                f"matrix.{cell.name}: prompt {prompt.prompt_id} has {length} tokens; with "
                f"max_tokens={longest} that is {length + longest}, and the model has {positions} "
                "positions. Lower max_tokens, or take long prompts out of the pool"
            )


def check_claim(where: str, claimed: Checkpoint, found: Checkpoint) -> None:
    """Raise ConfigError if a model folder is not what the cell `where` claims to sample."""
    for part in ("sha256", "tokenizer", "template"):
        named = {"sha256": "weights", "template": "chat template"}.get(part, part)
        wanted, there = getattr(claimed, part), getattr(found, part)
        if wanted != there:
            raise ConfigError(
                f"{where} claims the {named} {wanted[:12]}, but {found.uri} holds {there[:12]}: "
                "the folder has changed since it was looked at; begin the round again with "
                "redo: [sample], or give a changed model a folder of its own"
            )


def row_seed(seed: int, seed_round: int, cell: Cell, prompt_id: str, sample_index: int) -> int:
    """The seed of one response's own generator."""
    return seed_of(seed, seed_round, "sample", cell.digest, prompt_id, sample_index)


def is_answer(drawn: Drawn) -> bool:
    """Whether there is a response in `drawn`; else its finish reason says why not."""
    return drawn.text is not None or drawn.token_ids is not None


def counts_of_drawn(requested: int, drawn: Sequence[Drawn]) -> dict[str, int]:
    """How many of `requested` responses are missing, and why, if the engine says it.

    Responses that neither ended by themselves nor at max_tokens are counted by reason, too.
    """
    silent = Counter(one.finish_reason for one in drawn if not is_answer(one))
    odd = Counter(one.finish_reason for one in drawn if is_answer(one))
    missing = requested - len(drawn) + silent.total()
    return {
        "unanswered": missing,
        **{f"unanswered_{reason}": count for reason, count in sorted(silent.items())},
        **{
            f"finish_{reason}": count
            for reason, count in sorted(odd.items())
            if reason not in (*ENDINGS, "unknown")
        },
    }


def response_of(drawn: Drawn, cell: Cell, seed: int | None, tokens: Tokens | None) -> Response:
    """The record of what an engine drew; DataError if it has neither text nor tokens."""
    text = drawn.text
    if text is None:
        if drawn.token_ids is None or tokens is None:
            raise DataError(f"cell {cell.name}: a sample of {drawn.prompt_id} is empty")
        decoded = tokens.tokenizer.decode(drawn.token_ids, skip_special_tokens=True)
        text = str(decoded)
    sampled = drawn.token_ids is not None and tokens is not None
    return Response(
        response_id=short_id(drawn.prompt_id, cell.digest, drawn.sample_index, text),
        prompt_id=drawn.prompt_id,
        text=text,
        origin=cell.origin,
        cell=cell.name,
        generator=cell.digest,
        sample_index=drawn.sample_index,
        seed=seed,
        finish_reason=drawn.finish_reason if drawn.finish_reason in ENDINGS else "unknown",
        token_ids=drawn.token_ids if sampled else None,
        tokenizer=tokens.tokenizer_digest if tokens and sampled else None,
        template=tokens.template_digest if tokens and sampled else None,
    )


def ids_for_training(response: Response, tokens: Tokens) -> list[int]:
    """The token ids that a response is scored and trained with.

    Sampled ids as they are where tokenizer and template are the policy's; any other response is
    tokenised from its text, closed by EOS only if it finished by itself.
    """
    own = (tokens.tokenizer_digest, tokens.template_digest)
    if response.token_ids is not None and (response.tokenizer, response.template) == own:
        return response.token_ids
    if response.origin == "policy":
        raise DataError(
            f"response {response.response_id} of cell {response.cell!r} claims to be the policy's "
            f"but has tokenizer and template {response.tokenizer!r:.14}, {response.template!r:.14} "
            f"instead of {own[0]:.12}, {own[1]:.12}; sample the policy with its own tokenizer"
        )
    return response_ids(tokens.tokenizer, response.text, response.finish_reason == "stop")


def as_text(response: Response) -> Response:
    """`response` for a model that reads texts in another way: whoever sampled it, by its text."""
    return replace(response, token_ids=None, origin="model")


def tokens_of(checkpoint: Checkpoint, tokenizer: "Tokenizer") -> Tokens:
    """How `checkpoint` reads texts."""
    return Tokens(tokenizer, checkpoint.tokenizer, checkpoint.template)


def by_id(responses: Iterable[Response]) -> Mapping[str, Response]:
    """Responses by id."""
    return {response.response_id: response for response in responses}
