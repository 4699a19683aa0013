"""The child of the averaging job, which is killed when it has made its first file of weights."""

from tasks.child import child_main
from tasks.training import average
from tasks.training.settings import parse_job
from tests.killed import die

whole = average._average_file


def one_file(*given):
    whole(*given)
    die()


def work(workdir, spec, reporter):
    average._average_file = one_file
    return average.average(workdir, parse_job(average.AverageJob, spec), reporter)


if __name__ == "__main__":
    child_main(work)()
