"""The responses at both ends of a prompt's scores."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field

from tasks.selections._contract import ESTIMATOR, best_first


@dataclass(frozen=True, kw_only=True)
class BestAndWorstK:
    """The `k` best and the `k` worst responses; all of them where there are no more than 2 k.

    Source: UPO, arXiv:2409.11212, its released code: two of each.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {"k": 2}
    SEMANTICS: ClassVar[int] = 1

    k: Annotated[int, Field(ge=1)] = 2
    """Responses of each end."""
    by: str = ESTIMATOR
    """Whose scores decide: `estimator`, or the name of a judge that scores."""

    def __call__(self, scores: Mapping[str, float], prompt_id: str, seed: int) -> list[str]:
        """The ids at both ends, sorted; `prompt_id` and `seed` play no part."""
        ranked = best_first(scores)
        return sorted({*ranked[: self.k], *ranked[-self.k :]})


VARIANT = BestAndWorstK
