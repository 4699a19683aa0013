"""What people and judges say of the items of one prompt, as calibration compares it."""

from collections.abc import Iterable, Sequence

from tasks.agreement.calibration import DECIDED, Checked
from tasks.annotation_items import Item
from tasks.candidates import Candidate
from tasks.correction import CorrectionSettings, correct, prior_verdicts
from tasks.queue.settings import RANDOM
from tasks.records import Verdict
from tasks.voices import P_B_WINS, judges_of, most_frequent, people_of, together_of


def checked_of(
    items: Iterable[Item],
    verdicts: Sequence[Verdict],
    candidates: Sequence[Candidate],
    settings: CorrectionSettings,
) -> list[Checked]:
    """One for each of `items`, all of ONE prompt; `verdicts` are all that there are on it."""
    listed = list(items)
    if not listed:
        return []
    judges = [one for one in verdicts if one.annotator_kind == "judge"]
    believed = {
        (one.a_id, one.b_id): one.outcome
        for one in correct([*judges, *prior_verdicts(candidates)], candidates, settings)
        if one.decided_by == "judge" and one.outcome in DECIDED
    }
    found = []
    for item in listed:
        ids = (item.a_id, item.b_id)
        rows = [one for one in verdicts if (one.a_id, one.b_id) == ids]
        found.append(
            Checked(
                prompt_id=item.prompt_id,
                random=item.reason == RANDOM,
                chance=item.chance,
                people=_of_people(rows),
                judges={
                    one.annotator: one.outcome for one in judges_of(rows, "full", "inconsistent")
                },
                together=believed.get(ids),
            )
        )
    return found


def _of_people(verdicts: Sequence[Verdict]) -> str | None:
    """What people say together, as correction hears them; None where they do not decide."""
    together = together_of(verdicts)
    if together is not None:
        return together.outcome if together.outcome in P_B_WINS else None
    said = [one.outcome for one in people_of(verdicts)]
    return most_frequent(said) if said else None
