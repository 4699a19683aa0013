"""A world of recorded data: its files, and the model of some size that its runs begin as."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmarks.real_preferences.preferences import Preferences
from benchmarks.real_preferences.teaching import taught_model
from benchmarks.study.margins import MeasuredPairs, read_pairs
from benchmarks.study.plan import Plan
from benchmarks.study.worlds import alpaca_eval, gsm8k
from tasks.weights import weights_digest

DATA = Path(os.environ.get("TSO_SHARED_DATA", "../shared/data"))
FOLDER = Path("work") / "study"
"""What the presets read lies here, relative to the working folder."""
TAUGHT = Path(__file__).with_name("taught.yaml")
WRITERS = {"gsm8k": gsm8k.write, "alpaca_eval": alpaca_eval.write}


@dataclass(frozen=True, kw_only=True)
class World:
    """Where everything of a world lies."""

    name: str
    size: str

    @classmethod
    def of(cls, plan: Plan) -> "World":
        """The world of a plan."""
        return cls(name=plan.world["set"], size=plan.world.get("size", "small"))

    @property
    def files(self) -> Path:
        """The folder of its tables."""
        return FOLDER / self.name

    @property
    def model(self) -> Path:
        """The folder of the model that runs begin as."""
        return FOLDER / "models" / self.size

    @property
    def parts(self) -> Path:
        """Where teaching and scoring keep what they have done."""
        return FOLDER / "parts"

    @property
    def device(self) -> str:
        """Where a model of this size is trained and scored."""
        return str(settings_of(self.size)["device"])

    def pairs(self) -> MeasuredPairs:
        """The recorded pairs of sealed prompts."""
        return read_pairs(self.files / "pairs.jsonl", self.model, self._max_tokens)

    @property
    def _max_tokens(self) -> int:
        return int(settings_of(self.size)["max_tokens"])

    def prepare(self, settings: Mapping[str, Any], data: Path = DATA) -> None:
        """Write the tables of all worlds, and teach the model unless that is done.

        It is taught on no prompt of any of them.
        """
        if not data.is_dir():
            raise SystemExit(
                f"no public data at {data.absolute()}; name its folder in TSO_SHARED_DATA"
            )
        WRITERS[self.name](data, self.files, settings)
        teach(self.size, data, self.parts, self.model)


def settings_of(size: str) -> dict[str, Any]:
    """How a model of `size` is made; SystemExit names the sizes there are."""
    known = yaml.safe_load(TAUGHT.read_text(encoding="utf-8"))
    if size not in known["sizes"]:
        raise SystemExit(f"no size {size!r}; there are: {', '.join(known['sizes'])}")
    shared = {name: value for name, value in known.items() if name != "sizes"}
    return shared | known["sizes"][size]


def teach(size: str, data: Path, parts: Path, target: Path) -> None:
    """Put the taught model of `size` to `target`; taught once, wherever it is asked for."""
    settings = settings_of(size)
    threads = len(os.sched_getaffinity(0))
    model, _ = taught_model(settings, excluded(data), data, parts, threads, settings["device"])
    if not target.is_dir() or weights_digest(target) != weights_digest(model):
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(model, target)


def excluded(data: Path) -> dict[str, Preferences]:
    """The prompts of all worlds, as what is taught may not hold them."""
    found = {}
    for name, texts in (("gsm8k", gsm8k.prompts(data)), ("alpaca_eval", alpaca_eval.prompts(data))):
        prompts = {str(i): [{"role": "user", "content": one}] for i, one in enumerate(texts)}
        found[name] = Preferences(pairs=[], prompts=prompts, responses={}, counts={})
    return found
