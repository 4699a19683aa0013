"""`python -m tests.killed_comparison INTERPRETER WHERE ARGUMENTS`: `tso ARGUMENTS`, killed WHERE.

INTERPRETER starts children, as a JSON list.
"""

import json
import sys

import flows.comparison.flow
import tasks.train
from flows.cli import main
from infra.processes import children
from tests.killed import die


def training():
    """Once the first checkpoint of a training is in the store."""
    put = tasks.train.put_checkpoint

    def upload(*given):
        put(*given)
        die()

    tasks.train.put_checkpoint = upload


def between():
    """When the second run is about to begin."""
    begin = flows.comparison.flow.tso

    def later(run, **given):
        if "-rpo-" in run:
            die()
        return begin(run=run, **given)

    flows.comparison.flow.tso = later


if __name__ == "__main__":
    children.INTERPRETER = json.loads(sys.argv.pop(1))
    {one.__name__: one for one in (training, between)}[sys.argv.pop(1)]()
    main()
