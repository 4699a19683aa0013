"""`python -m infra.annotation.page PORT`: the annotation page of all runs of TSO_STORE."""

import os
import sys
from collections.abc import Sequence

from infra.annotation.page.access import load_keys
from infra.annotation.page.serving import server_of
from infra.storage import open_store

ADDRESS_VARIABLE = "TSO_ANNOTATE_ADDRESS"
"""The public address behind a proxy, where there is one."""


def main(arguments: Sequence[str]) -> None:
    """Serve on the port until the process is ended."""
    store = open_store(os.environ["TSO_STORE"])
    address = os.environ.get(ADDRESS_VARIABLE, "")
    server_of(store, load_keys(), int(arguments[0]), address).run()


if __name__ == "__main__":
    main(sys.argv[1:])
