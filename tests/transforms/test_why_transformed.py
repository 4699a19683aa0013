"""`tso why` goes from a pair that a transform made back to the comparison behind it."""

import pytest

from flows.cli.evidence import why
from infra.place import note, records_of
from infra.run_tree import RunTree
from infra.storage import open_store
from tasks.derivations import transforms_among
from tasks.records import Feedback, Preference, PreferencePair, Prompt, Response, Verdict
from tasks.report.sides import report_counts
from tasks.transform import transformed
from tasks.variants import load_variant
from tests.opinion_makers import pair, preference, prompt, response
from tests.small_config import small_place
from tests.transforms.transform_program import committed, pairs_of

EDITED, DEGRADED = "0-edit_rejected", "1-degrade"
TEXTS = {"c1": "a ripe fig", "c2": "two plums", "r1": "an old fig"}


@pytest.fixture
def round_of(tmp_path):
    """A round of which one pair is edited and the other, whose edit is no use, is dropped."""
    place = small_place(root=f"file://{tmp_path}/store", round_index=0)
    prompts = committed(place, "prompts", Prompt, [prompt(text="Name a fruit.")])
    answers = [response(name, text) for name, text in TEXTS.items()]
    sampled = committed(place, "answers", Response, answers)
    preferences = [preference("c1", "r1"), preference("c2", "r1")]
    rows = [pair("c1", "r1"), pair("c2", "r1")]
    pairs = pairs_of(place, rows, [], preferences=(Preference, preferences))
    for role, one in (("collect-train", prompts), ("sample-train-policy", sampled)):
        note(place, role, one)
    note(place, "pair", pairs)
    note(place, "annotate", committed(place, "said", Verdict, [], responses=(Response, [])))
    writer = {"engine": "scripted", "default": "two plums"}
    editor = load_variant("tasks.transforms", "edit_rejected", writer=writer)
    degrade = load_variant("tasks.transforms", "degrade")
    feedback = Feedback(responses=[sampled], verdicts=[])
    feedback, pairs = transformed.fn(EDITED, prompts, feedback, pairs, editor, place)
    _, pairs = transformed.fn(DEGRADED, prompts, feedback, pairs, degrade, place)
    rows = records_of(place, PreferencePair, pairs)
    return RunTree(open_store(place.storage), "r"), [one.pair_id for one in rows]


def test_an_edited_pair_leads_to_the_response_and_the_comparison_it_came_from(round_of):
    tree, [edited] = round_of
    found = why(tree, edited)
    chosen, rejected = found.authors
    assert (chosen.response.text, chosen.response.cell) == ("two plums", "edit_rejected")
    assert rejected.response.response_id == "r1"
    assert found.decision.preference.a_id == "c1" and found.became.endswith("given to training")
    first, *variants = found.made
    assert first == (
        f"response {chosen.response.response_id} was made of r1 by edit_rejected; "
        "in place of the pair p-c1-r1"
    )
    assert len(variants) == 2 and all("by degrade, degree " in one for one in variants)
    assert "transform-0-edit_rejected" in found.stages
    by_ids = why(tree, f"{chosen.response.response_id},r1")
    assert by_ids.pair_id == edited


def test_a_pair_that_was_edited_or_dropped_says_so(round_of):
    tree, [edited] = round_of
    assert why(tree, "p-c1-r1").became.endswith(f"a transform made the pair {edited} of it")
    assert why(tree, "p-c2-r1").became.endswith("a transform dropped it")
    assert why(tree, "c2,r1").became.endswith("a transform dropped it")


def test_the_report_lists_what_transforms_dropped_and_what_they_left_as_it_was():
    counts = {
        "collect-train": {"duplicates": 0}, "annotate": {}, "train": {"examples": 4},
        "pair": {"held_out": 1, "dropped_cycle": 2},
        "transform-0-edit_rejected": {"dropped_cut": 1, "kept_refused": 2, "edited": 9},
        "transform-0-edit_rejected-responses": {},
        "transform-1-edit_rejected": {"dropped_cut": 3},
    }  # fmt: skip
    assert report_counts(counts)["transform"] == {"cut": 4, "refused, left as it was": 2}
    assert "transform" not in report_counts({k: v for k, v in counts.items() if "-e" not in k})


def test_transforms_come_in_the_order_of_their_numbers():
    roles = ["transform-10-degrade", "transform-9-edit_rejected", "pair", "train"]
    assert transforms_among([*roles, "transform-9-edit_rejected-responses"]) == roles[1::-1]
