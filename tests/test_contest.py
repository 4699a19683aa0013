"""Champion against challenger, by hand."""

import re
from dataclasses import replace

import pytest

from infra.place import note, open_stage, store_of
from infra.run_tree import RunTree
from tasks.challenger import recipes_of, winning, winning_config
from tasks.comparing import Terms
from tasks.config import plain_config
from tasks.contend import contenders, winner
from tasks.contest import decided, terms_of
from tasks.errors import ConfigError
from tasks.measuring import Measured
from tasks.plan import Sizes, plan_round
from tasks.preflight import checks_of
from tasks.records import Collected, EvalReport, Evaluated, Feedback, RoundWork, Trained
from tasks.refresh import _artifacts
from tasks.statistics import PairedValues
from tasks.tables import to_table
from tasks.variants import load_variant
from tests.small_config import checkpoint, small_config, small_place
from tests.test_judge_checks import OUTSIDE

HINGE = {"training.loss": {"kind": "dpo"}, "pairs.rule": {"kind": "best_vs_worst"}}


def slices(**shifts):
    """Forty prompts a slice; the challenger is so much above the champion on three in four."""
    champion = {f"p{i}": (i % 10) / 10 for i in range(40)}
    return {
        name: PairedValues(
            policy={p: v + shift * (i % 4 > 0) for i, (p, v) in enumerate(champion.items())},
            reference=champion,
        )
        for name, shift in shifts.items()
    }


@pytest.mark.parametrize(
    ("shifts", "won", "said"),
    [
        ({"checks": 0.0, "wins": 0.0}, "champion", "none of 2 guarded slices tells them apart"),
        ({"checks": 0.2, "wins": 0.0}, "challenger", r"on checks .* \+0.150"),
        ({"checks": 0.2, "wins": -0.2}, "champion", r"on wins .* -0.150"),
        ({}, "champion", "no guarded slice was measured"),
    ],
)
def test_the_challenger_has_to_be_better_somewhere_and_worse_nowhere(shifts, won, said):
    found, reasons, seen = decided(slices(**shifts), Terms(), same=False)
    assert found == won and re.search(said, reasons[0]), reasons
    assert seen.keys() == shifts.keys()


def test_few_prompts_tell_nothing_and_equal_weights_are_a_tie():
    few = {"checks": PairedValues(policy={"p": 1.0}, reference={"p": 0.0})}
    assert decided(few, Terms(), same=False)[:2] == (
        "champion",
        ["no guarded slice has 20 prompts that both answered; ties go to the champion"],
    )
    won, reasons, _ = decided(slices(checks=0.5), Terms(), same=True)
    assert (won, reasons) == ("champion", ["both recipes made the same weights"])


def test_the_gate_says_how_sure_a_difference_has_to_be():
    gate = load_variant("tasks.gates", "unless_worse", confidence=0.8, min_prompts=5)
    assert terms_of(gate) == Terms(confidence=0.8, min_prompts=5)
    assert terms_of(load_variant("tasks.gates", "every_round")) == Terms()


def test_the_challenger_is_the_preset_with_its_settings():
    config = small_config(challenger={"set": HINGE})
    champion, challenger = recipes_of(config).values()
    assert champion == config and challenger.challenger is None
    assert type(challenger.training.loss).__name__ == "DPO"
    assert challenger.judges == config.judges and challenger.pairs.filters == config.pairs.filters
    assert recipes_of(small_config()) == {"champion": small_config()}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"judges.main.margin": 1}, "challenger.set names judges.main.margin, but champion and"),
        ({"evaluation.metrics": {}}, "what may differ: correction, estimator, pairs"),
        ({"challenger.set": {}}, "challenger.set names challenger.set"),
        ({"training.epoch": 2}, r"challenger.set: configuration: training.epoch.*allowed here"),
        ({"training.loss": {"kind": "dpo", "bta": 1}}, "challenger.set: .*bta"),
        ({}, "at least 1 item"),
    ],
)
def test_what_may_not_differ_or_cannot_be_is_refused_by_name(settings, said):
    with pytest.raises(ConfigError, match=said):
        small_config(challenger={"set": settings})


def test_what_the_challenger_alone_names_is_looked_at_before_the_round():
    """Sampling and judging, which both share, would be paid for first."""
    loss = {"training.loss": {"kind": "mrpo"}, "training.references": ["models/none"]}
    checks = checks_of(small_config(challenger={"set": loss}), OUTSIDE)
    own = {one.name: one for one in checks if one.name.startswith("challenger")}
    assert own.keys() == {
        "challenger training.references models/none", "challenger training.max_tokens"
    }  # fmt: skip
    with pytest.raises(ConfigError, match="no model folder at 'models/none'"):
        own["challenger training.references models/none"].look()
    same = small_config(challenger={"set": {"correction.tie": "soft"}})
    plain = [one.name for one in checks_of(small_config(), OUTSIDE)]
    assert [one.name for one in checks_of(same, OUTSIDE)] == plain


def test_without_a_challenger_there_is_one_recipe_with_the_names_of_stages_as_ever():
    config, place = small_config(), small_place()
    assert contenders(config, place) == [(config, place)]
    only = object()
    assert winner([only], config, place) is only


