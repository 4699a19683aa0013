"""The trainer with little memory: `room_bytes` more than at its start, once a step is made."""

import resource
from pathlib import Path

from tasks.child import Reporter, child_main


class Limiting(Reporter):
    """Limits the address space of this process when step `first` is reported."""

    def __init__(self, workdir: Path, first: int, room: int) -> None:
        super().__init__(workdir)
        self.first, self.limit = first, room + status("VmSize")

    def event(self, event, **fields):
        super().event(event, **fields)
        if event in ("step", "resumed") and fields["step"] >= self.first:
            resource.setrlimit(resource.RLIMIT_AS, (self.limit, self.limit))


def status(name):
    """A size of this process (bytes), as the kernel knows it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith(name))


def work(workdir, spec, reporter):
    from tasks.training.loop import train
    from tasks.training.settings import TrainJob, parse_job

    before = status("VmSize")
    limiting = Limiting(workdir, spec.pop("limited_from"), spec.pop("room_bytes"))
    result = train(workdir, parse_job(TrainJob, spec), limiting)
    return result | {"rise": status("VmPeak") - before}


if __name__ == "__main__":
    child_main(work)()
