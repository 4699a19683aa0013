"""The formulas of docs/operations.md, held against a finished run of two rounds."""

import pytest
import yaml

from tests.sources import ROOT

PAGE = (ROOT / "docs/operations.md").read_text(encoding="utf-8")


def formula(what):
    """The second cell of the page's row about `what`."""
    [row] = [line for line in PAGE.splitlines() if line.startswith(f"| {what} |")]
    return row.split("|")[2].strip()


@pytest.fixture(scope="module")
def run(story):
    """The preset of the finished run, its rounds' artifacts, and bytes of the store by folder."""
    preset = yaml.safe_load(story.world.preset.read_text(encoding="utf-8"))
    store = story.world.store
    stages = {
        one["uri"].removeprefix(f"{store.root}/").rpartition("/")[0]: role
        for manifest in story.manifests
        for role, one in manifest["artifacts"].items()
    }
    sizes = {}
    for path in store.list():
        folder = next((stage for stage in stages if path.startswith(f"{stage}/")), "rest")
        role = stages.get(folder, "rest").partition("-")[0]
        sizes.setdefault(role, {})[path] = store.size(path)
    return preset, story.manifests, sizes


def samples(preset):
    """S: samples of a prompt over all cells; a recorded cell gives one."""
    return sum(cell.get("samples", 1) for cell in preset["matrix"].values())


def rows(manifest, *verbs):
    return sum(
        one["rows"]
        for role, one in manifest["artifacts"].items()
        if role.startswith(verbs) and "evaluation" not in role
    )


def test_responses_of_a_round_are_at_most_prompts_times_samples(run):
    preset, manifests, _ = run
    assert formula("responses") == "P S"
    most = preset["prompts"]["per_round"] * samples(preset)
    for manifest in manifests:
        drawn = rows(manifest, "sample-train")
        # The recorded cell answers some prompts only.
        assert most * (samples(preset) - 1) / samples(preset) <= drawn <= most


def test_questions_of_a_judge_are_at_most_two_orders_of_each_comparison(run):
    preset, manifests, _ = run
    assert formula("questions of judges, at most").startswith("2 P C J")
    each = samples(preset) * (samples(preset) - 1) / 2
    comparisons = min(each, preset["comparisons"]["budget"])
    prompts = preset["prompts"]["per_round"]
    asked = 2 * prompts * comparisons * len(preset["judges"])
    scores = prompts * samples(preset)  # the judge of this run scores, and its scores are rows, too
    for manifest in manifests:
        assert (asked + scores) / 2 <= rows(manifest, "judge") <= asked + scores


def test_what_stays_of_a_round_is_its_weights_and_rows(run):
    preset, manifests, sizes = run
    stays = formula("store, what stays of a round")
    assert stays == "W x (1 + K) + 600 bytes x (responses + questions)"
    kept = -(-8 // preset["training"]["prompts_per_batch"]) // preset["training"]["keep_every"]
    weights = [size for path, size in sizes["train"].items() if path.endswith(".safetensors")]
    assert len(set(weights)) == 1 and len(weights) == len(manifests) * (1 + kept)
    counted = sum(rows(manifest, "sample", "judge") for manifest in manifests)
    tables = sum(
        size
        for role in ("sample", "judge")
        for path, size in sizes[role].items()
        if path.endswith(".parquet")
    )
    assert tables / counted < 600


def test_checkpoints_of_a_training_are_gone_when_it_is_done(run):
    _, manifests, sizes = run
    assert formula("store, besides, while it trains").startswith("6 W")
    left = [path for path in sizes["train"] if "/checkpoints/" in path]
    assert left == [] and len(manifests) == 2


STATES = {
    *("Scheduled", "Late", "Pending", "Running", "Suspended", "Paused", "AwaitingRetry", "Failed"),
    *("Crashed", "TimedOut", "Cancelling", "Cancelled", "Completed", "AwaitingConcurrencySlot"),
    "InfrastructurePending",
}


def test_the_page_says_what_to_do_for_every_state_that_prefect_knows():
    from prefect.client.schemas.objects import StateType

    known = {one.value.capitalize() for one in StateType}
    assert known <= STATES
    for state in STATES:
        [first, *_] = [line for line in PAGE.splitlines() if line.startswith(f"| *{state}*")]
        assert len(first.split("|")[3].strip()) > 6, state
