"""The training job: epochs, checkpoints and events. The maths is in step.py."""

import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from tasks.child import ItemLog, Reporter, Stopped
from tasks.errors import DataError
from tasks.memory import in_flight
from tasks.training import checkpoints, processes
from tasks.training.adapters import add_adapter
from tasks.training.batches import Budget, Group, groups_of
from tasks.training.degree_head import with_degree_head
from tasks.training.events import CURVES, write_curves
from tasks.training.examples import Examples, batch_prompts, open_examples
from tasks.training.live_reference import LiveReference
from tasks.training.policy import Policy, load_policy, recompute_layers
from tasks.training.schedule import learning_rate, num_steps
from tasks.training.settings import TrainJob
from tasks.training.step import check_is_reference, make_optimizer, optimizer_step
from tasks.training.step_log import StepLog
from tasks.training.work_digest import work_digest

CLIPPED_WINDOW = 10
"""Steps over which the share of pairs clipped on both sides is averaged."""


@dataclass(kw_only=True)
class State:
    """What the next step depends on besides tensors; kept in each checkpoint."""

    work: str
    """Digest of the job and its inputs: a checkpoint is continued by the same job only."""
    step: int = 0
    """Optimizer steps made; it alone decides the next batch."""
    tokens: int = 0
    clipped_both: list[float] = field(default_factory=list)
    """Share of pairs clipped on both sides in the last steps."""
    first_step_margin: float | None = None
    """Mean margin of the first batch (reward units): about 0 where the policy is the reference."""


@dataclass(frozen=True, kw_only=True)
class Trained:
    """What changes from step to step."""

    policy: Policy
    optimizer: torch.optim.AdamW
    reference: LiveReference | None
    """None: it stays what was scored."""

    def saved(self, state: State) -> checkpoints.Saved:
        """What a checkpoint keeps."""
        extras = {"reference": self.reference.tensors} if self.reference else {}
        if head := self.policy.degree_head:
            extras["degree_head"] = dict(head.named_parameters())
        return checkpoints.Saved(
            model=self.policy.parameters,
            optimizer=self.optimizer,
            extras=extras,
            state=vars(state),
        )


@dataclass(kw_only=True)
class Trainer:
    """One job, in this process; others may do their part of each step."""

    job: TrainJob
    workdir: Path
    reporter: Reporter
    trained: Trained
    examples: Examples
    state: State
    log: StepLog | None
    """None: the first process has it."""

    @property
    def steps(self) -> int:
        """Optimizer steps of the whole job, if it does not end early."""
        return num_steps(self.job.settings, len(self.examples.prompts))

    def run(self) -> str:
        """Train from the present state to the end; returns why it ended."""
        items = ItemLog(self.job.item_log if processes.rank() == 0 else None, self.job.stage)
        with self.reporter.stopping_at_checkpoints(self.job.settings.stop_seconds):
            while self.state.step < self.steps and not self.saturated():
                items.starting([f"step-{self.state.step + 1}"])
                self.one_step()
                self.keep()
        return self.ended()

    def one_step(self) -> None:
        """Make one optimizer step and report it."""
        started = time.monotonic()
        settings, step = self.job.settings, self.state.step
        policy, optimizer = self.trained.policy, self.trained.optimizer
        reference = self.trained.reference
        prompts, groups = self.batch(step)
        if step == 0 and self.job.expect_reference:
            check_is_reference(policy, groups)
        rate = learning_rate(settings, step, self.steps)
        for group in optimizer.param_groups:
            group["lr"] = rate
        with in_flight(step=step + 1, budget=settings.tokens_per_microbatch):
            groups = [reference.scored(one) for one in groups] if reference else groups
            result = optimizer_step(
                policy, self.job.loss, groups, prompts, optimizer, settings.max_grad_norm
            )
        if reference:
            reference.follow(policy, step + 1)
        speed = result.tokens / (time.monotonic() - started)
        self.state.tokens += result.tokens
        self.record(result.metrics | {"learning_rate": rate, "tokens_per_second": round(speed, 1)})

    def batch(self, step: int) -> tuple[int, list[Group]]:
        """How many prompts the batch of `step` has, and its groups of trees."""
        settings = self.job.settings
        prompts = batch_prompts(
            len(self.examples.prompts), settings.prompts_per_batch, self.job.seed, step
        )
        budget = Budget(
            tokens=settings.tokens_per_microbatch,
            oversized=settings.oversized_trees,
            together=self.job.loss.BATCH_STATISTICS,
            padded=self.trained.policy.device.type == "cuda",
        )
        return len(prompts), groups_of(
            self.examples, prompts.tolist(), budget, self.trained.policy.device
        )

    def record(self, metrics: Mapping[str, float]) -> None:
        """Count the step, and write it to metrics.jsonl and as an event."""
        self.state.step += 1
        if self.state.step == 1:
            self.state.first_step_margin = metrics.get("margin")
        recent = [*self.state.clipped_both, metrics.get("clipped_both", 0.0)]
        self.state.clipped_both = recent[-CLIPPED_WINDOW:]
        line = {"step": self.state.step, "steps": self.steps, **metrics}
        if self.log:
            self.log.add(line)
        self.reporter.event("step", **line)

    def keep(self) -> None:
        """After a step: export its weights and save a checkpoint where one is due."""
        settings, step = self.job.settings, self.state.step
        if settings.keep_every is not None and step % settings.keep_every == 0:
            # Before the checkpoint: who resumes from it finds the models of earlier steps.
            name = f"models/step-{step:07d}"
            self.export(name)
            self.reporter.event("model", step=step, folder=name)
        if self.stop_asked() or step % settings.checkpoint_every == 0:
            self.checkpoint()

    def checkpoint(self) -> None:
        """Save the present state, which the launcher may upload; where SIGTERM came, stop."""
        saved = self.trained.saved(self.state)
        folder = checkpoints.save(self.workdir, saved, self.job.settings.keep_last)
        self.reporter.event("checkpoint", step=self.state.step, folder=folder)
        if self.stop_asked():
            raise Stopped

    def stop_asked(self) -> bool:
        """Whether SIGTERM came to any of the processes: they agree, and stop at the same step."""
        return any(processes.gathered(self.reporter.stop_asked))

    def export(self, name: str) -> None:
        """Write the weights as they are now as the model folder WORKDIR/name."""
        adapter = self.job.adapter
        checkpoints.export(
            self.trained.policy,
            self.workdir / self.job.model,
            self.workdir,
            name,
            stacked=adapter is not None and adapter.per_round == "stack",
        )

    def saturated(self) -> bool:
        """Whether the last steps had too many pairs clipped on both sides to go on."""
        limit, recent = self.job.settings.stop_when_clipped, self.state.clipped_both
        if limit is None or len(recent) < CLIPPED_WINDOW:
            return False
        return sum(recent) / len(recent) > limit

    def ended(self) -> str:
        """Why training ended: clipped, max_steps or epochs."""
        if self.state.step < self.steps:
            return "clipped"
        return "max_steps" if self.steps == self.job.settings.max_steps else "epochs"


