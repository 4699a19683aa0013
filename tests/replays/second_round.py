"""The second round of a run whose first one is made by hand, for the replay door."""

from dataclasses import asdict, replace

from infra.place import note, open_stage, store_of
from infra.run_tree import RunTree
from tasks.decontamination.settings import DecontaminationSettings
from tasks.decontamination.texts import EvaluationText
from tasks.derivations import Derivation
from tasks.records import Feedback, PreferencePair, Prompt, Response, Verdict
from tasks.replay import join_earlier
from tasks.tables import to_table
from tasks.variants import load_variant, settings_of
from tests.opinion_makers import pair, prompt, response, verdict

ALL = load_variant("tasks.replays", "fifo_buffer", number=9, decay=0.5)
OLD = ("p0", "p1", "p2")
MARKED = "The quick brown fox jumps over the lazy dog beside seventeen purple rivers of Bohemia."
TEXTS = {"b-p1": MARKED}
"""What a response says, where it is no short answer of its own."""


def left(place, role, record, rows, settings=None, **tables):
    """A finished stage of the round, noted under its role."""
    named = {"rows": (record, to_table(record, rows))}
    named |= {name: (kind, to_table(kind, some)) for name, (kind, some) in tables.items()}
    content = {"rows": str([asdict(one) for one in rows]), "tables": str(sorted(tables))}
    stage = open_stage(place, "test", settings=settings or role, inputs=content, semantics=1)
    done = stage.finished()
    return note(place, role, done.artifact if done else stage.commit(tables=named))


def pool(place, prompt_ids, texts=()):
    """The pool of a round: its train prompts and the texts that are measured."""
    measured = [EvaluationText(name=f"e{i}", text=text) for i, text in enumerate(texts)]
    settings = {"decontamination": settings_of(DecontaminationSettings()), "texts": list(texts)}
    rows = [prompt(prompt_id=one) for one in prompt_ids]
    return left(place, "collect-pool", Prompt, rows, settings, texts=(EvaluationText, measured))


def made_round(place, prompt_ids):
    """Two responses, a verdict and a pair for each prompt; its artifacts by role."""
    sides = [(f"a-{one}", f"b-{one}", one) for one in prompt_ids]
    answers = [
        response(name, TEXTS.get(name, f"answer {name}"), prompt_id=one)
        for a, b, one in sides
        for name in (a, b)
    ]
    said = [replace(verdict(a, b, "a"), prompt_id=one) for a, b, one in sides]
    pairs = [pair(a, b, prompt_id=one) for a, b, one in sides]
    origins = [
        Derivation(
            response_id=b, made_from=a, prompt_id=one, transform="t", pair_id="",
            degree=None, start=0, replaced=1, written=1,
        )
        for a, b, one in sides
    ]  # fmt: skip
    return {
        "collect-train": left(
            place, "collect-train", Prompt, [prompt(prompt_id=one) for one in prompt_ids]
        ),
        "sample-train-policy": left(place, "sample-train-policy", Response, answers),
        "judge-main-train": left(place, "judge-main-train", Verdict, said),
        "pair": left(
            place, "pair", PreferencePair, pairs,
            held_out=(PreferencePair, []), origins=(Derivation, origins),
        ),
    }  # fmt: skip


def second_round(place):
    """The place of round 1, after a committed round on three prompts, which a challenger lost."""
    found = made_round(place, OLD) | {"collect-pool": pool(place, [*OLD, "new"])}
    lost = [pair("x", "y", prompt_id="p0")]
    found["challenger-pair"] = left(place, "challenger-pair", PreferencePair, lost)
    manifest = {"round_index": 0, "artifacts": {name: asdict(one) for name, one in found.items()}}
    RunTree(store_of(place), place.run).write_round(0, "manifest.json", manifest)
    return replace(place, round_index=1)


def learned(place, replay=ALL):
    """What round 1 trains on, whose own pair is about the prompt `new`."""
    own = made_round(place, ["new"])
    feedback = Feedback(responses=[own["sample-train-policy"]], verdicts=[own["judge-main-train"]])
    return join_earlier.fn(own["collect-train"], feedback, own["pair"], replay, place)
