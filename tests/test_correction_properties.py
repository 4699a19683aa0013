import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.correction import CorrectionSettings, correct, prior_verdicts
from tests.opinion_makers import candidate, verdict

IDS = ["r1", "r2", "r3", "r4"]
OUTCOMES = ["a", "b", "tie", "both_bad", "skip", "unparsed"]


@st.composite
def rooms(draw):
    """Candidates of one prompt and any verdicts on them."""
    candidates = [
        candidate(
            one,
            float(draw(st.integers(0, 2))),
            origin=draw(st.sampled_from(["policy", "model", "human"])),
            text=draw(st.sampled_from(["x", "y", "z", one])),
        )
        for one in IDS
    ]
    pairs = st.sampled_from([(a, b) for a in IDS for b in IDS if a < b])
    rows = draw(
        st.lists(
            st.tuples(
                pairs,
                st.sampled_from(OUTCOMES),
                st.sampled_from([("j1", "judge"), ("j2", "judge"), ("ann", "human")]),
                st.sampled_from(["a", "b", "unknown"]),
            ),
            max_size=24,
            unique_by=lambda row: (row[0], row[2], row[3]),
        )
    )
    verdicts = [
        verdict(*ids, outcome, by=who[0], kind=who[1], shown=shown)
        for ids, outcome, who, shown in rows
    ]
    return candidates, [*prior_verdicts(candidates), *verdicts]


choices = st.builds(
    CorrectionSettings,
    inconsistent=st.sampled_from(["drop", "soft"]),
    tie=st.sampled_from(["drop", "soft"]),
    half_tie=st.sampled_from(["inconsistent", "decision"]),
    single_order=st.sampled_from(["weak", "full", "ignore"]),
    uncompared=st.sampled_from(["prior", "drop"]),
    cycles=st.sampled_from(["drop", "bradley_terry"]),
)


@settings(max_examples=150, deadline=None)
@given(rooms(), choices, st.randoms(use_true_random=False))
def test_input_order_does_not_matter(room, chosen, shuffler: random.Random):
    candidates, verdicts = room
    expected = correct(verdicts, candidates, chosen)
    shuffler.shuffle(verdicts)
    shuffler.shuffle(candidates)
    assert correct(verdicts, candidates, chosen) == expected


@settings(max_examples=150, deadline=None)
@given(rooms(), choices)
def test_every_preference_holds_together(room, chosen):
    candidates, verdicts = room
    known = {one.response_id: one for one in candidates}
    for one in correct(verdicts, candidates, chosen):
        a, b = known[one.a_id], known[one.b_id]
        sides = {"a": one.p_b_wins < 0.5, "b": one.p_b_wins > 0.5, "dropped": one.p_b_wins == 0.5}
        assert sides[one.outcome]
        assert one.a_id < one.b_id
        assert one.reason
        assert (one.decided_by == "none") == (one.outcome == "dropped")
        assert one.outcome == "dropped" or a.text_digest != b.text_digest


@settings(max_examples=150, deadline=None)
@given(rooms(), choices)
def test_equally_presumed_responses_pair_only_after_a_verdict(room, chosen):
    candidates, verdicts = room
    rank = {one.response_id: one.rank for one in candidates}
    asked = {(v.a_id, v.b_id) for v in verdicts if v.annotator_kind != "prior"}
    for one in correct(verdicts, candidates, chosen):
        if rank[one.a_id] == rank[one.b_id]:
            assert (one.a_id, one.b_id) in asked


@settings(max_examples=150, deadline=None)
@given(rooms(), choices)
def test_nobody_but_a_person_decides_against_a_human_written_response(room, chosen):
    candidates, verdicts = room
    human = {one.response_id for one in candidates if one.origin == "human"}
    for one in correct(verdicts, candidates, chosen):
        winner, loser = (one.a_id, one.b_id) if one.outcome == "a" else (one.b_id, one.a_id)
        if one.outcome != "dropped" and loser in human and winner not in human:
            assert one.decided_by == "human"


@settings(max_examples=150, deadline=None)
@given(rooms(), choices)
def test_kept_preferences_have_no_cycle(room, chosen):
    candidates, verdicts = room
    losers = {one: set() for one in IDS}
    for one in correct(verdicts, candidates, chosen):
        if one.outcome != "dropped":
            winner, loser = (one.a_id, one.b_id) if one.outcome == "a" else (one.b_id, one.a_id)
            losers[winner].add(loser)
    left = set(IDS)
    while leaves := {one for one in left if not losers[one] & left}:
        left -= leaves
    assert not left


SWAP = {"a": "b", "b": "a"}


@settings(max_examples=150, deadline=None)
@given(rooms(), choices)
def test_renaming_the_responses_renames_the_preferences(room, chosen):
    """Ids in reverse order turn every a into b: the belief must turn with them."""
    candidates, verdicts = room
    renamed = dict(zip(IDS, reversed(IDS), strict=True))
    mirrored = [
        candidate(renamed[c.response_id], c.strength, origin=c.origin, text=c.text_digest)
        for c in candidates
    ]
    flipped = [
        verdict(
            renamed[v.b_id],
            renamed[v.a_id],
            SWAP.get(v.outcome, v.outcome),
            by=v.annotator,
            kind=v.annotator_kind,
            shown=SWAP.get(v.first_shown, v.first_shown),
        )
        for v in verdicts
    ]
    there = {(p.a_id, p.b_id): p for p in correct(verdicts, candidates, chosen)}
    back = {(p.a_id, p.b_id): p for p in correct(flipped, mirrored, chosen)}
    assert len(there) == len(back)
    for (a_id, b_id), one in there.items():
        other = back[renamed[b_id], renamed[a_id]]
        assert other.outcome == SWAP.get(one.outcome, one.outcome)
        assert other.p_b_wins == pytest.approx(1 - one.p_b_wins, abs=1e-6)
        assert (other.reason, other.overruled) == (one.reason, one.overruled)
