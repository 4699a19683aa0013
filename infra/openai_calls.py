"""One call to an OpenAI-compatible server, its reply, and the key that goes with it."""

import os
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Protocol

from tasks.errors import BudgetError, ConfigError
from tasks.records import Message
from tasks.spending import Amount, Answer, upper_tokens

OTHERS_KEYS = ("AWS_", "PREFECT_", "TSO_", "PG", "SSH_", "KUBERNETES_")
"""Beginnings of variables whose values no endpoint may be sent: who starts a run names both."""
NO_KEY = "none"
"""What servers without keys are sent: the protocol wants some text."""
SEED_RANGE = 2**31
"""Some servers keep a seed in 32 bits."""
LIMITS = ("max_tokens", "max_completion_tokens")
"""Under which names a request bounds what one choice may hold."""
MALFORMED = "malformed"
"""Why an answer that is no completion, however often it is asked for, has no text."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One request for one reply, which may hold several choices."""

    id: str
    """The caller's name for it; equal requests with other ids are separate calls (replicates)."""
    messages: list[Message]
    """The conversation to complete."""
    settings: dict[str, Any] = field(default_factory=dict)
    """temperature, max_tokens, ... as the API names them."""
    choices: int = 1
    """Choices that are wanted (the API's `n`)."""
    seeds: Sequence[int] = ()
    """A seed for each choice; a request carries the first one. Empty sends no seed."""
    prompt_ids: Sequence[int] = ()
    """Token ids to continue, instead of a conversation (the completions endpoint)."""

    @property
    def asked(self) -> list[Any]:
        """What is to be completed: the conversation, or token ids."""
        return list(self.prompt_ids or self.messages)

    @property
    def path(self) -> str:
        """Where it goes, below the server's base URL."""
        return "/completions" if self.prompt_ids else "/chat/completions"

    @property
    def request(self) -> dict[str, Any]:
        """What is sent beside the model's name and the conversation."""
        several = {"n": self.choices} if self.choices > 1 else {}
        seeded = {"seed": self.seeds[0] % SEED_RANGE} if self.seeds else {}
        return {**self.settings, **several, **seeded}

    @property
    def content(self) -> dict[str, Any]:
        """The conversation or the token ids as a request names them."""
        return {"prompt" if self.prompt_ids else "messages": self.asked}

    @property
    def read_at_most(self) -> int:
        """Tokens of its prompt, at most."""
        return len(self.prompt_ids) or upper_tokens(self.messages)

    @property
    def written_at_most(self) -> int:
        """Tokens of all its choices, at most; 0 where the request bounds nothing."""
        return self.choices * max((self.settings.get(name, 0) for name in LIMITS), default=0)

    def rest(self, have: int) -> "Call":
        """The further call for the choices that are missing when only `have` came."""
        return replace(
            self,
            id=f"{self.id}+{have}",
            choices=self.choices - have,
            seeds=self.seeds[have:],
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    """One of the texts that a call brings."""

    text: str
    """Empty if the model said nothing, or refused."""
    finish_reason: str = "unknown"
    """As the server names it: stop, length, content_filter, ...; `refusal` where it refused."""
    token_ids: list[int] | None = None
    """The drawn ids, for calls with `prompt_ids`."""
    token_logps: list[float] | None = None
    """Log-probability of each of them (nats), where the call asks for it."""
    tokens: Sequence[tuple[str, float]] = ()
    """The likeliest first tokens and their log-probabilities (nats), if they were asked for."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """What came back: `choices`, or `error` if nothing usable did."""

    choices: list[Choice] = field(default_factory=list)
    """As many as the call wants; none if there is an error."""
    prompt_tokens: int | None = None
    """Tokens read, if the server counts them."""
    completion_tokens: int | None = None
    """Tokens written, if the server counts them."""
    seconds: float | None = None
    """Time that the call took, failed attempts and waits included."""
    error: str | None = None
    """Why there is no text, in one line; the key never appears in it."""
    hopeless: bool = False
    """Whether the error is of the configuration: another attempt fails in the same way."""
    over_budget: bool = False
    """Whether the call was not made because the budget does not allow it."""
    from_journal: bool = False
    """Answered by an earlier attempt, not called again."""

    @property
    def text(self) -> str | None:
        """The first choice's text, None if there is an error."""
        return self.choices[0].text if self.choices else None

    @property
    def tokens(self) -> Sequence[tuple[str, float]]:
        """The first choice's."""
        return self.choices[0].tokens if self.choices else ()

    @property
    def finish_reason(self) -> str:
        """The first choice's."""
        return self.choices[0].finish_reason if self.choices else "unknown"

    def kept(self, call: Call, stage: str) -> dict[str, Any]:
        """The journal's entry for a call that `stage` paid for; `tasks.usage` adds them up."""
        return {
            "stage": stage,
            "choices": [_given(choice) for choice in self.choices],
            "asked": call.choices,
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "seconds": self.seconds,
        }

    def followed_by(self, rest: "Reply") -> "Reply":
        """This reply with the choices that a further call brought, or that call's error."""
        if rest.error is not None:
            return rest
        return Reply(
            choices=[*self.choices, *rest.choices],
            prompt_tokens=_sum(self.prompt_tokens, rest.prompt_tokens),
            completion_tokens=_sum(self.completion_tokens, rest.completion_tokens),
            seconds=(self.seconds or 0) + (rest.seconds or 0),
            from_journal=self.from_journal and rest.from_journal,
        )


def reply_of(kept: Mapping[str, Any]) -> Reply:
    """The reply behind a journal's entry."""
    return Reply(
        choices=[Choice(**one) for one in kept["choices"]],
        prompt_tokens=kept["prompt_tokens"],
        completion_tokens=kept["completion_tokens"],
        seconds=kept["seconds"],
        from_journal=True,
    )


def _given(choice: Choice) -> dict[str, Any]:
    """`choice` without what this kind of call does not bring."""
    return {name: value for name, value in asdict(choice).items() if value not in (None, ())}


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other


def failure(who: str, failed: Sequence[Reply], total: int) -> Exception:
    """The error for `failed` of `total` calls.

    BudgetError where the budget is used up, ConfigError where another attempt cannot help.
    """
    if over := [reply for reply in failed if reply.over_budget]:
        return BudgetError(f"{who}: {len(over)} of {total} calls were not made: {over[0].error}")
    hopeless = [reply for reply in failed if reply.hopeless]
    return (ConfigError if hopeless else ConnectionError)(
        f"{who}: {len(failed)} of {total} calls failed, first: {(hopeless or failed)[0].error}. "
        "What was answered is kept; the next attempt asks only for the rest"
    )


class CallJournal(AbstractContextManager[Any], Protocol):
    """Where replies are kept (`infra.journal.Journal`)."""

    def get(self, call: str) -> dict[str, Any] | None:
        """The reply to `call`, or None."""
        ...

    def append_all(self, replies: Sequence[tuple[str, dict[str, Any]]]) -> None:
        """Keep calls with their replies; they are on disk when this returns."""
        ...

    def entries(self, stage: str) -> list[dict[str, Any]]:
        """Everything that `stage` paid for."""
        ...


class Purse(Protocol):
    """What a stage may spend (`infra.ledger.Purse`)."""

    @property
    def degrades(self) -> bool:
        """Whether calls that the budget does not allow are left out instead of ending the batch."""
        ...

    def estimate(self, call: Call) -> Amount:
        """What `call` costs at most."""
        ...

    def reserve(self, estimate: Amount) -> Answer:
        """Set `estimate` aside for an attempt, if the budget allows it."""
        ...

    def release(self, estimate: Amount) -> None:
        """Give back what was set aside."""
        ...

    def cost(self, reply: Reply, estimate: Amount) -> Amount:
        """What an answer cost."""
        ...

    def book(self, spent: Amount) -> None:
        """Write down what calls cost; it is on disk when this returns."""
        ...

    def why(self, estimate: Amount) -> str:
        """Which limit stands against a call, and what to do about it."""
        ...


def api_key(variable: str) -> str:
    """The key in the environment variable named `variable`; a dummy if the name is empty.

    Raises ConfigError if the variable is not set, empty, or holds what no HTTP header can carry.
    """
    if not variable:
        return NO_KEY
    if variable.upper().startswith(OTHERS_KEYS):
        raise ConfigError(
            f"api_key_env names {variable!r}: variables that begin with {', '.join(OTHERS_KEYS)} "
            "are for the store, the server and the machine, and are sent to no endpoint; give the "
            "endpoint's key a variable of its own"
        )
    key = os.environ.get(variable, "").strip()
    if not key:
        raise ConfigError(
            f"api_key_env names {variable!r}, which is not set in the environment; "
            f"export {variable}=... or leave api_key_env empty for a server without keys"
        )
    if not (key.isascii() and key.isprintable()):
        raise ConfigError(f"the key in {variable} has characters that no HTTP header can carry")
    return key


class Secret:
    """A key that does not show itself."""

    def __init__(self, value: str) -> None:
        self.value = value

    def __repr__(self) -> str:
        return "<key>"

    def hidden(self, text: str) -> str:
        """`text` in one line without the key: servers quote it in their complaints."""
        text = " ".join(text.split())
        return text if self.value == NO_KEY else text.replace(self.value, "<key>")
