"""What a study counts of a run, on a real one."""

import pytest

from benchmarks.study.facts import facts_of

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("prefect_server")]


def test_a_study_counts_what_a_run_did(story):
    facts = facts_of(story.world.store, "small")
    counts, stages = facts.counts, [one["counts"] for one in story.manifests]
    assert (counts["rounds"], counts["rounds.later"], counts["prompts"]) == (2, 1, 16)
    assert counts["responses.policy"] == 32
    assert counts["responses"] == counts["responses.policy"] + counts["responses.other"]
    assert counts["responses.human"] == sum(
        one["sample-train-human"]["responses"] for one in stages
    )
    assert counts["verdicts.judge"] == sum(one["judge-main-train"]["verdicts"] for one in stages)
    assert counts.get("verdicts.human", 0) == 0
    assert counts["steps"] == counts["steps.dual_clip_dpo"] == 4
    assert facts.policies == [one["policy"]["sha256"] for one in story.manifests]
    assert len(set(facts.examples)) == 2
