"""Asks a language model for a grade of one response."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import Field

from tasks.errors import ConfigError
from tasks.judges._answers import EachOf, OneOf
from tasks.judges._asking import Asking
from tasks.opinions import Opinion, Tokens
from tasks.records import Message, Prompt
from tasks.scales import Scale
from tasks.templates import render_template
from tasks.variants import kind_of

MOST_GRADES = 101


@dataclass(frozen=True, kw_only=True)
class Grading(Asking):
    """A judge that asks about one response and answers in whole numbers of a scale."""

    both_orders: ClassVar[bool] = True

    lowest: int = 1
    """The worst grade."""
    highest: int = 5
    """The best grade."""
    tolerance: Annotated[float, Field(ge=0)] = 0.0
    """Scores that differ by no more than this tie."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.lowest < self.highest < self.lowest + MOST_GRADES:
            raise ConfigError(
                f"{kind_of(self)} judge: lowest is {self.lowest} and highest {self.highest}; write "
                f"whole numbers from 0, the highest above the lowest by less than {MOST_GRADES}"
            )

    @property
    def scale(self) -> Scale:
        """What its scores mean."""
        return Scale(
            name=f"{self.lowest}-{self.highest}",
            low=self.lowest,
            high=self.highest,
            tolerance=self.tolerance,
        )

    @property
    def grades(self) -> tuple[int, ...]:
        """All grades, the worst first."""
        return tuple(range(self.lowest, self.highest + 1))

    def form(self) -> dict[str, Any]:
        """The part of each request that holds the reply to its form."""
        return self._form.request(self.structured)

    @property
    def _form(self) -> OneOf | EachOf:
        """What a reply must look like."""
        raise NotImplementedError

    def render(self, prompt: Prompt, first: str, second: str = "") -> list[Message]:
        """The conversation that asks for the grade, or the grades, of the text `first`."""
        question = render_template(
            self.template,
            prompt.messages,
            {"response": first},
            lowest=self.lowest,
            highest=self.highest,
            structured=self.structured,
            **self._facts(),
        )
        return [{"role": "user", "content": question}]

    def _facts(self) -> dict[str, Any]:
        """What else the template is told."""
        return {}


@dataclass(frozen=True, kw_only=True)
class Likert(Grading):
    """A model behind an OpenAI-compatible server that ends its reply with `Score: 4`."""

    template: str = "likert"
    """A template of this package, or the path of a .j2 file."""

    @property
    def _form(self) -> OneOf:
        return OneOf(name="score", values=self.grades)

    def parse(self, reply: str, tokens: Tokens = ()) -> Opinion:
        """The grade in `reply`: its one score line, which must be the last line."""
        said = self._form.read(reply, self.structured)
        if not isinstance(said, int):
            return Opinion(outcome="unparsed", reply=reply)
        return Opinion(outcome="scored", score=float(said), reply=reply)


VARIANT = Likert
