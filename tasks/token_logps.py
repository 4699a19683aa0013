"""Log-probabilities that an engine gave for what it drew, beside the responses themselves."""

from collections.abc import Sequence

import pyarrow as pa

from tasks.records import Response
from tasks.tables import concat, schema

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


def tables_of(shards: Sequence[pa.Table]) -> dict[str, tuple[type | None, pa.Table]]:
    """The responses of all shards, and a table of log-probabilities where there are some."""
    names = schema(Response).names
    responses = concat(Response, [shard.select(names) for shard in shards])
    said = [shard.select(SCHEMA.names) for shard in shards if COLUMN in shard.schema.names]
    tables: dict[str, tuple[type | None, pa.Table]] = {"rows": (Response, responses)}
    return tables | ({TABLE: (None, pa.concat_tables(said))} if said else {})
