import math

import pytest

from tasks.likelihoods import chosen_logp, divergences, label_accuracy, reward_accuracy
from tasks.measuring import reports
from tasks.records import Label, ReferenceScore
from tests.opinion_makers import pair, response


def scores(tokens=1, **logps):
    return {
        name: ReferenceScore(
            response_id=name, reference="m", logp=logp, num_tokens=tokens, token_logps=None
        )
        for name, logp in logps.items()
    }


def by_prompt(rows, metric, part="all", who="policy"):
    wanted = (metric, part, who)
    return {row.prompt_id: row.value for row in rows if (row.metric, row.slice, row.who) == wanted}


BEFORE = scores(a=-5, b=-5, c=-5, d=-5, e=-5, f=-5, g=-5)


def test_reward_accuracy_is_the_share_of_pairs_whose_chosen_side_gained_more():
    pairs = [pair("a", "b"), pair("c", "d"), pair("e", "f"), pair("g", "h")]
    after = scores(a=-3, b=-6, c=-7, d=-6, e=-4, f=-4, g=-1)
    # a gained 2 and b lost 1: right; c lost more than d: wrong; e and f alike: half; h unscored.
    assert by_prompt(reward_accuracy(pairs, BEFORE, after), "reward_accuracy") == {"p": 0.5}


def test_a_prompt_counts_once_in_reward_accuracy_however_many_pairs_it_has():
    pairs = [pair("a", "b"), pair("c", "d"), pair("e", "f", prompt_id="q")]
    after = scores(a=-1, b=-5, c=-1, d=-5, e=-6, f=-5)
    rows = reward_accuracy(pairs, BEFORE, after)
    assert by_prompt(rows, "reward_accuracy") == {"p": 1.0, "q": 0.0}
    [report] = reports(rows, {"policy": "new", "reference": "old", "sft": "old"})
    assert (report.checkpoint, report.value, report.n) == ("new", 0.5, 2)
    assert report.standard_error == pytest.approx(0.5)  # sd of (1, 0) is 0.707, over sqrt 2


def test_without_scored_pairs_there_is_no_reward_accuracy():
    assert reward_accuracy([pair("a", "b")], {}, {}) == []


def label(response_id, desirable, prompt_id="p"):
    return Label(
        response_id=response_id, prompt_id=prompt_id, desirable=desirable, weight=1.0, rule="r"
    )


def test_label_accuracy_compares_wanted_and_other_responses_of_all_prompts():
    given = [label("a", 1.0), label("b", 0.0), label("c", 0.6, "q"), label("d", 0.5, "q")]
    given += [label("e", 0.2, "s"), label("h", 1.0, "s")]
    after = scores(a=-3, b=-4, c=-5, d=-1, e=-5, h=-1)
    # Gains: wanted a 2, c 0; others b 1, e 0; d says nothing, the reference has not scored h.
    rows = label_accuracy(given, BEFORE, after)
    assert by_prompt(rows, "label_accuracy") == {
        "p": (1 + 0.5) / 2,  # a above b and e; b below a alone
        "q": 0.25,  # c level with e, below b
        "s": 0.75,  # e below a, level with c
    }


def test_labels_of_one_kind_have_no_accuracy():
    assert label_accuracy([label("a", 1.0), label("b", 0.9)], BEFORE, BEFORE) == []


def test_the_likelihood_of_chosen_responses_is_per_token_for_policy_and_reference():
    before, after = scores(tokens=4, a=-8, c=-4), scores(tokens=4, a=-6, c=-2)
    rows = chosen_logp([pair("a", "b"), pair("c", "d")], before, after)
    assert by_prompt(rows, "chosen_logp") == {"p": -1.0}  # (-6/4 - 2/4) / 2
    assert by_prompt(rows, "chosen_logp", who="reference") == {"p": -1.5}


def drawn(*names):
    return [response(name, name, prompt_id=prompt_id) for name, prompt_id in names]


def test_divergence_is_the_mean_gap_of_log_probabilities_on_the_policys_samples():
    rows = divergences(
        drawn(("a", "p"), ("b", "p"), ("c", "q")),
        {
            "policy": scores(tokens=2, a=-1, b=-2, c=-3),
            "sft": scores(tokens=2, a=-3, b=-3, c=-2),
            "reference": scores(tokens=2, a=-1, b=-2),
        },
    )
    assert by_prompt(rows, "kl_to_sft") == {"p": 1.5, "q": -1.0}  # ((3 - 1) + (3 - 2)) / 2
    assert by_prompt(rows, "kl_to_sft", "per_token") == {"p": 0.75, "q": -0.5}
    assert by_prompt(rows, "kl_to_reference") == {"p": 0.0}  # c is not scored by the reference


def test_the_estimate_of_the_divergence_of_a_coin_is_right_on_average():
    # A policy that says heads with 0.75, another with 0.5: KL = 0.75 ln 1.5 + 0.25 ln 0.5.
    heads, tails = [f"h{i}" for i in range(3)], ["t0"]
    logps = {"policy": (0.75, 0.25), "sft": (0.5, 0.5)}
    scored = {
        role: scores(**dict.fromkeys(heads, math.log(up)), **dict.fromkeys(tails, math.log(down)))
        for role, (up, down) in logps.items()
    }
    rows = divergences(drawn(*((name, "p") for name in (*heads, *tails))), scored)
    exact = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)
    assert by_prompt(rows, "kl_to_sft")["p"] == pytest.approx(exact)


def test_no_gate_looks_at_log_probabilities():
    rows = reward_accuracy([pair("a", "b")], BEFORE, BEFORE)
    assert {row.higher_is_better for row in rows} == {None}
