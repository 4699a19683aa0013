"""What the report says of judges, agreement, diversity and retired cells."""

import re
from dataclasses import replace

from example_round import example_round
from small_round import small_round

from tasks.agreement.drift import Drift
from tasks.agreement.figures import QualityFigure
from tasks.agreement.floors import Breach
from tasks.agreement.known import FeedbackQuality
from tasks.diversity.measure import DiversityFigure, PromptDiversity
from tasks.report import html, markdown
from tasks.report.cells import cell_rows
from tasks.report.diversity import diversity_table
from tasks.report.feedback import feedback_tables
from tasks.retiring import Retired


def figure(name, estimate, low=None, high=None, *, annotator="main", other="", reason=""):
    return QualityFigure(
        annotator=annotator,
        other=other,
        criterion="overall",
        figure=name,
        estimate=estimate,
        low=low,
        high=high,
        n=40,
        prompts=20,
        reason=reason,
        version="v",
    )


CONSISTENT = figure("order_consistency", 0.75, 0.6, 0.9)
BIAS = figure("position_bias", -0.125, -0.2, 0.05)
UNKNOWN = figure("self_preference", None, reason="the judge's model is no cell of the matrix")
KAPPA = figure("judge_human_kappa", 0.25, -0.1, 0.5, other="people")
RAW = figure("judge_human_agreement", 0.7, 0.6, 0.8, other="people")
FELL = Drift(
    annotator="main",
    other="",
    criterion="overall",
    figure="order_consistency",
    since=2,
    before=0.9,
    difference=-0.15,
    low=-0.25,
    high=-0.05,
    beyond_chance=True,
    same_judge=False,
)


def tables(*figures, drift=(), breaches=()):
    quality = FeedbackQuality(figures=[*figures], drift=[*drift], breaches=[*breaches])
    return feedback_tables(small_round(feedback=quality))


def plain(text):
    return text.replace("\N{NO-BREAK SPACE}", " ").replace("\N{MINUS SIGN}", "-")


def test_shares_stand_in_percent_and_biases_in_points():
    [judge] = tables(CONSISTENT, BIAS, UNKNOWN).judges
    consistent, bias, unknown = judge.measures
    assert (plain(consistent.value), plain(consistent.interval)) == ("75.0 %", "60.0 % to 90.0 %")
    assert (plain(bias.value), plain(bias.interval)) == ("-12.5 pts", "-20.0 pts to +5.0 pts")
    assert unknown.reason == UNKNOWN.reason and unknown.whisker is None


def test_an_interval_is_drawn_on_its_scale():
    [judge] = tables(BIAS).judges
    # from -50 to +50 points: -12.5 is at 37.5 % of the width, no bias in the middle
    assert judge.measures[0].whisker == (30.0, 37.5, 55.0, 50.0)


def test_agreement_has_a_row_for_each_two_annotators():
    [row] = tables(KAPPA, RAW).agreement
    assert (row.name, row.n) == ("main · people", 40)
    assert {name: plain(one.value) for name, one in row.measures.items()} == {
        "kappa": "0.250",
        "agreement": "70.0 %",
    }


def test_a_change_beyond_chance_is_said_with_its_round_and_whether_the_judge_is_the_same():
    found = tables(CONSISTENT, drift=[FELL])
    [sentence] = found.changes
    assert plain(sentence) == (
        "main: same in both orders -15.0 pts (-25.0 pts to -5.0 pts) since round 2, and it is not "
        "the same judge"
    )
    assert found.judges[0].measures[0].changed
    assert tables(CONSISTENT, drift=[replace(FELL, beyond_chance=False)]).changes == []


def test_floors_are_told_apart_by_whether_they_stop():
    found = tables(breaches=[Breach(stops=True, sentence="a"), Breach(stops=False, sentence="b")])
    assert (found.stopped, found.warned) == (["a"], ["b"])


def diversity(**changes):
    values = {
        "distinct_2": 0.5,
        "near_duplicates": 0.25,
        "embedding_spread": None,
    }
    figures = [
        DiversityFigure(
            cell=cell,
            figure=name,
            value=value,
            n=3,
            reason="" if value is not None else "no encoder",
        )
        for cell in ("", "policy")
        for name, value in values.items()
    ]
    prompts = [
        PromptDiversity(
            prompt_id=prompt_id, responses=3, different=different, distinct_2=0.5, self_bleu=None
        )
        for prompt_id, different in (("p", 1), ("q", 3), ("r", 2))
    ]
    data = small_round(diversity=figures, prompt_diversity=prompts, **changes)
    return data, diversity_table(data, cell_rows(data))


def test_a_cell_has_its_figures_beside_its_wins():
    _, table = diversity()
    assert table.headings == ["Distinct pairs", "Near-duplicates"]
    everyone, policy = table.rows
    assert [plain(value) for value in policy.values] == ["50.0 %", "25.0 %"]
    assert (everyone.name, everyone.won, policy.won) == ("", None, 0.5)
    assert table.notes == ["Embedding spread: not measured, no encoder"]


def test_prompts_are_counted_by_how_many_of_their_responses_differ():
    data, table = diversity()
    assert (table.prompts, table.one_answer, table.median_different) == (3, 1, 2 / 3)
    known = {prompt.prompt_id for prompt in data.ranges[0].prompts}
    assert [one.different for one in table.dull] == ([1] if "p" in known else [])


def test_page_and_markdown_say_which_cells_retired_and_why():
    gone = Retired(cell="tiny", settings="", after_round=4, rounds=[3, 4], shares=[0.01, 0.0])
    data, _ = diversity(retired=[gone])
    why = "needed on 1.0% in round 3, 0.0% in round 4 of the prompts it answered"
    assert why in html(data) and why in markdown(data)


def test_a_round_of_which_nothing_was_measured_says_so():
    page = html(small_round())
    assert "No judge and no person gave verdicts that were measured." in page
    assert "Diversity was not measured." in page


def test_the_page_shows_every_judge_and_figure_of_the_round():
    data = example_round(num_prompts=40)
    page = html(data)
    section = page[page.index('id="feedback"') : page.index('id="training"')]
    for label in ("same in both orders", "first shown wins", "length effect", "Kappa"):
        assert label in section
    assert len(re.findall("not measurable", section)) >= 1
