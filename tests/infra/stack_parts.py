"""Small parts of stacks for tests: Python one-liners in a folder of their own."""

import os
import sys

from infra.stack.parts import MARK, PART_MARK, Part
from infra.stack.settings import StackSettings, save_settings

SLEEP = "import time; print('begun', flush=True); time.sleep(600)"


def stack_in(folder):
    """Settings of a stack in `folder`, written down."""
    settings = StackSettings(folder=folder, project=folder, store="folder")
    save_settings(settings)
    return settings


def part(settings, name, program=SLEEP, **more):
    """A part that runs a Python program."""
    return Part(
        name=name,
        command=(sys.executable, "-I", "-S", "-c", program),
        environment={"PATH": os.defpath, MARK: str(settings.folder), PART_MARK: name},
        log=str(settings.logs / f"{name}.log"),
        folder="/",
        is_ready=lambda _: True,
        **{"stop_seconds": 5, **more},
    )
