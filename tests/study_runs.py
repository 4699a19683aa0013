"""A plan of two variants and runs of them, as if they had been measured."""

from benchmarks.study.facts import Facts
from benchmarks.study.plan import Plan
from benchmarks.study.runs import Run

COUNTS = {
    "prompts": 48, "rounds": 2, "rounds.later": 1, "responses": 192, "responses.policy": 96,
    "responses.large": 96, "responses.human": 5, "verdicts.judge": 400, "verdicts.human": 20,
    "steps": 12, "steps.dual_clip_dpo": 12, "clipped.rejected": 3,
}  # fmt: skip
CLIPPED = {"kind": "dual_clip_dpo", "beta": 0.1, "chosen_ceiling": 2.0, "rejected_floor": -2.0}


def plan(**changes):
    some = {
        "name": "some", "preset": "quickstart", "seeds": [0, 1], "rounds": 2, "split": "sealed",
        "temperatures": [0.0], "variants": {"tso": {}, "no_human": {}},
        "lacks": {"no_human": ["responses.human"]}, "equal": ["prompts", "responses", "steps"],
        "columns": [{"of": "policy@0", "measure": "checks all", "title": "all"}],
        "world": {"kind": "quickstart"},
    }  # fmt: skip
    return Plan(**some | changes)


def run(variant, seed, *, values=(1.0, 0.0), loss=CLIPPED, examples=None, policy=None, **counts):
    facts = Facts(
        counts={**COUNTS, **{name.replace("_", "."): count for name, count in counts.items()}},
        prompts=f"prompts {seed}",
        examples=examples or [f"{variant} {seed}"],
        policies=[policy or f"{variant} {seed}"],
        figures=[{"checks": 0.5}, {"checks": 0.6}],
        loss=loss,
        training=[{"loss": 0.7, "clipped_chosen": 0.0}, {"loss": 0.6, "clipped_chosen": 0.1}],
    )
    by_prompt = {f"p{i}": value for i, value in enumerate(values)}
    return Run(
        variant=variant, seed=seed, run=f"study-{variant}-{seed}", seconds=60.0, commit="abc",
        start="taught", values={"policy@0": {"checks all": by_prompt}}, facts=facts,
    )  # fmt: skip


def found(**more):
    two = {
        "tso": {seed: run("tso", seed) for seed in (0, 1)},
        "no_human": {seed: run("no_human", seed, responses_human=0) for seed in (0, 1)},
    }
    for name, runs in more.items():
        two[name] = two.get(name, {}) | runs
    return two
