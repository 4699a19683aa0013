"""The collect door: what repeats an evaluation set is neither drawn nor judged nor trained on."""

import json

import pyarrow as pa
import pytest

from infra.artifacts import open_artifact
from infra.place import counts_of, note, open_stage, records_of
from infra.run_tree import RunTree
from infra.storage import open_store
from tasks.collect import collect, decontaminated, decontaminated_feedback
from tasks.decontamination.texts import Contaminated
from tasks.errors import ConfigError
from tasks.records import Artifact, Feedback, Prompt, Response, Verdict
from tasks.tables import to_table
from tasks.token_logps import SCHEMA, TABLE
from tests.opinion_makers import response, verdict
from tests.small_config import small_config, small_place

MEASURED = "Which three rivers meet below the old mill of Tarnow, and who owned it first?"
ANSWER = "The Aber, the Little Aber and the Wend meet there; its first owner was Jan Holt."
TRAINED = ["Name a fruit that is red.", "Explain why iron rusts faster near the sea."]
LEAKED = f"I was once asked: {MEASURED.upper()} I had no idea. Tell me about mills instead."


@pytest.fixture
def world(tmp_path):
    """The place of a round, and the settings of its prompts."""
    rows = [
        {
            "prompt": MEASURED,
            "split": "held_out",
            "checks": [{"kind": "reference", "answer": ANSWER}],
        },
        *({"prompt": text} for text in [*TRAINED, LEAKED]),
    ]
    (tmp_path / "prompts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    place = small_place(root=f"file://{tmp_path}/store", round_index=0, run="one")

    def settings(**changes):
        files = [str(tmp_path / "prompts.jsonl")]
        return small_config(prompts={"files": files, "per_round": 8, "held_out": 4} | changes)

    return place, settings


def test_a_train_prompt_that_quotes_a_measured_one_is_not_drawn_and_is_counted(world):
    place, settings = world
    prompts = collect.fn(settings().prompts, place)
    asked = records_of(place, Prompt, prompts.train)
    assert sorted(one.messages[0]["content"] for one in asked) == sorted(TRAINED)
    assert counts_of(place, prompts.train)["contaminated_quoted"] == 1
    pool = note_of(place, "collect-pool")
    [found] = records_of(place, Contaminated, pool, "contaminated")
    [measured] = records_of(place, Prompt, prompts.evaluation)
    assert (found.text, found.of, found.kind) == (LEAKED, measured.prompt_id, "quoted")


def note_of(place, role):
    tree = RunTree(open_store(place.storage), place.run)
    return Artifact(**tree.read_round(0, f"stages/{role}.json"))


def test_without_the_setting_everything_is_drawn(world):
    place, settings = world
    drawn = collect.fn(settings(decontamination=None).prompts, place).train
    assert drawn.rows == 3 and "contaminated_quoted" not in counts_of(place, drawn)


def test_sets_that_are_measured_elsewhere_count_as_well(world, tmp_path):
    place, settings = world
    (tmp_path / "bench.csv").write_text(f'question\n"{TRAINED[1]}"\n')
    source = {"file": str(tmp_path / "bench.csv"), "columns": {"prompt": "question"}}
    drawn = collect.fn(settings(decontamination={"against": [source]}).prompts, place).train
    assert drawn.rows == 1 and counts_of(place, drawn)["contaminated_exact"] == 1


def answers(place, cell, *texts, facts=None):
    """What one cell wrote, as the sample door leaves it, with log-probabilities."""
    rows = [response(f"{cell}{n}", text, cell=cell) for n, text in enumerate(texts)]
    logps = [{"response_id": one.response_id, "token_logps": [-0.5]} for one in rows]
    stage = open_stage(place, "sample", settings=cell, inputs={}, semantics=1)
    artifact = stage.commit(
        tables={
            "rows": (Response, to_table(Response, rows)),
            TABLE: (None, pa.Table.from_pylist(logps, SCHEMA)),
        },
        counts={"responses": len(rows)},
        facts={"cell": cell} if facts is None else facts,
    )
    return note(place, f"sample-train-{cell}", artifact)


def test_responses_that_repeat_a_measured_prompt_or_its_answer_go_before_they_are_judged(world):
    place, settings = world
    collect.fn(settings().prompts, place)
    good = answers(place, "good", "An apple.", "Salt helps the current along.")
    bad = answers(place, "bad", f"Well: {ANSWER}", "A cherry.", f"You mean {MEASURED}")
    clean = decontaminated.fn([good, bad], settings().prompts, place)
    assert clean[0] == good
    assert [one.text for one in records_of(place, Response, clean[1])] == ["A cherry."]
    assert note_of(place, "sample-train-bad") == clean[1]
    done = open_artifact(open_store(place.storage), clean[1])
    assert done.facts == {"cell": "bad"} and done.counts == {"responses": 3, "contaminated": 2}
    assert done.table(TABLE).column("response_id").to_pylist() == ["bad1"]
    assert decontaminated.fn([good, bad], settings().prompts, place) == clean


def test_responses_may_be_left_alone(world):
    place, settings = world
    prompts = settings(decontamination={"responses": False}).prompts
    collect.fn(prompts, place)
    bad = answers(place, "bad", ANSWER)
    assert decontaminated.fn([bad], prompts, place) == [bad]


def test_what_people_wrote_goes_with_what_was_said_about_it(world):
    place, settings = world
    collect.fn(settings().prompts, place)
    sampled = answers(place, "good", "An apple.", "A pear.")
    written = answers(place, "human", ANSWER, "A red apple.", facts={})
    said = [verdict("good0", one, "a") for one in ("human0", "human1", "good1")]
    stage = open_stage(place, "annotate", settings="said", inputs={}, semantics=1)
    verdicts = stage.commit(tables={"rows": (Verdict, to_table(Verdict, said))})
    feedback = Feedback(responses=[sampled, written], verdicts=[verdicts])
    clean = decontaminated_feedback.fn(feedback, settings().prompts, place)
    assert clean.responses[0] == sampled
    assert [one.text for one in records_of(place, Response, clean.responses[1])] == ["A red apple."]
    assert [one.b_id for one in records_of(place, Verdict, clean.verdicts)] == ["human1", "good1"]


def test_a_share_outside_of_0_and_1_is_refused():
    with pytest.raises(ConfigError, match=r"prompts\.decontamination\.share"):
        small_config(prompts__decontamination={"share": 1.5})
