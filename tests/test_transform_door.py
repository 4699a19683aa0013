"""The transform door: pairs and responses in, edited ones out; whatever was there stays."""

from dataclasses import replace

import pytest

from infra.place import counts_of, records_of, spent_by, store_of, table_of
from tasks.derivations import Derivation
from tasks.errors import BudgetError, DataError
from tasks.records import (
    Feedback,
    Preference,
    PreferencePair,
    Prompt,
    Response,
)
from tasks.spending import Budget, Terms
from tasks.transform import transform, transformed
from tasks.variants import kind_of, load_variant
from tests.infra.chat_server import running_server
from tests.infra.flaky_endpoint import choices
from tests.opinion_makers import pair, preference, prompt, response
from tests.small_config import small_place
from tests.tiny_models import tiny_model
from tests.transforms.transform_program import committed, pairs_of
from tests.whole_runs import items

pytestmark = pytest.mark.usefixtures("warm_children")
TEXTS = {"c1": "a ripe fig", "r1": "a old fig", "c2": "two plums", "r2": "plums", "h": "a nut"}
OWNER = {"c1": "p", "r1": "p", "c2": "q", "r2": "q", "h": "s"}


@pytest.fixture
def place(tmp_path):
    return small_place(root=f"file://{tmp_path}/store", round_index=0)


@pytest.fixture
def given(place):
    """Prompts, feedback and pairs of a round: two pairs to train on, one that is held out."""
    prompts = [prompt(prompt_id=one, text=f"Ask {one}.") for one in ("p", "q", "s")]
    answers = [response(name, text, prompt_id=OWNER[name]) for name, text in TEXTS.items()]
    held_out = [pair("h", "h2", prompt_id="s")]
    rows = [pair("c1", "r1"), pair("c2", "r2", prompt_id="q")]
    pairs = pairs_of(place, rows, held_out, preferences=(Preference, [preference("c1", "r1")]))
    feedback = Feedback(responses=[committed(place, "answers", Response, answers)], verdicts=[])
    return committed(place, "prompts", Prompt, prompts), feedback, pairs


def applied(prompts, feedback, pairs, transforms, place):
    """What `transform` comes to, without the tasks of a flow."""
    for number, one in enumerate(transforms):
        name = f"{number}-{kind_of(one)}"
        feedback, pairs = transformed.fn(name, prompts, feedback, pairs, one, place)
    return feedback, pairs


def editor(**settings):
    writer = {"engine": "scripted", "default": "a young fig"}
    return load_variant("tasks.transforms", "edit_rejected", **{"writer": writer} | settings)


def test_without_transforms_the_round_goes_on_with_what_it_had(given, place):
    prompts, feedback, pairs = given
    assert transform(prompts, feedback, pairs, [], place) == (feedback, pairs)


def test_edited_pairs_take_the_place_of_the_others_and_held_out_ones_stay(given, place):
    prompts, feedback, pairs = given
    after, made = applied(prompts, feedback, pairs, [editor()], place)
    rows = records_of(place, PreferencePair, made)
    texts = {one.response_id: one for one in records_of(place, Response, after.responses)}
    assert [(texts[one.chosen_id].text, texts[one.rejected_id].text) for one in rows] == [
        ("a young fig", "a old fig"), ("a young fig", "plums"),
    ]  # fmt: skip
    assert {texts[one.chosen_id].origin for one in rows} == {"model"}
    for name in ("held_out", "preferences", "prior"):
        assert table_of(place, made, name).equals(table_of(place, pairs, name))
    origins = records_of(place, Derivation, made, "origins")
    assert [(one.made_from, one.pair_id, one.transform) for one in origins] == [
        ("r1", "p-c1-r1", "edit_rejected"), ("r2", "q-c2-r2", "edit_rejected"),
    ]  # fmt: skip


def test_the_same_again_asks_nobody(given, place):
    first = applied(*given, [editor()], place)
    asked = items()
    assert len(asked) == 2
    assert applied(*given, [editor()], replace(place, run="other")) == first
    assert items() == asked


def test_a_second_transform_works_on_what_the_first_left_and_keeps_its_origins(given, place):
    again = editor(writer={"engine": "scripted", "default": "an old fig"}, unedited="keep")
    after, made = applied(*given, [editor(), again], place)
    assert len(after.responses) == 3
    origins = records_of(place, Derivation, made, "origins")
    assert len(origins) == 4
    before = {one.pair_id for one in origins}
    assert {"p-c1-r1", "q-c2-r2"} < before and len(before) == 4


def test_a_round_that_is_left_without_pairs_ends_with_the_reasons(given, place):
    nothing = editor(writer={"engine": "scripted", "default": "NO EDIT"})
    with pytest.raises(DataError, match=r"left no preference pair .*'dropped_declined': 2"):
        applied(*given, [nothing], place)


def test_a_transform_that_finds_nothing_to_degrade_ends_the_round_with_the_reasons(given, place):
    """Else the loss that reads variants would be the base loss, and nobody would know."""
    nothing = load_variant(
        "tasks.transforms", "degrade", extractor={"kind": "pattern", "pattern": "quince"}
    )
    with pytest.raises(DataError, match=r"left no response .*'dropped_equal_or_empty': 8"):
        applied(*given, [nothing], place)


LOCAL = {"engine": "transformers", "threads": 1, "device": "cpu", "max_tokens": 4}


def test_an_editor_with_weights_is_asked_in_its_own_tokens(given, place):
    """The small model knows no words and no end, so its four tokens are no edit."""
    writer = LOCAL | {"model": str(tiny_model(seed=1))}
    _, made = applied(*given, [editor(writer=writer, unedited="keep")], place)
    counts = counts_of(place, made)
    assert len(items()) == counts["pairs"] == 2
    assert counts.get("kept_cut", 0) + counts.get("kept_empty", 0) == 2


def test_a_question_that_finds_no_room_in_the_editor_is_counted(given, place):
    writer = LOCAL | {"model": str(tiny_model(seed=1)), "max_tokens": 10**6}
    with pytest.raises(DataError, match="'dropped_no_room': 2"):
        applied(*given, [editor(writer=writer)], place)
    assert items() == []


def test_the_budget_holds_for_an_editor_and_what_it_paid_for_is_not_asked_again(given, place):
    terms = Terms(budget=Budget(calls_per_run=1))
    with running_server() as server:
        server.play = lambda handler, number, text: choices(handler, ["a young fig"])
        writer = {"engine": "openai", "model": "m", "base_url": server.url, "concurrency": 1}
        with pytest.raises(BudgetError, match="1 of 2 calls were not made"):
            applied(*given, [editor(writer=writer)], replace(place, terms=terms))
        assert len(server.bodies) == 1
        _, made = applied(*given, [editor(writer=writer)], place)
        assert (made.rows, len(server.bodies)) == (2, 2)
    spent = spent_by(store_of(place), place.run).parts()
    assert spent["transform", "edit_rejected"].calls == 2
