"""What calls may cost and how fast they may go: prices, budgets, limits of endpoints; pure.

Money is in USD. A run and each of its rounds have an account; before every call its upper
estimate is reserved, afterwards what it really cost is booked. What is booked and reserved never
exceeds a limit as long as estimates are upper ones.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Annotated, Any, Literal

from pydantic import Field
from pydantic.config import ConfigDict

Usd = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Price = tuple[Usd, Usd]
"""USD for a million prompt tokens and for a million completion tokens."""
BaseUrl = Annotated[str, Field(pattern=r"^https?://[^/\s]+")]
BaseUrls = BaseUrl | Annotated[tuple[BaseUrl, ...], Field(min_length=1)]
"""Where a model is served; calls are balanced over several addresses."""
Answer = Literal["go", "wait", "over"]

OVER_BUDGET = "over_budget"
"""Why a call that the budget does not allow has no text."""
TURN_TOKENS = 20
"""What a chat template adds to a turn, generously."""
BYTES_PER_TOKEN = 3.5
"""Of English text in the tokenizers of the day, roughly: forecasts use it, reservations do not."""


@dataclass(frozen=True, kw_only=True)
class RateLimits:
    """How fast an endpoint may be asked; None: as fast as it answers."""

    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None


@dataclass(frozen=True, kw_only=True)
class EndpointLimits:
    """Limits of one endpoint, whoever calls it."""

    __pydantic_config__ = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    base_url: BaseUrl
    """Its address, as cells and judges name it."""
    requests_per_minute: Annotated[int, Field(ge=1)] | None = None
    """Calls that may begin in a minute, further tries included; null: no limit."""
    tokens_per_minute: Annotated[int, Field(ge=1)] | None = None
    """Tokens read and written in a minute; null: no limit."""

    def shared_by(self, processes: int) -> "EndpointLimits":
        """The part of each limit that one of several equal processes keeps to."""
        requests, tokens = self.requests_per_minute, self.tokens_per_minute
        return replace(
            self,
            requests_per_minute=requests and max(1, requests // processes),
            tokens_per_minute=tokens and max(1, tokens // processes),
        )


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What calls to servers may cost at most; the processes of a run share it."""

    __pydantic_config__ = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    usd_per_round: Usd | None = None
    """Money of one round (USD); null: no limit."""
    usd_per_run: Usd | None = None
    """Money of all rounds together (USD); null: no limit."""
    calls_per_round: Annotated[int, Field(ge=0)] | None = None
    """Calls of one round; null: no limit."""
    calls_per_run: Annotated[int, Field(ge=0)] | None = None
    """Calls of all rounds together; null: no limit."""
    tokens_per_round: Annotated[int, Field(ge=0)] | None = None
    """Tokens of one round, read and written; null: no limit."""
    tokens_per_run: Annotated[int, Field(ge=0)] | None = None
    """Tokens of all rounds together; null: no limit."""
    when_spent: Literal["stop", "degrade"] = "stop"
    """stop: the round waits for a larger budget; degrade: it goes on without what is not paid."""

    @property
    def limits_money(self) -> bool:
        """Whether prices must be known."""
        return self.usd_per_round is not None or self.usd_per_run is not None

    def limit(self, unit: str, scope: str) -> float | None:
        """The limit of `unit` (usd, calls, tokens) per `scope` (round, run)."""
        found: float | None = getattr(self, f"{unit}_per_{scope}")
        return found


@dataclass(frozen=True, kw_only=True)
class Terms:
    """On which terms servers are called."""

    prices: Mapping[str, Price] = field(default_factory=dict)
    """By the model's name."""
    budget: Budget = Budget()
    endpoints: Mapping[str, EndpointLimits] = field(default_factory=dict)
    """Limits by a name of your own."""

    def price_of(self, part: Any, model: str) -> Price | None:
        """What calls of `part`, an engine or a judge, to `model` cost; its own price counts."""
        own: Price | None = part.price
        return self.prices.get(model) if own is None else own

    def limits_at(self, base_url: str) -> RateLimits:
        """The limits of the endpoint at `base_url`; none if it is not named."""
        for one in self.endpoints.values():
            if one.base_url.rstrip("/") == base_url.rstrip("/"):
                return RateLimits(
                    requests_per_minute=one.requests_per_minute,
                    tokens_per_minute=one.tokens_per_minute,
                )
        return RateLimits()

    def shared_by(self, processes: int) -> "Terms":
        """These terms for one of several equal processes: each keeps to its part of the limits."""
        parts = {name: one.shared_by(processes) for name, one in self.endpoints.items()}
        return replace(self, endpoints=parts)


