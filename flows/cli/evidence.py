"""Reads in a run's stages everything that led to one pair, for `tso why`."""

from collections.abc import Mapping
from typing import Any

from flows.cli.pair_lookup import Found, Transformed, find_pair, on, rows_where
from infra.artifacts import open_artifact
from infra.run_tree import RunTree
from tasks.annotation_items import Answer, Item
from tasks.derivations import MADE_RESPONSES, in_words
from tasks.errors import ConfigError
from tasks.estimates import ESTIMATOR
from tasks.ledger.provenance import (
    SHORT,
    Author,
    Provenance,
    Score,
    cell_model,
    cell_settings,
    judge_named,
)
from tasks.people.trail import Decision, decision
from tasks.records import (
    Artifact,
    Preference,
    PreferencePair,
    Prompt,
    ReferenceScore,
    Response,
    Verdict,
)

PEOPLE = "annotate"
"""The stage with what people said and wrote."""
ESTIMATE = "estimate"
"""The stage with what the estimator says."""


def why(tree: RunTree, asked: str, round_index: int | None = None) -> Provenance:
    """All that led to a pair, in the newest round that knows it (`find_pair`)."""
    known = find_pair(tree, asked, round_index)
    return RoundEvidence(tree, known[0]).told([one.round_index for one in known[1:]])


