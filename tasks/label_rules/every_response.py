"""Every response is wanted: what imitation and teachers train on."""

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from pydantic import ConfigDict

from tasks.label_rules._contract import Judged, Labelled, Reads


@dataclass(frozen=True, kw_only=True)
class EveryResponse:
    """Each response is desirable, whatever anybody says of it; nobody needs to be asked."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {"of": "policy"}
    SEMANTICS: ClassVar[int] = 1
    READS: ClassVar[Reads] = "nothing"

    of: Literal["policy", "all"] = "policy"
    """Whose responses: the policy's own, or those of all cells and people."""

    def __call__(self, judged: Judged) -> Labelled:
        """1 for each response; those of others are left out as `not_of_the_policy`."""
        wanted = {
            one.response_id: 1.0
            for one in judged.candidates.values()
            if self.of == "all" or one.origin == "policy"
        }
        others = judged.candidates.keys() - wanted.keys()
        return Labelled(wanted, dict.fromkeys(others, "not_of_the_policy"))


VARIANT = EveryResponse
