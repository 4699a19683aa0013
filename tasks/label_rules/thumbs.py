"""Thumbs up or down: of people, and of judges whose scores are above a threshold."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field

from tasks.candidates import Candidate
from tasks.label_rules._contract import Judged, Labelled, Reads
from tasks.recorded_thumbs import SCALE
from tasks.records import Verdict

WHOLE = ("judge", "overall")
"""Verdicts of judges on a response as a whole; scores of aspects stand beside them."""
Threshold = Annotated[float, Field(allow_inf_nan=False)]


@dataclass(frozen=True, kw_only=True)
class Thumbs:
    """A response is wanted as probably as those who gave it a thumb gave it an upward one.

    People overrule judges: where a person gave a response a thumb, judges have no say in it, nor in
    another response of the same text.
    """

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", use_attribute_docstrings=True
    )
    EXAMPLE: ClassVar[dict[str, Any]] = {"judges": {"main": 3.0}}
    SEMANTICS: ClassVar[int] = 2
    READS: ClassVar[Reads] = "opinions"

    judges: dict[str, Threshold] = field(default_factory=dict)
    """Judges that give scores, by name: a score of at least so much (on the judge's scale) is a
    thumb up, a lower one is a thumb down."""
    several: Literal["share", "majority"] = "share"
    """Several thumbs on a response: the share of those that are up, or what most of them say."""
    min_thumbs: Annotated[int, Field(ge=1)] = 1
    """Fewest thumbs that a label rests on."""

    def __call__(self, judged: Judged) -> Labelled:
        """The label of each response that has thumbs enough, and why others have none."""
        said = self._said(judged)
        desirable: dict[str, float] = {}
        left_out: dict[str, str] = {}
        for response_id in sorted(judged.candidates):
            thumbs = said.get(response_id, [])
            share = math.fsum(thumbs) / len(thumbs) if thumbs else 0.0
            if len(thumbs) < self.min_thumbs:
                left_out[response_id] = "too_few_thumbs" if thumbs else "no_opinion"
            elif self.several == "share":
                desirable[response_id] = share
            elif share == 0.5:
                left_out[response_id] = "people_disagree"
            else:
                desirable[response_id] = float(share > 0.5)
        return Labelled(desirable, left_out)

    def _said(self, judged: Judged) -> Mapping[str, list[float]]:
        """Thumbs by response, one of each person or judge: 1 is up, 0 is down."""
        scored = [one for one in judged.verdicts if not one.b_id and one.score is not None]
        people = _by_response(
            (one, one.score)
            for one in scored
            if one.annotator_kind == "human" and one.scale == SCALE
        )
        judges = _by_response(
            (one, float((one.score or 0.0) >= self.judges[one.annotator]))
            for one in scored
            if one.annotator in self.judges and (one.annotator_kind, one.criterion) == WHOLE
        )
        return _overruled(judges, people, judged.candidates) | people


def _overruled(
    judges: Mapping[str, list[float]],
    people: Mapping[str, list[float]],
    candidates: Mapping[str, Candidate],
) -> dict[str, list[float]]:
    """What `judges` say, or people of another response of the same text."""
    texts = {response_id: one.text_digest for response_id, one in candidates.items()}
    of_text: dict[str | None, list[float]] = {}
    for response_id, thumbs in sorted(people.items()):
        of_text.setdefault(texts.get(response_id), []).extend(thumbs)
    return {
        response_id: of_text.get(texts.get(response_id), thumbs)
        for response_id, thumbs in judges.items()
    }


def _by_response(given: Iterable[tuple[Verdict, float | None]]) -> dict[str, list[float]]:
    """The mean of what each annotator says of each response, annotators in the order of names."""
    said: dict[str, dict[str, list[float]]] = {}
    for one, thumb in given:
        by_name = said.setdefault(one.a_id, {})
        by_name.setdefault(one.annotator, []).append(thumb or 0.0)
    return {
        response_id: [math.fsum(some) / len(some) for _, some in sorted(by_name.items())]
        for response_id, by_name in said.items()
    }


VARIANT = Thumbs