def test_each_contender_notes_its_stages_under_its_own_name():
    config = small_config(challenger={"set": HINGE})
    first, second = contenders(config, small_place())
    assert (first[1].contender, second[1].contender) == ("champion-", "challenger-")
    assert first[0] == config and second[0] == recipes_of(config)["challenger"]


def test_in_a_round_that_is_not_measured_the_champion_is_alone():
    config = small_config(challenger={"set": HINGE}, evaluation__every=2)
    place = small_place(round_index=2)
    assert contenders(config, place) == [(config, place)]
    assert len(contenders(config, replace(place, round_index=3))) == 2


def measured(value):
    """A metric of 40 prompts, of a policy and of others that play no part."""
    return [
        Measured(
            metric="checks", slice="all", who=who, prompt_id=f"p{i}", value=one,
            higher_is_better=True,
        )
        for i in range(40) for who, one in (("policy", value(i)), ("reference", 0.9), ("sft", 0.5))
    ]  # fmt: skip


def work_of(place, name, value):
    policy = checkpoint(name)
    row = EvalReport(
        checkpoint=name, metric="checks", slice="all", value=0.5, standard_error=None, n=40
    )
    tables = {"rows": (EvalReport, [row]), "values": (Measured, measured(value))}
    stage = open_stage(place, "test", settings=name, inputs={}, semantics=1)
    report = stage.commit(
        tables={key: (record, to_table(record, some)) for key, (record, some) in tables.items()}
    )
    nothing = report
    return RoundWork(
        prompts=Collected(train=nothing, evaluation=nothing),
        feedback=Feedback(responses=[], verdicts=[]),
        pairs=nothing,
        trained=Trained(artifact=nothing, policy=policy),
        report=Evaluated(artifact=report, answers=[]),
    )


def test_the_winner_is_told_by_the_values_of_both_policies_alone(tmp_path):
    place = small_place(root=f"file://{tmp_path}/store")
    config = small_config(challenger={"set": HINGE})
    low, high = work_of(place, "low", lambda i: 0.3), work_of(place, "high", lambda i: 0.6)
    won = winner([low, high], config, place)
    assert won.trained == high.trained and won.contest.winner == "challenger"
    assert won.contest.set == HINGE and won.contest.loser == "champion"
    assert won.contest.policies == {"champion": "low", "challenger": "high"}
    assert won.contest.slices["checks"].estimate == pytest.approx(0.3)
    assert winner([high, low], config, place).trained == high.trained


def test_stages_of_the_winner_have_their_names_whatever_the_round_did_before(tmp_path):
    """A round that was begun by one recipe goes on with two: what it had trained gives way."""
    place = small_place(root=f"file://{tmp_path}/store")
    config = small_config(challenger={"set": HINGE})
    low, high = work_of(place, "low", lambda i: 0.3), work_of(place, "high", lambda i: 0.6)
    won = winner([low, high], config, place)
    stages = {"train": low, "champion-train": low, "challenger-train": high}
    for role, work in stages.items():
        note(place, role, work.report.artifact)
    found = _artifacts(RunTree(store_of(place), place.run), won, place)
    assert found == {"train": high.report.artifact, "champion-train": low.report.artifact}
    alone = _artifacts(RunTree(store_of(place), place.run), low, place)
    assert alone == {role: work.report.artifact for role, work in stages.items()}


def test_what_a_round_did_under_settings_that_were_redone_is_no_part_of_it(tmp_path):
    """It was begun with a transform, and goes on without it: nothing notes that stage again."""
    before = small_place(root=f"file://{tmp_path}/store")
    place = replace(before, redo={"transform": 1})
    work = work_of(place, "one", lambda i: 0.3)
    made = work.report.artifact
    for role in ("pair", "transform-0-degrade"):
        note(before, role, made)
    note(place, "pair", made)
    tree = RunTree(store_of(place), place.run)
    assert _artifacts(tree, work, place) == {"pair": made}
    assert _artifacts(tree, work, before) == {"transform-0-degrade": made}
    assert tree.pointer(place.round_index, "pair") == tree.pointer(
        place.round_index, "pair", place.redo
    )


def test_the_settings_of_a_round_are_those_that_made_its_policy():
    config = small_config(challenger={"set": HINGE})
    won, lost = ({"contest": {"winner": name}} for name in ("challenger", "champion"))
    assert winning_config(config, won) == recipes_of(config)["challenger"]
    assert winning_config(config, lost) == winning_config(config, {}) == config
    plain = plain_config(config)
    assert winning(plain, won)["training"]["loss"] == {"kind": "dpo"}
    assert winning(plain, lost) == plain


def test_the_plan_tells_what_a_challenger_costs_besides():
    sizes = Sizes(
        prompts=8, evaluation_prompts=4, prompt_bytes=80, evaluation_bytes=40, weight_bytes=9
    )
    settings = {"set": {"training.epochs": 3}}
    plain = plan_round(small_config(), sizes)
    both = plan_round(small_config(challenger=settings), sizes)
    assert both[: len(plain)] == plain
    [trains, answers] = both[len(plain) :]
    steps = next(line.amount for line in plain if line.verb == "train")
    assert (trains.what, trains.amount) == ("steps of the challenger", 3 * steps)
    assert (answers.what, answers.amount) == ("challenger", 4)