@dataclass(frozen=True, kw_only=True, slots=True)
class Amount:
    """Money, calls and tokens."""

    usd: float = 0.0
    calls: int = 0
    tokens: int = 0

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(
            usd=self.usd + other.usd,
            calls=self.calls + other.calls,
            tokens=self.tokens + other.tokens,
        )

    def __neg__(self) -> "Amount":
        return Amount(usd=-self.usd, calls=-self.calls, tokens=-self.tokens)


UNITS = tuple(one.name for one in fields(Amount))
NOTHING = Amount()
ROUNDING_USD = 1e-9
"""Sums of floats may miss a limit by so much."""


def upper_tokens(messages: Sequence[Mapping[str, Any]]) -> int:
    """Tokens of a conversation at most: no tokenizer makes more of a text than it has bytes."""
    return sum(len(turn["content"].encode()) + TURN_TOKENS for turn in messages) + TURN_TOKENS


def amount_of(price: Price | None, read: int, written: int) -> Amount:
    """One call that reads and writes so many tokens; without a price it costs nothing."""
    usd = 0.0 if price is None else (read * price[0] + written * price[1]) / 1e6
    return Amount(usd=usd, calls=1, tokens=read + written)


class Account:
    """What a run and its rounds have spent and reserved, against a budget. Not thread-safe."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.run = NOTHING
        self.rounds: defaultdict[int, Amount] = defaultdict(Amount)
        self.reserved: defaultdict[int, Amount] = defaultdict(Amount)
        self.all_reserved = NOTHING

    def ask(self, round_index: int, estimate: Amount) -> Answer:
        """Whether a call of up to `estimate` may go out in a round.

        `wait`: not before calls in flight have cost less than was reserved for them. `over`: never.
        """
        answer: Answer = "go"
        for scope, spent, reserved in self._scopes(round_index):
            for unit in UNITS:
                limit = self.budget.limit(unit, scope)
                if limit is None:
                    continue
                least = getattr(spent, unit) + getattr(estimate, unit) - ROUNDING_USD
                if least > limit:
                    return "over"
                if least + getattr(reserved, unit) > limit:
                    answer = "wait"
        return answer

    def _scopes(self, round_index: int) -> list[tuple[str, Amount, Amount]]:
        return [
            ("round", self.rounds[round_index], self.reserved[round_index]),
            ("run", self.run, self.all_reserved),
        ]

    def reserve(self, round_index: int, amount: Amount) -> None:
        """Set `amount` aside; a negative one sets free."""
        self.reserved[round_index] += amount
        self.all_reserved += amount

    def spend(self, round_index: int, amount: Amount) -> None:
        """Book what was spent."""
        self.rounds[round_index] += amount
        self.run += amount

    def why(self, round_index: int, estimate: Amount) -> str:
        """Which limit stands against a call of `estimate`, in words."""
        for scope, spent, _ in self._scopes(round_index):
            for unit in UNITS:
                limit, used = self.budget.limit(unit, scope), getattr(spent, unit)
                wanted = getattr(estimate, unit)
                if limit is not None and used + wanted - ROUNDING_USD > limit:
                    name = f"round {round_index}" if scope == "round" else "the run"
                    return (
                        f"the budget of {name} is used up: {_said(used, unit)} of "
                        f"budget.{unit}_per_{scope} = {_said(limit, unit)} are spent, and the next "
                        f"call may need {_said(wanted, unit)}"
                    )
        return ""


def _said(value: float, unit: str) -> str:
    return f"{value:,.4f} USD" if unit == "usd" else f"{value:,.0f} {unit}"
