"""`tso card`: cards of a run's data and of its model, written from the store alone."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import yaml

from flows.cli.terminal import console
from infra.artifacts import open_artifact
from infra.forks import origin_of
from infra.run_tree import RunTree
from infra.storage import Store, open_store
from infra.work import work_root
from tasks.cards.facts import CardFacts, data_matter, model_matter
from tasks.cards.render import data_card, model_card
from tasks.cards.settings import CardSettings
from tasks.errors import ConfigError, StorageError
from tasks.ledger.rounds import RoundFacts
from tasks.records import Artifact
from tasks.refresh import rounds_of
from tasks.rounds import resolve

FILE = "README.md"
"""What model hubs read a card from."""


def write_cards(
    name: str,
    round_index: int | None,
    preset: str,
    overrides: Mapping[str, Any],
    out: Path | None,
) -> None:
    """Write dataset/README.md and model/README.md for a run as it is after a round."""
    config, _ = resolve(preset, overrides)
    tree = RunTree(open_store(config.storage), name)
    facts = card_facts(tree, config.card, round_index)
    folder = (out or work_root() / "cards" / name).absolute()
    for what, text in cards(facts).items():
        path = folder / what / FILE
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise StorageError(
                f"{path} cannot be written ({error}); give another folder with --out"
            ) from error
        console().print(str(path), soft_wrap=True)


def cards(facts: CardFacts) -> dict[str, str]:
    """Both cards, each with its front matter: dataset and model."""
    return {
        "dataset": _with_matter(data_matter(facts), data_card(facts)),
        "model": _with_matter(model_matter(facts), model_card(facts)),
    }


def _with_matter(matter: Mapping[str, Any], text: str) -> str:
    written = yaml.safe_dump(dict(matter), sort_keys=False, allow_unicode=True, width=100)
    return f"---\n{written}---\n\n{text}"


def card_facts(tree: RunTree, settings: CardSettings, round_index: int | None) -> CardFacts:
    """What the cards say of the rounds up to `round_index`, or of all committed ones."""
    rounds = rounds_of(tree)
    if round_index is not None and round_index not in range(len(rounds)):
        raise ConfigError(
            f"round {round_index} of {tree.folder} is not committed; {len(rounds)} rounds are"
        )
    some = rounds if round_index is None else rounds[: round_index + 1]
    people, simulated = Counter[str](), 0
    sources = Counter[str]()
    for one in some:
        sources.update(_counted(tree.store, one, "collect-train", "source"))
        made_up = one.config.get("annotate", {}).get("people", {})
        for who, number in _people(tree.store, one).items():
            simulated += number if who in made_up else 0
            people[who] += 0 if who in made_up else number
    people = +people
    return CardFacts(
        run=tree.folder.rpartition("/")[2],
        rounds=some,
        settings=settings,
        sources=dict(sources),
        people=len(people),
        people_verdicts=people.total(),
        simulated=simulated,
        origin=origin_of(tree),
    )


def _counted(store: Store, one: RoundFacts, role: str, column: str) -> dict[str, int]:
    """How often each value stands in a column of a stage's main table."""
    if role not in one.manifest["artifacts"]:
        return {}
    with open_artifact(store, Artifact(**one.manifest["artifacts"][role])).opened() as table:
        found = Counter[str]()
        for rows in table.groups():
            found.update(rows.column(column).to_pylist())
        return dict(found)


def _people(store: Store, one: RoundFacts) -> dict[str, int]:
    """Verdicts by the person who gave them, all people together left out."""
    if "annotate" not in one.manifest["artifacts"]:
        return {}
    stage = open_artifact(store, Artifact(**one.manifest["artifacts"]["annotate"]))
    with stage.opened() as table:
        found = Counter[str]()
        for rows in table.groups():
            human = rows.filter(pc.equal(rows.column("annotator_kind"), "human"))
            found.update(human.column("annotator").to_pylist())
        return dict(found)
