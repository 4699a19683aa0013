"""What counts as a text of an evaluation set that found its way into training."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from tasks.sources import SourceIn
from tasks.variants import NotInKey


class DecontaminationSettings(BaseModel):
    """Which prompts and responses are kept out of training."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    share: Annotated[float, Field(gt=0, le=1)] | None = 0.5
    """Least share of an evaluation text, by letters that are its own, that a text repeats in runs
    of ten letters and more; null: only texts that are equal are found."""
    words: Annotated[float, Field(gt=0, le=1)] = 0.8
    """Least share of its words that have to be there, too."""
    passage: Annotated[int, Field(ge=10)] | None = 80
    """Letters of its own in one run, repeated, that are too many whatever the share; null: any."""
    responses: bool = True
    """Whether responses are looked at, too, before judges see them."""
    against: Annotated[list[SourceIn], NotInKey] = Field(default_factory=list)
    """Tables of prompts (and reference_answer) of sets that are measured elsewhere."""
