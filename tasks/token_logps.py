"""Log-probabilities that an engine gave for what it drew, beside the responses themselves."""

from collections.abc import Sequence

import pyarrow as pa

from tasks.records import Response
from tasks.tables import schema

TABLE = "token_logps"
COLUMN = "token_logps"
SCHEMA = pa.schema(
    [
        pa.field("response_id", pa.string(), nullable=False),
        pa.field(COLUMN, pa.list_(pa.float64()), nullable=False),
    ]
)
"""One row a response: nats, at temperature 1, in the order of its token ids."""


def beside(responses: pa.Table, logps: Sequence[list[float] | None]) -> pa.Table:
    """`responses` with a column of what the engine said of their tokens, if it said anything."""
    if all(one is None for one in logps):
        return responses
    return responses.append_column(SCHEMA.field(COLUMN), pa.array(logps, SCHEMA.field(COLUMN).type))


def split_off(shard: pa.Table) -> tuple[pa.Table, pa.Table | None]:
    """The responses of a shard, and their log-probabilities where there are some."""
    said = shard.select(SCHEMA.names) if COLUMN in shard.schema.names else None
    return shard.select(schema(Response).names), said
