"""The fit job: a Bradley-Terry reward model learns from pairs; killed, it resumes exactly."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from tasks.canonical import digest
from tasks.child import ItemLog, Reporter, Stopped
from tasks.errors import DataError
from tasks.memory import in_flight
from tasks.training import checkpoints
from tasks.training.fit_model import export_scorer, load_scorer
from tasks.training.fit_rows import Pair, Pairs, open_pairs, steps_per_epoch
from tasks.training.fit_settings import FitJob
from tasks.training.passes import Thinning
from tasks.training.policy import Policy
from tasks.training.reward import batches, rewards, scores_of
from tasks.training.schedule import learning_rate
from tasks.training.step import make_optimizer
from tasks.variants import settings_of
from tasks.weights import file_digest, weights_digest

WHERE = {"stage", "model", "rows", "item_log", "device", "threads", "tokens_per_microbatch"}
"""Fields of a job that say where something is or how it is done, not what comes out."""
KEEP_LAST = 2
"""Checkpoints that stay to resume from."""


@dataclass(kw_only=True)
class State:
    """What the next step depends on besides tensors."""

    work: str
    """Digest of the job and its inputs."""
    step: int = 0
    """Optimizer steps made."""


@dataclass(kw_only=True)
class Fitter:
    """One job."""

    job: FitJob
    workdir: Path
    reporter: Reporter
    scorer: Policy
    optimizer: torch.optim.AdamW
    thinning: Thinning
    pairs: Pairs
    state: State

    @property
    def steps(self) -> int:
        """Optimizer steps of the whole job."""
        settings = self.job.settings
        each = steps_per_epoch(len(self.pairs.fitted), settings.pairs_per_batch)
        steps = settings.epochs * each
        return steps if settings.max_steps is None else min(steps, settings.max_steps)

    def run(self) -> None:
        """Fit from the present state to the end."""
        items = ItemLog(self.job.item_log, self.job.stage)
        with self.reporter.stopping_at_checkpoints(self.job.stop_seconds):
            while self.state.step < self.steps:
                items.starting([f"step-{self.state.step + 1}"])
                self.keep(self.one_step())

    def one_step(self) -> dict[str, float]:
        """Make one optimizer step; its figures."""
        settings, step = self.job.settings, self.state.step
        batch = self.pairs.batch(step, settings.pairs_per_batch)
        masks = self.thinning.masks(len(batch), self.job.seed, "step", step)
        width = self.scorer.model.config.get_text_config().hidden_size
        rate = learning_rate(settings.rates(width), step, self.steps)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad()
        sums = {"loss": 0.0, "accuracy": 0.0}
        with in_flight(step=step + 1, budget=self.job.tokens_per_microbatch):
            for places in microbatches(batch, self.job.tokens_per_microbatch):
                some = [batch[place] for place in places]
                with self.scorer.autocast(), self.thinning.using(_both_sides(masks, places)):
                    scores = scores_of(self.scorer.model, [*_rows(some)])
                loss, right = bradley_terry(scores.float(), some, settings.centre)
                torch.autograd.backward(loss / len(batch))
                sums["loss"] += loss.item()
                sums["accuracy"] += right
        norm = torch.nn.utils.clip_grad_norm_(self.scorer.trained, settings.max_grad_norm)
        self.optimizer.step()
        if not torch.isfinite(norm):
            raise DataError(f"step {step + 1} has a gradient that is no number; lower the rate")
        return {name: one / len(batch) for name, one in sums.items()} | {"learning_rate": rate}

    def keep(self, figures: Mapping[str, float]) -> None:
        """Count the step, report it, and save what is due; where SIGTERM came, stop."""
        self.state.step += 1
        line = {"step": self.state.step, **figures}
        with (self.workdir / checkpoints.METRICS).open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")
        self.reporter.event("step", steps=self.steps, **line)
        due = self.state.step % self.job.settings.checkpoint_every == 0
        if due or self.reporter.stop_asked:
            folder = checkpoints.save(self.workdir, self.saved(), KEEP_LAST)
            self.reporter.event("checkpoint", step=self.state.step, folder=folder)
        if self.reporter.stop_asked:
            raise Stopped

    def saved(self) -> checkpoints.Saved:
        """What a checkpoint keeps."""
        return checkpoints.Saved(
            model=self.scorer.parameters, optimizer=self.optimizer, state=vars(self.state)
        )

    def gaps(self) -> Iterator[float]:
        """Score of chosen less that of rejected of each held-out pair, without dropout."""
        for row in self.pairs.held_out:
            pair = self.pairs[int(row)]
            both = [("chosen", pair.chosen), ("rejected", pair.rejected)]
            numbers = {
                name: number
                for batch in batches(both, self.job.tokens_per_microbatch)
                for (name, _), number in zip(batch, rewards(self.scorer.model, batch), strict=True)
            }
            yield numbers["chosen"] - numbers["rejected"]
            self.reporter.beat()


def bradley_terry(scores: Tensor, pairs: Sequence[Pair], centre: float) -> tuple[Tensor, float]:
    """Summed loss of `pairs` and how many are in the right order; `scores` (2 x pairs,).

    -p log sigmoid(gap) - (1 - p) log sigmoid(-gap) + centre (sum of both scores)^2, p the
    probability that chosen is the better one. Source: Bradley and Terry (1952); the last term:
    Eisenstein et al., arXiv:2312.09244.
    """
    chosen, rejected = scores.chunk(2)
    p = torch.tensor([one.p_chosen for one in pairs]).to(scores)
    gap = chosen - rejected
    loss = -p * F.logsigmoid(gap) - (1 - p) * F.logsigmoid(-gap)
    loss = loss + centre * (chosen + rejected) ** 2
    return loss.sum(), float((gap > 0).sum())


def microbatches(batch: Sequence[Pair], tokens: int) -> Iterator[list[int]]:
    """Places of `batch` by length, cut so that both sides with padding have at most `tokens`.

    A pair that is longer than that is a microbatch of its own.
    """
    longest = [max(len(one.chosen), len(one.rejected)) for one in batch]
    some: list[int] = []
    for place in sorted(range(len(batch)), key=lambda one: (longest[one], one)):
        if some and 2 * (len(some) + 1) * longest[place] > tokens:
            yield some
            some = []
        some.append(place)
    if some:
        yield some


def _rows(pairs: Sequence[Pair]) -> Iterator[list[int]]:
    yield from (one.chosen for one in pairs)
    yield from (one.rejected for one in pairs)


def _both_sides(masks: Sequence[Tensor], places: list[int]) -> list[Tensor]:
    """The masks of the pairs at `places`, for the chosen rows and again for the rejected ones."""
    return [torch.cat([one[places]] * 2) for one in masks]


def fit(workdir: Path, job: FitJob, reporter: Reporter) -> dict[str, Any]:
    """Run `job` in `workdir`, from its newest checkpoint if there is one; returns the result."""
    started = time.monotonic()
    fitter = _prepare(workdir, job, reporter)
    fitter.run()
    gaps = list(fitter.gaps())
    export_scorer(fitter.scorer.model, workdir / job.model, workdir)
    if work_digest(workdir, job) != fitter.state.work:
        raise DataError("pairs or model changed while the estimator was fitted; start again")
    right = sum((gap > 0) + 0.5 * (gap == 0) for gap in gaps)
    return {
        "steps": fitter.state.step,
        "fitted": len(fitter.pairs.fitted),
        "left_out": fitter.pairs.left_out,
        "held_out": len(gaps),
        "held_out_accuracy": right / len(gaps) if gaps else None,
        "seconds": round(time.monotonic() - started, 3),
    }


def _prepare(workdir: Path, job: FitJob, reporter: Reporter) -> Fitter:
    if job.threads is not None:
        torch.set_num_threads(job.threads)
    pairs = open_pairs(workdir, job)
    scorer = load_scorer(workdir / job.model, job)
    settings = job.settings
    optimizer = make_optimizer(scorer, (0.9, 0.999), settings.weight_decay)
    fitter = Fitter(
        job=job, workdir=workdir, reporter=reporter, scorer=scorer, optimizer=optimizer,
        thinning=Thinning(scorer.model, settings.dropout, settings.dropout_at), pairs=pairs,
        state=State(work=work_digest(workdir, job)),
    )  # fmt: skip
    _resume(fitter)
    return fitter


def _resume(fitter: Fitter) -> None:
    """Go on from the newest checkpoint, if there is one of the same work."""
    metrics = fitter.workdir / checkpoints.METRICS
    folder = checkpoints.latest(fitter.workdir, fitter.reporter)
    if folder is None:
        metrics.write_text("", encoding="utf-8")
        return
    state = State(**checkpoints.read_state(folder))
    if state.work != fitter.state.work:
        raise DataError(f"{folder} belongs to other work; use an empty work folder")
    checkpoints.restore(fitter.workdir, folder, fitter.saved())
    fitter.state = state
    fitter.reporter.event("resumed", step=state.step)


def work_digest(workdir: Path, job: FitJob) -> str:
    """Digest of what decides the fitted weights: inputs by content, never by name."""
    settings = {name: one for name, one in settings_of(job).items() if name not in WHERE}
    return digest([settings, weights_digest(workdir / job.model), file_digest(workdir / job.rows)])
