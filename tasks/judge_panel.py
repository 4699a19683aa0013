"""Part of the judge door: the stage of a panel, made of the stages of its members."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from infra.place import open_stage, side_of
from infra.stages import Stage
from infra.table_files import spooled
from tasks.judging import Asked
from tasks.opinions import Annotator
from tasks.panels import panel_verdicts
from tasks.records import Artifact, Place, Verdict
from tasks.tables import to_table
from tasks.usage import summed
from tasks.variants import settings_of

SEMANTICS = 1


def panel_stage(
    name: str, panel: Any, members: Mapping[str, Artifact], comparisons: Any, place: Place
) -> Stage:
    """Its key holds the panel's rule and what the members said, not how they are asked."""
    own = {key: value for key, value in settings_of(panel).items() if key != "members"}
    return open_stage(
        place,
        "judge",
        settings={"judge": own, "annotator": name, "comparisons": settings_of(comparisons)},
        inputs={f"member-{one}": artifact.content for one, artifact in members.items()},
        seeds={"seed": place.seed},
        semantics=SEMANTICS,
    )


Heard = tuple[list[Asked], dict[str, list[Verdict]]]
"""What was asked about some prompts, and what each member said of them."""


def commit_panel(
    stage: Stage,
    ranges: Iterable[Heard],
    members: Mapping[str, Artifact],
    panel: Any,
    annotator: Annotator,
    place: Place,
) -> Artifact:
    """The panel's verdicts; the table `members` has those of its members."""
    counts = Counter(verdicts=0)
    with spooled(Verdict) as rows, spooled(Verdict) as spoken:
        for asked, said in ranges:
            verdicts = panel_verdicts(asked, said, panel, annotator)
            rows.add(to_table(Verdict, verdicts))
            spoken.add(to_table(Verdict, [one for some in said.values() for one in some]))
            counts.update(one.outcome for one in verdicts)
        counts["verdicts"] = rows.rows
        return stage.commit(
            tables={"rows": rows, "members": spoken},
            counts=counts,
            volatile=summed([side_of(place, one) for one in members.values()]),
            deterministic=True,
        )