class RoundEvidence:
    """What the stages of one round hold about one comparison."""

    def __init__(self, tree: RunTree, found: Found) -> None:
        self._tree = tree
        self._store = tree.store
        self._found = found
        self._stages = found.stages
        self._config = _section(tree.read_round(found.round_index, "config.json"), "config")
        self._manifest = tree.read_round(found.round_index, "manifest.json") or {}

    def told(self, elsewhere: list[int]) -> Provenance:
        """Everything put together."""
        found, made = self._found, self._decision()
        prompt = self.prompt(made.preference.prompt_id)
        authors = self._authors()
        judges = {**_section(self._config, "judges")}
        if estimator := _section(self._config, "estimator"):
            judges[ESTIMATOR] = estimator
        spoke = {one.annotator for one in made.said if one.kind == "judge"}
        return Provenance(
            run=self._tree.folder.rpartition("/")[2],
            round_index=found.round_index,
            pair_id=found.pair.pair_id if found.pair else "",
            became=self._became(),
            prompt=prompt,
            authors=authors,
            decision=made,
            judges={name: judge_named(_section(judges, name)) for name in sorted(spoke)},
            scores=self.scores(authors),
            training=self.training(),
            stages=self.concerned(authors, spoke),
            elsewhere=elsewhere,
            made=[in_words(one) for one in found.origins],
        )

    def prompt(self, prompt_id: str) -> Prompt:
        """One of the prompts that the round trains on."""
        wanted = {"prompt_id": {prompt_id}}
        prompt: Prompt
        [prompt] = rows_where(
            self._store, Prompt, [(self._stages["collect-train"], "rows")], wanted
        )
        return prompt

    def _decision(self) -> Decision:
        stages, store, ids = self._stages, self._store, self._found.ids
        judged = [
            (one, "rows")
            for role, one in stages.items()
            if role in (PEOPLE, ESTIMATE) or (role.startswith("judge-") and role.endswith("-train"))
        ]
        [preference] = rows_where(store, Preference, [(stages["pair"], "preferences")], on(ids))
        verdicts = list(rows_where(store, Verdict, [*judged, (stages["pair"], "prior")], on(ids)))
        if "annotate-queue" not in stages:
            return decision(preference, verdicts)
        items = list(rows_where(store, Item, [(stages["annotate-queue"], "rows")], on(ids)))
        wanted = {"item_id": {one.item_id for one in items}}
        answers = rows_where(store, Answer, [(stages["annotate"], "answers")], wanted)
        return decision(preference, verdicts, items, answers)

    def _authors(self) -> list[Author]:
        pair, ids = self._found.pair, self._found.ids
        sides = {"chosen": pair.chosen_id, "rejected": pair.rejected_id} if pair else {}
        sides = sides or {"a": ids[0], "b": ids[1]}
        return [self.author(side, response_id) for side, response_id in sides.items()]

    def author(self, side: str, response_id: str) -> Author:
        """Who wrote a response; ConfigError if no stage of the round has it."""
        wanted = {"response_id": {response_id}}
        for role, stage in self._stages.items():
            if (
                not role.startswith("sample-train-")
                and role != PEOPLE
                and not MADE_RESPONSES.fullmatch(role)
            ):
                continue
            place = (stage, "responses" if role == PEOPLE else "rows")
            for response in rows_where(self._store, Response, [place], wanted):
                return self._written(side, response, role, stage)
        raise ConfigError(
            f"response {response_id} lies in no stage of round {self._found.round_index}; "
            "`tso fsck` says whether one is missing"
        )

    def _written(self, side: str, response: Response, role: str, stage: Artifact) -> Author:
        made = MADE_RESPONSES.fullmatch(role)
        cell = self._writer(int(made[1])) if made else self._cell(response.cell)
        sampled = str(open_artifact(self._store, stage).facts.get("sampled", ""))
        verb = "transform" if made else "sample"
        spent = _section(self._manifest, "spent_usd").get(f"{verb} {response.cell}")
        by_people = role == PEOPLE
        policies = {one["round_index"]: one["policy"]["sha256"] for one in self._tree.manifests()}
        sft = str(_section(self._tree.read("frozen.json"), "").get("base model", ""))
        return Author(
            side=side,
            response=response,
            model="a person, for this round"
            if by_people
            else cell_model(cell, sampled, sft, policies),
            settings="" if by_people else cell_settings(cell),
            stage=stage.uri,
            cost_usd=spent / stage.rows if spent and stage.rows else None,
        )

    def _cell(self, name: str) -> Mapping[str, Any]:
        return _section(_section(self._config, "matrix"), name)

    def _writer(self, number: int) -> Mapping[str, Any]:
        """The writer of a transform; empty where it has none."""
        transforms: Any = self._config.get("transforms", [])
        return _section(transforms[number], "writer") if number < len(transforms) else {}

    def _became(self) -> str:
        pair = self._found.pair
        if pair is None:
            left_out = "no pair: the correction or the rule left it out, or a filter did"
            return left_out + self._filtered()
        kept = "held out to measure the policy" if self._found.held_out else self._given(pair)
        return (
            f"pair {pair.pair_id} by rule {pair.rule}: p(chosen) {pair.p_chosen:.2f}, margin "
            f"{pair.margin:.2f}, weight {pair.weight:.2f} of its prompt; {kept}"
        )

    def _given(self, pair: PreferencePair) -> str:
        """What training was given of it."""
        now = Transformed(self._store, self._stages).becomes(pair)
        if now is None:
            return "a transform dropped it"
        same = now.pair_id == pair.pair_id
        return "given to training" if same else f"a transform made the pair {now.pair_id} of it"

    def _filtered(self) -> str:
        """What filters dropped in the whole round: which pair they dropped is not kept."""
        counts = _section(_section(self._manifest, "counts"), "pair")
        listed = ", ".join(
            f"{name.removeprefix('dropped_')} {number:,}"
            for name, number in counts.items()
            if name.startswith("dropped_") and number
        )
        return f" (in the whole round: {listed})" if listed else ""

    def scores(self, authors: list[Author]) -> list[Score]:
        """What models think of the responses."""
        ids = {one.response.response_id: one.side for one in authors}
        found = []
        for role, stage in self._stages.items():
            if not role.startswith("score-"):
                continue
            wanted = {"response_id": set(ids)}
            rows = rows_where(self._store, ReferenceScore, [(stage, "rows")], wanted)
            known = {ids[row.response_id]: row for row in rows}
            by_side = {side: known[side] for side in ids.values() if side in known}
            if by_side:
                logps = {side: row.logp for side, row in by_side.items()}
                tokens = {side: row.num_tokens for side, row in by_side.items()}
                found.append(Score(by=role.removeprefix("score-"), logps=logps, tokens=tokens))
        return found

    def training(self) -> str:
        """What became of the round, in words."""
        if "train" not in self._stages:
            return "the round has not trained yet"
        facts = open_artifact(self._store, self._stages["train"]).facts
        policy = str(facts.get("sha256", ""))[:SHORT]
        said = f"{facts.get('steps')} steps of {facts.get('loss')} made policy {policy}"
        gate = _section(self._manifest, "gate").get("outcome")
        return f"{said}; the gate said {gate}" if gate else said

    def concerned(self, authors: list[Author], judges: set[str]) -> dict[str, str]:
        """The stages that had a part in it."""
        named = {"collect-train", "annotate-queue", "annotate", "pair", "score-reference", "train"}
        named |= {ESTIMATE}
        named |= {f"judge-{name}-train" for name in judges}
        named |= {role for role in self._stages if role.startswith("transform-")}
        uris = {one.stage for one in authors}
        return {
            role: one.uri for role, one in self._stages.items() if role in named or one.uri in uris
        }


def _section(given: Mapping[str, Any] | None, name: str) -> Mapping[str, Any]:
    """A section of what was recorded, empty where there is none; all of it without a name."""
    found: Any = (given or {}) if not name else (given or {}).get(name)
    return found if isinstance(found, Mapping) else {}
