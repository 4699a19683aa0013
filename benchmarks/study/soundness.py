"""What would silently make a study wrong: looked for in what its runs did, not in what they say."""

from collections.abc import Iterator, Mapping
from itertools import combinations
from typing import Any

from benchmarks.study.plan import Plan
from benchmarks.study.runs import Found, Run
from tasks.errors import DataError

BOUNDS = {"chosen": "chosen_ceiling", "rejected": "rejected_floor"}


def check(plan: Plan, found: Found) -> None:
    """Raise DataError with everything that is wrong among the runs so far."""
    problems = [
        *named_parts(plan, found),
        *budgets(plan, found),
        *twins(found),
        *seeds_that_share(found),
        *prompts_measured(plan, found),
    ]
    if problems:
        listed = "\n- ".join(problems)
        raise DataError(f"the study {plan.name!r} is not what its plan says:\n- {listed}")


def pairs_with_main(plan: Plan, found: Found) -> Iterator[tuple[Run, Run]]:
    """Each run beside the main variant's of the same seed."""
    main = found.get(plan.main, {})
    for variant, by_seed in found.items():
        for seed in sorted(by_seed.keys() & main.keys()):
            if variant != plan.main:
                yield by_seed[seed], main[seed]


def named_parts(plan: Plan, found: Found) -> Iterator[str]:
    """A variant lacks what it names, the main variant has it, and nothing else is gone."""
    for run, main in pairs_with_main(plan, found):
        who = f"{run.variant} seed {run.seed}"
        named = plan.lacks.get(run.variant, [])
        theirs, ours = run.facts.counts, main.facts.counts
        for fact in named:
            if theirs.get(fact, 0):
                yield f"{who} shall have no {fact} and has {theirs[fact]:,}"
            if not ours.get(fact, 0):
                yield f"{who} lacks {fact}, but so does {plan.main}: nothing is compared"
        for fact, count in ours.items():
            chance = fact.startswith("clipped.")
            if count and not chance and fact not in named and not theirs.get(fact, 0):
                yield f"{who} has no {fact}, which its plan does not name"


def budgets(plan: Plan, found: Found) -> Iterator[str]:
    """The facts of the plan's `equal` are the main variant's; so are the prompts."""
    for run, main in pairs_with_main(plan, found):
        who = f"{run.variant} seed {run.seed}"
        free = plan.unequal.get(run.variant, [])
        for fact in plan.equal:
            theirs, ours = run.facts.counts.get(fact, 0), main.facts.counts.get(fact, 0)
            if theirs != ours and fact not in free:
                yield f"{who} has {theirs:,} {fact}, {plan.main} has {ours:,}"
        if "prompts" in plan.equal and run.facts.prompts != main.facts.prompts:
            yield f"{who} was trained on other prompts than {plan.main}"


def twins(found: Found) -> Iterator[str]:
    """Two variants of a seed that came to the same weights are one, unless no bound was reached."""
    runs = [run for by_seed in found.values() for run in by_seed.values()]
    for one, other in combinations(runs, 2):
        same = one.seed == other.seed and one.facts.policies[-1] == other.facts.policies[-1]
        if same and not no_bound_reached(one, other):
            yield f"{one.variant} and {other.variant} made the same policy with seed {one.seed}"


def no_bound_reached(one: Run, other: Run) -> bool:
    """Whether two runs on equal examples differ in nothing but bounds that no reward passed."""
    ours, theirs = one.facts.loss, other.facts.loss
    return (
        one.facts.examples == other.facts.examples
        and unbounded(ours) == unbounded(theirs)
        and all(
            ours.get(bound) == theirs.get(bound)
            or not any(run.facts.counts.get(f"clipped.{side}", 0) for run in (one, other))
            for side, bound in BOUNDS.items()
        )
    )


def unbounded(loss: Mapping[str, Any]) -> dict[str, Any]:
    """What DPO has of a loss."""
    return {name: loss.get(name) for name in ("beta", "sft_weight", "length_normalised")}


def seeds_that_share(found: Found) -> Iterator[str]:
    """Two seeds of a variant share neither prompts, nor examples, nor policies."""
    for variant, by_seed in found.items():
        for one, other in combinations(by_seed.values(), 2):
            who = f"{variant}: seeds {one.seed} and {other.seed} share"
            if set(one.facts.policies) & set(other.facts.policies):
                yield f"{who} a policy"
            if set(one.facts.examples) & set(other.facts.examples):
                yield f"{who} a round's examples"


def prompts_measured(plan: Plan, found: Found) -> Iterator[str]:
    """All final policies answered the same prompts."""
    asked = {}
    for variant, by_seed in found.items():
        for seed, run in by_seed.items():
            for temperature in plan.temperatures:
                values = run.values[f"policy@{temperature:g}"]
                name = frozenset(next(iter(values.values())))
                asked.setdefault(name, f"{variant} seed {seed} at T={temperature:g}")
    if len(asked) > 1:
        yield f"not all answered the same {plan.split} prompts: {', '.join(asked.values())} differ"
