"""Cards: a model hub can read them, and nothing in them is invented."""

import pytest
import yaml
from example_run import example_run
from huggingface_hub import DatasetCard, ModelCard
from markdown_it import MarkdownIt

from flows.cli.card import cards
from tasks.cards.facts import CardFacts, cell_rows, data_matter
from tasks.cards.settings import CardSettings

STATED = {
    "title": "Harbour",
    "data_licence": "cc-by-4.0",
    "model_licence": "apache-2.0",
    "languages": ["en"],
    "base_model": "org/sft",
    "sources": {"pool.jsonl": {"licence": "cc0-1.0", "url": "https://example.org/pool"}},
}


def facts(settings=None, **changes):
    fields = {
        "run": "harbour-2b",
        "rounds": example_run().rounds,
        "settings": CardSettings.model_validate(settings or {}),
        "sources": {"pool.jsonl": 4000, "other": 96},
        "people": 2,
        "people_verdicts": 310,
    }
    return CardFacts(**fields | changes)


@pytest.fixture(scope="module")
def stated():
    return cards(facts(STATED))


def test_a_hub_reads_the_front_matter_of_both(stated):
    data, model = DatasetCard(stated["dataset"]).data, ModelCard(stated["model"]).data
    assert (data.license, data.language, data.pretty_name) == (
        "cc-by-4.0", ["en"], "Harbour: preference pairs",
    )  # fmt: skip
    assert data.size_categories == ["10K<n<100K"]
    assert (model.license, model.base_model, model.library_name) == (
        "apache-2.0", "org/sft", "transformers",
    )  # fmt: skip
    figures = {one.metric_type: one.metric_value for one in model.eval_results}
    assert figures.keys() == {"win", "checks", "words"}
    assert figures["win"] == pytest.approx(example_run().rounds[-1].figure("win").value, abs=1e-6)


def test_what_nobody_stated_is_said_to_be_so_and_left_out_of_the_front_matter():
    bare = cards(facts())
    for text in bare.values():
        matter = yaml.safe_load(text.split("---\n")[1])
        assert not matter.keys() & {"license", "language", "base_model"}
        assert "- Licence: `not stated`" in text and "- Limits: `not stated`" in text
    assert "| `other` | 96 | `not stated` | `not stated` |" in bare["dataset"]


def test_licences_and_addresses_of_sources_are_those_of_the_settings(stated):
    row = "| `pool.jsonl` | 4,000 | `cc0-1.0` | `https://example.org/pool` |"
    assert row in stated["dataset"]
    assert "| `other` | 96 | `not stated` | `not stated` |" in stated["dataset"]


def test_people_are_counted_and_not_named(stated):
    assert "- People: 2, 310 verdicts; their names are not in this card" in stated["dataset"]


def test_every_round_is_counted_in_the_data_and_told_in_the_lineage(stated):
    assert data_matter(facts())["dataset_info"]["splits"][0]["num_examples"] == 13_606
    assert "| policy of round 1 |" in stated["model"] and "| refused |" in stated["model"]
    policy = next(row for row in cell_rows(facts()) if row.name == "policy")
    assert (policy.responses, policy.chosen, policy.rejected) == (16_384, 4000, 4800)


def test_hostile_names_make_no_link_or_html():
    hostile = "<script>x</script> | [a](https://evil.example) ``` {{ 1 }}"
    texts = cards(facts({"title": hostile, "use": hostile}, sources={hostile: 1}, run=hostile))
    for text in texts.values():
        _, matter, body = text.split("---\n", 2)
        assert hostile in str(yaml.safe_load(matter))
        tokens = MarkdownIt("commonmark", {"html": True}).enable("table").parse(body)
        kinds = {part.type for token in tokens for part in [token, *(token.children or [])]}
        assert not kinds & {"link_open", "html_inline", "html_block", "image"}
