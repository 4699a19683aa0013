"""A budget of comparisons, kept the same way by every rule."""

from tasks.seeds import uniform_of

Comparison = tuple[str, str]


def within_budget(comparisons: list[Comparison], budget: int | None, seed: int) -> list[Comparison]:
    """At most `budget` of `comparisons`, drawn by a seeded coin for each; sorted by ids."""
    if budget is not None and len(comparisons) > budget:
        drawn = sorted(comparisons, key=lambda ids: (uniform_of(seed, "comparison", *ids), ids))
        comparisons = drawn[:budget]
    return sorted(comparisons)
