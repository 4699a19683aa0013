"""Pairs that two rounds decided the other way round, with their texts, for `tso diff`."""

from collections.abc import Iterable, Iterator, Sequence

from flows.cli.pair_lookup import on, rows_where
from flows.cli.rows import conversation
from infra.artifacts import open_artifact
from infra.storage import Store
from tasks.ledger.rounds import RoundFacts
from tasks.records import Artifact, Preference, Prompt, Response
from tasks.report.formatting import shorten

TEXT = 200
"""Characters of a text that people are shown."""


def turned_lines(
    store: Store, rounds: Sequence[RoundFacts], turned: Iterable[tuple[str, str]]
) -> Iterator[str]:
    """Prompt, both responses, and who decided in each of two rounds.

    `turned` are the chosen and the rejected response of the first.
    """
    for chosen, rejected in turned:
        ids = (min(chosen, rejected), max(chosen, rejected))
        beliefs = [_belief(store, one, ids) for one in rounds]
        texts = _texts(store, rounds[0], {chosen, rejected})
        who = [f"{one.decided_by} ({one.reason})" for one in beliefs]
        yield f"turned: {shorten(_prompt(store, rounds[0], beliefs[0].prompt_id), TEXT)}"
        yield f"  first  chosen, by {who[0]}: {shorten(texts[chosen], TEXT)}"
        yield f"  second chosen, by {who[1]}: {shorten(texts[rejected], TEXT)}"


def _stage(facts: RoundFacts, role: str) -> Artifact:
    return Artifact(**facts.manifest["artifacts"][role])


def _belief(store: Store, facts: RoundFacts, ids: tuple[str, str]) -> Preference:
    places = [(_stage(facts, "pair"), "preferences")]
    found: Preference = next(rows_where(store, Preference, places, on(ids)))
    return found


def _prompt(store: Store, facts: RoundFacts, prompt_id: str) -> str:
    places = [(_stage(facts, "collect-train"), "rows")]
    prompt: Prompt = next(rows_where(store, Prompt, places, {"prompt_id": {prompt_id}}))
    return conversation(prompt.messages)


def _texts(store: Store, facts: RoundFacts, ids: set[str]) -> dict[str, str]:
    """Texts of responses, of cells or written by people."""
    places = []
    for role in facts.manifest["artifacts"]:
        table = "rows" if role.startswith("sample-train-") else "responses"
        if role == "annotate" or table == "rows":
            stage = _stage(facts, role)
            if table in open_artifact(store, stage).manifest["tables"]:
                places.append((stage, table))
    rows = rows_where(store, Response, places, {"response_id": ids})
    return {row.response_id: row.text for row in rows}
