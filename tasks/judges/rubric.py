"""Asks a language model for a grade of one response in each of several aspects."""

import math
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field

from tasks.errors import ConfigError
from tasks.judges._answers import EachOf, Structured
from tasks.judges.likert import Grading
from tasks.opinions import Opinion, Tokens


@dataclass(frozen=True, kw_only=True)
class Aspect:
    """One thing that is graded."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )

    question: str
    """What the judge is to look at, in words."""
    weight: Annotated[float, Field(gt=0, allow_inf_nan=False)] = 1.0
    """What its grade weighs in the mean."""


@dataclass(frozen=True, kw_only=True)
class Rubric(Grading):
    """A model that ends its reply with a line `aspect: 4` for each; their weighted mean counts."""

    EXAMPLE: ClassVar[dict[str, Any]] = {
        "base_url": "http://127.0.0.1:8000/v1",
        "model": "org/judge",
        "aspects": {
            "accuracy": {"question": "Is everything that it states true?", "weight": 2},
            "clarity": {"question": "Is it easy to follow?"},
        },
    }
    FORMS: ClassVar[tuple[Structured, ...]] = ("none", "json_schema")

    aspects: Annotated[dict[str, Aspect], Field(min_length=1)]
    """What is graded, by name; asked in the order of names."""
    template: str = "rubric"
    """A template of this package, or the path of a .j2 file."""

    def __post_init__(self) -> None:
        super().__post_init__()
        folded = {name.strip().casefold() for name in self.aspects} - {"", "overall"}
        if len(folded) < len(self.aspects) or any(set(one) & set(":=*\n") for one in self.aspects):
            raise ConfigError(
                f"rubric judge: aspects are named {list(self.aspects)}; write different names of "
                "one line without : = * and other than overall"
            )

    @property
    def _form(self) -> EachOf:
        return EachOf(names=sorted(self.aspects), values=self.grades)

    def _facts(self) -> dict[str, Any]:
        """What else the template is told."""
        return {"aspects": {name: self.aspects[name].question for name in sorted(self.aspects)}}

    def parse(self, reply: str, tokens: Tokens = ()) -> Opinion:
        """The weighted mean of the grades; unparsed unless every aspect has exactly one."""
        grades = self._form.read(reply, self.structured)
        if grades is None:
            return Opinion(outcome="unparsed", reply=reply)
        weights = {name: self.aspects[name].weight for name in grades}
        total = math.fsum(grade * weights[name] for name, grade in grades.items())
        return Opinion(
            outcome="scored",
            score=total / math.fsum(weights.values()),
            aspects=tuple((name, float(grade)) for name, grade in sorted(grades.items())),
            reply=reply,
        )


VARIANT = Rubric
