"""TRL's DPOTrainer on the rows of `write_trl_rows`, with time and memory after every step.

Runs in TRL's environment, so it imports nothing of ours that needs more than the standard library.
The job `reference` computes the reference log-probabilities as TRL does, `train` trains with them.
"""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset, disable_progress_bars  # type: ignore[import-untyped]
from transformers import AutoModelForCausalLM, AutoTokenizer, TrainerCallback
from trl import DPOConfig, DPOTrainer  # type: ignore[attr-defined]
from trl.trainer.dpo_trainer import DataCollatorForPreference

from benchmarks.trainer.memory import peak_bytes
from tasks.child import Reporter, child_main
from tasks.errors import DataError

SIDES = ("prompt", "chosen", "rejected")


@dataclass(frozen=True, kw_only=True)
class Job:
    """spec.json of this child."""

    job: str
    """reference or train."""
    model: str
    rows: str
    """JSON lines of `write_trl_rows`, trained on in their order."""
    pairs_per_device_batch: int
    device_batches_per_step: int
    learning_rate: float
    schedule: str
    beta: float
    seed: int
    threads: int
    save_at: list[int]
    """Steps after which the weights are saved, the clock stopped."""
    reference: str | None = None
    """result.json of the job `reference`."""


class Recording(DataCollatorForPreference):
    """TRL's collator; notes which rows shared a device batch, and how wide it was."""

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        batch: dict[str, Any] = super().torch_call(examples)
        rows = [example["row"] for example in examples]
        self.__dict__.setdefault("batches", []).append([rows, batch["input_ids"].shape[1]])
        return batch


class Precomputed(DPOTrainer):
    """DPOTrainer with reference log-probabilities that another process of TRL computed."""

    reference: dict[str, list[float]]
    """By row."""

    def _precompute_ref_logps(self, dataset: Dataset, name: str, batch_size: int) -> Dataset:
        for column, values in self.reference.items():
            dataset = dataset.add_column(column, [values[row] for row in dataset["row"]])
        return dataset


class Marks(TrainerCallback):
    """Notes when each step ended, less the time spent on saving, and the most memory until then."""

    def __init__(self, reporter: Reporter, workdir: Path, save_at: list[int]) -> None:
        self.reporter, self.workdir, self.save_at = reporter, workdir, save_at
        self.paused = 0.0
        self.seconds: list[float] = []
        self.peaks: list[int] = []

    def on_step_end(self, args: Any, state: Any, control: Any, **more: Any) -> None:
        """Called by the trainer after every optimizer step."""
        now = time.monotonic()
        self.seconds.append(now - self.paused)
        self.peaks.append(peak_bytes())
        if state.global_step in self.save_at:
            more["model"].save_pretrained(self.workdir / f"step-{state.global_step}")
        self.reporter.event("step", step=state.global_step)
        self.paused += time.monotonic() - now


def work(workdir: Path, spec: dict[str, Any], reporter: Reporter) -> dict[str, Any]:
    """Do the job of `spec`; what was measured is the result."""
    job = Job(**spec)
    torch.set_num_threads(job.threads)
    disable_progress_bars()
    rows = [json.loads(line) for line in Path(job.rows).read_text(encoding="utf-8").splitlines()]
    model = AutoModelForCausalLM.from_pretrained(job.model, dtype=torch.float32)
    loaded = peak_bytes()
    if job.job == "reference":
        trainer = _trainer(DPOTrainer, job, model, rows, workdir)
        columns = ("ref_chosen_logps", "ref_rejected_logps")
        return {name: list(trainer.train_dataset[name]) for name in columns}
    return {"loaded_bytes": loaded, **_train(job, model, rows, workdir, reporter)}


def _train(job: Job, model: Any, rows: Any, workdir: Path, reporter: Reporter) -> dict[str, Any]:
    Precomputed.reference = json.loads(Path(str(job.reference)).read_text(encoding="utf-8"))
    trainer = _trainer(Precomputed, job, model, rows, workdir)
    marks = Marks(reporter, workdir, job.save_at)
    trainer.add_callback(marks)
    trainer.train()
    return {
        "seconds_at": marks.seconds,
        "peak_bytes_at": marks.peaks,
        "losses": [line["loss"] for line in trainer.state.log_history if "loss" in line],
        "batches": trainer.data_collator.batches,
    }


def _trainer(kind: Any, job: Job, model: Any, rows: Any, workdir: Path) -> Any:
    tokenizer = AutoTokenizer.from_pretrained(job.model)
    trainer = kind(
        model=model,
        args=_settings(job, workdir),
        train_dataset=Dataset.from_list(rows),
        processing_class=tokenizer,
        data_collator=Recording(pad_token_id=tokenizer.pad_token_id),
    )
    _check_ids(trainer.train_dataset)
    return trainer


def _settings(job: Job, workdir: Path) -> Any:
    return DPOConfig(
        output_dir=str(workdir / "trl"),
        per_device_train_batch_size=job.pairs_per_device_batch,
        gradient_accumulation_steps=job.device_batches_per_step,
        train_sampling_strategy="sequential",
        remove_unused_columns=False,  # the collator notes the column `row`
        num_train_epochs=1,
        learning_rate=job.learning_rate,
        lr_scheduler_type=job.schedule,
        warmup_steps=0,
        weight_decay=0.0,
        max_grad_norm=1.0,
        beta=job.beta,
        max_length=None,
        bf16=False,
        gradient_checkpointing=False,
        precompute_ref_log_probs=True,
        use_cpu=True,
        dataloader_pin_memory=False,
        seed=job.seed,
        logging_steps=1,
        report_to="none",
        save_strategy="no",
        disable_tqdm=True,
    )


def _check_ids(dataset: Dataset) -> None:
    """Raise DataError unless TRL made the ids of our side from the texts."""
    for row in dataset:
        for side in SIDES:
            if row[f"{side}_ids"] != row[f"expected_{side}_ids"]:
                raise DataError(f"row {row['row']}: TRL's {side}_ids are not ours")


if __name__ == "__main__":
    child_main(work)()
