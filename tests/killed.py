"""Functions in processes of their own, which end by SIGKILL where they are told to."""

import multiprocessing
import os
import signal

from infra.storage import Store
from infra.worked import FOLDER

# A server that has imported what doors need, and has no threads: a process takes moments.
forked = multiprocessing.get_context("forkserver")
forked.set_forkserver_preload(["tests.killed", "tests.killed_calls"])


def die():
    """End this process as the kernel ends one without memory."""
    os.kill(os.getpid(), signal.SIGKILL)


def killed(function, *arguments):
    """Run a function that has to end in the death of its process."""
    process = forked.Process(target=function, args=arguments)
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL, f"{function.__name__} ended by {process.exitcode}"


def watch_commits(patch, dies_before=None):
    """What this process commits from now on: paths of manifests, shards and notes, in order.

    It dies just before the commit number `dies_before`, from 0. How long a call took is no commit.
    """
    commits = []

    def counted(name):
        real = getattr(Store, name)

        def commit(store, path, data):
            if f"/{FOLDER}/" in path:
                return real(store, path, data)
            if len(commits) == dies_before:
                die()
            commits.append(path)
            return real(store, path, data)

        patch.setattr(Store, name, commit)

    counted("create")
    counted("write")
    return commits
