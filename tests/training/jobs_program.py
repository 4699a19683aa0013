"""Does the training jobs in some work folders, one after the other, as one of several processes."""

import sys
from pathlib import Path

from tasks.child import Reporter, finish, read_spec
from tasks.training.loop import train
from tasks.training.processes import joined, part
from tasks.training.settings import TrainJob, parse_job


def main(folders):
    me = part()
    with joined(me.count, "cpu"):
        for folder in folders:
            job = parse_job(TrainJob, read_spec(folder))
            if "in one piece" in folder.name:
                object.__setattr__(job.loss, "BATCH_STATISTICS", True)
            result = train(folder, job, Reporter(folder, silent=me.silent))
            if not me.silent:
                finish(folder, result)


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]])
