"""Which tokens of two responses that differ in one segment are compared."""

from typing import Literal

from tasks.training.loss_batch import LossBatch, Sides

Tokens = Literal["response", "segment"]
SEGMENT = (("chosen", "segment"), ("rejected", "segment"))
"""The token columns that `segment` needs."""


def compared(batch: LossBatch, tokens: Tokens) -> LossBatch:
    """`batch` with tokens outside the segment weighed 0, or as it is."""
    if tokens == "response":
        return batch
    return batch.weighed(Sides(*(side.column("segment") for side in batch.pair())))
