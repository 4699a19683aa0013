"""Part of the judge door: the stage of a panel, made of the stages of its members."""

from collections.abc import Mapping, Sequence
from typing import Any

from infra.place import open_stage, records_of, side_of
from infra.stages import Stage
from tasks.judging import Asked
from tasks.opinions import Annotator
from tasks.panels import panel_verdicts
from tasks.records import Artifact, Place, Verdict
from tasks.tables import counted, to_table
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


def commit_panel(
    stage: Stage,
    asked: Sequence[Asked],
    members: Mapping[str, Artifact],
    panel: Any,
    annotator: Annotator,
    place: Place,
) -> Artifact:
    """The panel's verdicts; the table `members` has those of its members."""
    said = {one: records_of(place, Verdict, artifact) for one, artifact in members.items()}
    table = to_table(Verdict, panel_verdicts(asked, said, panel, annotator))
    spoken = to_table(Verdict, [one for rows in said.values() for one in rows])
    return stage.commit(
        tables={"rows": (Verdict, table), "members": (Verdict, spoken)},
        counts={"verdicts": table.num_rows, **counted(table.column("outcome").to_pylist())},
        volatile=summed([side_of(place, one) for one in members.values()]),
        deterministic=True,
    )
