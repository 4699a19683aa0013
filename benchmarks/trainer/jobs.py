"""Starts the children of both sides; a finished child with the same spec is not run again."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from benchmarks.trainer.plan import Plan
from benchmarks.trainer.rows import Logps, TokenGroup, write_score_rows
from infra.arrow_files import read_arrow
from infra.processes import Limits, run_child
from tasks import child

ROOT = Path(__file__).resolve().parents[2]
STALLED_SECONDS = 3600.0
REFERENCE = "untrained"
"""What the reference is called: both sides start from it."""


@dataclass(frozen=True, kw_only=True)
class Trainers:
    """What children need to know besides their job."""

    plan: Plan
    model: Path
    """Folder of the untrained model."""
    trl_python: Path

    def ours(self, workdir: Path, examples: Path, settings: Mapping[str, Any]) -> dict[str, Any]:
        """The result of `our_side` on `examples`."""
        spec = {
            "job": "train",
            "stage": "benchmark",
            "model": str(self.model),
            "examples": str(examples),
            "loss": {"kind": "dpo", "beta": self.plan.beta},
            "settings": {
                "learning_rate": self.plan.learning_rate,
                "warmup_share": 0.0,
                "weight_decay": 0.0,
                "max_grad_norm": 1.0,
                "max_tokens": self.plan.max_tokens,
                "checkpoint_every": 1_000_000,
                **settings,
            },
            "seed": self.plan.seed,
            "device": "cpu",
            "threads": self.plan.threads,
            "reference": REFERENCE,
        }
        return self._run("benchmarks.trainer.our_side", workdir, spec, None)

    def trl(self, workdir: Path, rows: Path, settings: Mapping[str, Any]) -> dict[str, Any]:
        """The result of `trl_side` on `rows`."""
        spec = {
            "model": str(self.model),
            "rows": str(rows),
            "pairs_per_device_batch": self.plan.pairs_per_device_batch,
            "device_batches_per_step": 1,
            "learning_rate": self.plan.learning_rate,
            "schedule": "linear",
            "beta": self.plan.beta,
            "seed": self.plan.seed,
            "threads": self.plan.threads,
            "save_at": [],
            **settings,
        }
        return self._run("benchmarks.trainer.trl_side", workdir, spec, self.trl_python)

    def score(self, workdir: Path, model: Path, groups: Sequence[TokenGroup]) -> Logps:
        """Log-probabilities of the response tokens of `groups` under `model`."""
        workdir.mkdir(parents=True, exist_ok=True)
        num_rows = write_score_rows(workdir / "rows.arrow", groups)
        spec = {
            "job": "score",
            "stage": "benchmark",
            "model": str(model),
            "rows": "rows.arrow",
            "shards": {"0": [0, num_rows]},
            "reference": REFERENCE,
            "device": "cpu",
            "threads": self.plan.threads,
        }
        self._run("tasks.training", workdir, spec, None)
        scores: pa.Table = read_arrow(workdir / "shards" / "00000.arrow")
        names, values = (scores.column(one).to_pylist() for one in ("response_id", "token_logps"))
        return dict(zip(names, values, strict=True))

    def _run(
        self, module: str, workdir: Path, spec: dict[str, Any], python: Path | None
    ) -> dict[str, Any]:
        path, result = workdir / child.SPEC, workdir / child.RESULT
        text = json.dumps(spec, indent=1)
        if result.exists() and path.read_text(encoding="utf-8") == text:
            found: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
            return found
        workdir.mkdir(parents=True, exist_ok=True)
        result.unlink(missing_ok=True)
        path.write_text(text, encoding="utf-8")
        limits = Limits(
            stalled_seconds=STALLED_SECONDS, interpreter=str(python) if python else None
        )
        return run_child(
            module,
            workdir,
            limits=limits,
            on_event=lambda event: None,
            environment=self._environment(),
        )

    def _environment(self) -> dict[str, str]:
        return {
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": str(self.plan.threads),
            "TOKENIZERS_PARALLELISM": "false",
            "HF_HUB_OFFLINE": "1",
            "HF_DATASETS_OFFLINE": "1",
            "DO_NOT_TRACK": "1",
            "CUDA_VISIBLE_DEVICES": "",
            "PYTHONHASHSEED": os.environ.get("PYTHONHASHSEED", "0"),
        }