def train(workdir: Path, job: TrainJob, reporter: Reporter) -> dict[str, Any]:
    """Run `job` in `workdir`, from its newest checkpoint if there is one; returns the result."""
    started = time.monotonic()
    trainer = _prepare(workdir, job, reporter)
    with trainer.log or nullcontext():
        ended = trainer.run()
    trainer.export("model")
    processes.by_first(lambda: write_curves(workdir / CURVES, workdir / checkpoints.METRICS))
    if processes.by_first(lambda: work_digest(workdir, job)) != trainer.state.work:
        raise DataError("examples or model changed while training ran; start again")
    return {
        "steps": trainer.state.step,
        "ended": ended,
        "first_step_margin": trainer.state.first_step_margin,
        "examples": trainer.examples.num_examples,
        "prompts": len(trainer.examples.prompts),
        "tokens": trainer.state.tokens,
        "reference": job.reference,
        "seconds": round(time.monotonic() - started, 3),
    }


def _prepare(workdir: Path, job: TrainJob, reporter: Reporter) -> Trainer:
    if job.threads is not None:
        torch.set_num_threads(max(1, job.threads // job.processes))
    side = None if job.side is None else workdir / job.side
    examples = open_examples(workdir / job.examples, job.loss, job.settings.max_tokens, side)
    policy = _load(workdir, job)
    if job.loss.HEAD_CLASSES:
        policy = with_degree_head(policy, job.loss.HEAD_CLASSES, job.seed)
    policy.check_context(examples.longest)
    if job.gradient_checkpointing:
        recompute_layers(policy)
    reference = None
    if job.live_reference:
        reference = LiveReference(model=_load(workdir, job), settings=job.live_reference)
    optimizer = make_optimizer(policy, job.settings.betas, job.settings.weight_decay)
    trained = Trained(policy=policy, optimizer=optimizer, reference=reference)
    work = processes.by_first(lambda: work_digest(workdir, job))
    state = _resume(workdir, work, trained, reporter)
    if state.step:
        reporter.event("resumed", step=state.step)
    log = StepLog(workdir, goes_on=state.step > 0) if processes.rank() == 0 else None
    return Trainer(
        job=job, workdir=workdir, reporter=reporter, trained=trained, examples=examples,
        state=state, log=log,
    )  # fmt: skip


def _load(workdir: Path, job: TrainJob) -> Policy:
    """The model as training starts from it."""
    torch.manual_seed(job.seed)
    policy = load_policy(
        workdir / job.model, job.dtype, job.device, master_weights=job.master_weights
    )
    if job.adapter:
        add_adapter(policy.model, job.adapter)
    return policy


def _resume(workdir: Path, work: str, trained: Trained, reporter: Reporter) -> State:
    folder = processes.by_first(lambda: checkpoints.latest(workdir, reporter))
    if folder is None:
        return State(work=work)
    state = State(**checkpoints.read_state(folder))
    if state.work != work:
        raise DataError(
            f"{folder} belongs to other work: model, examples, reference, loss or settings differ; "
            "use an empty work folder"
        )
    checkpoints.restore(workdir, folder, trained.saved(state))
    return state
