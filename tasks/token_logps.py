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


def apart(shard: pa.Table) -> tuple[pa.Table, pa.Table]:
    """The responses of a shard, and the log-probabilities of those that have some."""
    responses = shard.select(schema(Response).names)
    if COLUMN not in shard.schema.names:
        return responses, SCHEMA.empty_table()
    return responses, shard.select(SCHEMA.names)
