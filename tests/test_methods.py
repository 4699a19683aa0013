"""The table of a comparison: what is averaged, what is compared with what, what it says."""

from tasks.methods import Method, MethodRun, plain_rows, table_of
from tasks.methods_page import as_markdown, notes, tables


def run(name, seed, values, **facts):
    """A run of `name` whose last policy has `values` of the metric `checks`, by prompt."""
    by_prompt = {f"p{index:02}": float(value) for index, value in enumerate(values)}
    mean = sum(by_prompt.values()) / len(by_prompt)
    return MethodRun(
        method=Method(name=name, shown=name, seed=seed, run=f"{name}-s{seed}"),
        values={"checks": by_prompt},
        figures={"checks": mean, "calibration": 0.25},
        **{"rounds": 1, **facts},
    )


def failed(name, seed, why="no space left"):
    method = Method(name=name, shown=name, seed=seed, run=f"{name}-s{seed}")
    return MethodRun(method=method, failed=why)


def test_a_mean_is_over_prompts_and_seeds_and_each_seed_is_shown():
    first, second = table_of([run("a", 0, [1, 0]), run("b", 0, [1, 1]), run("a", 1, [1, 1])])
    assert first.measures["checks"].mean == 0.75
    assert first.measures["checks"].by_seed == {0: 0.5, 1: 1.0}
    assert second.measures["checks"].by_seed == {0: 1.0}


def test_only_seeds_and_prompts_that_both_have_are_compared():
    seeds = [run("a", 0, [0] * 30), run("a", 1, [1] * 30), run("b", 0, [0.5] * 40)]
    difference = table_of(seeds)[1].measures["checks"].to_first
    assert (difference.estimate, difference.n) == (0.5, 30), "seed 1 of a has no partner"
    assert difference.low == difference.high == 0.5


def test_a_prompt_is_drawn_once_however_many_seeds_answered_it():
    one = [run("a", 0, [0, 1] * 20), run("b", 0, [1, 1] * 20)]
    three = [
        run(x, seed, v) for seed in range(3) for x, v in (("a", [0, 1] * 20), ("b", [1, 1] * 20))
    ]
    alone, thrice = (table_of(some)[1].measures["checks"].to_first for some in (one, three))
    assert thrice == alone, "equal seeds say nothing new about prompts"


def test_a_large_difference_is_beyond_chance_and_a_small_one_is_not():
    sure = table_of([run("a", 0, [0] * 40), run("b", 0, [1] * 40)])[1].measures["checks"]
    unsure = table_of([run("a", 0, [0, 1] * 20), run("b", 0, [1, 0] * 19 + [1, 1])])[1]
    assert sure.beyond_chance and not unsure.measures["checks"].beyond_chance


def test_a_metric_that_is_no_mean_over_prompts_has_a_value_and_no_difference():
    row = table_of([run("a", 0, [1, 0]), run("b", 0, [1, 1])])[1]
    assert row.measures["calibration"].mean == 0.25
    assert row.measures["calibration"].to_first is None


def test_a_failed_run_stands_in_the_table_with_its_reason():
    rows = table_of([run("a", 0, [1, 0]), failed("b", 0), run("c", 0, [1, 1]), failed("c", 1)])
    assert [row.name for row in rows] == ["a", "b", "c"]
    assert rows[1].failed == {0: "no space left"} and rows[1].measures == {}
    assert any("b, seed 0: no space left" in one for one in notes(rows))
    reached, taken = tables(rows)
    assert [row[:2] for row in reached.rows] == [["a", "1"], ["b", "0 of 1"], ["c", "1 of 2"]]
    assert taken.rows[1] == ["b", *[""] * 8]


def test_where_the_first_method_failed_the_others_still_have_their_values():
    rows = table_of([failed("a", 0), run("b", 0, [1, 1])])
    assert rows[1].measures["checks"].mean == 1 and rows[1].measures["checks"].to_first is None
    assert "a, seed 0" in as_markdown("x", rows)


def test_who_was_never_measured_is_named():
    never = MethodRun(method=run("b", 0, [1]).method, rounds=2)
    rows = table_of([run("a", 0, [1, 0], measured_round=0), never])
    said = [one for one in notes(rows) if "none of its 2 rounds" in one]
    assert said == ["b was measured in none of its 2 rounds: evaluation.every is more."]
    assert rows[1].measures == {}


def test_what_a_run_took_is_shown_as_a_mean_over_seeds():
    facts = {"prompts": 8, "pairs": 5, "calls": 2, "usd": 0.5, "stages": 10, "reused": 4}
    times = {"seconds": 90.0, "shared_seconds": 30.0}
    rows = table_of(
        [run("a", 0, [1], **facts, **times), run("a", 1, [1], **{**facts, "pairs": 6}, **times)]
    )
    shown = [one.replace("\N{NO-BREAK SPACE}", " ") for one in tables(rows)[1].rows[0]]
    assert shown == ["a", "1", "8", "5.5", "2", "0.50", "1 min 30 s", "30.0 s", "4 of 10"]


def test_markdown_has_a_row_for_each_method_and_nothing_breaks_its_tables():
    text = as_markdown("x", table_of([run("a|b", 0, [1, 0]), failed("c", 0, "line\nline | <b>")]))
    assert "| a\\|b | 1 |" in text and "line line \\| &lt;b>" in text


def test_results_hold_everything_but_the_values_of_prompts():
    [first, second] = plain_rows(table_of([run("a", 0, [1, 0]), run("b", 0, [1, 1])]))
    assert second["metrics"]["checks"]["to_first"]["estimate"] == 0.5
    assert first["runs"][0]["run"] == "a-s0" and "values" not in first["runs"][0]
