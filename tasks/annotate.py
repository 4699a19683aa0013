"""Door: people confirm or correct a budgeted part of the comparisons, and write responses."""

from typing import Any

from infra.place import note, open_stage, records_of, table_of
from infra.prefect.door import door
from infra.rows import file_digests, read_tables
from tasks.annotation import budgeted, simulated_verdicts, written_responses
from tasks.config import AnnotateSection
from tasks.judging import candidates_of, compared_in, comparisons_of
from tasks.opinions import Annotator
from tasks.recorded_verdicts import Answered, joined
from tasks.records import Artifact, Feedback, Place, Prompt, Response, Verdict
from tasks.responses import by_id
from tasks.tables import to_table
from tasks.variants import settings_of

SEMANTICS = 1


@door("annotate")
def annotate(
    prompts: Artifact,
    responses: list[Artifact],
    verdicts: list[Artifact],
    settings: AnnotateSection,
    comparisons: Any,
    place: Place,
) -> Feedback:
    """Add what people say and write; files are read, simulated people answer at once."""
    stage = open_stage(
        place,
        "annotate",
        settings={
            "annotate": settings_of(settings),
            "comparisons": settings_of(comparisons),
            "strengths": dict(place.strengths),
        },
        inputs={
            "prompts": prompts.content,
            **{f"responses-{i}": one.content for i, one in enumerate(responses)},
            **_seen(verdicts, comparisons),
        },
        seeds={"seed": place.seed},
        fingerprints=file_digests([*settings.verdict_files, *settings.response_files]),
        semantics=SEMANTICS,
    )
    done = stage.finished()
    artifact = (
        done.artifact
        if done
        else stage.commit(
            **_work(prompts, responses, verdicts, settings, comparisons, place), deterministic=True
        )
    )
    note(place, "annotate", artifact)
    written = _written_artifact(artifact, place)
    return Feedback(responses=[*responses, *written], verdicts=[*verdicts, artifact])


def _seen(verdicts: list[Artifact], comparisons: Any) -> dict[str, str]:
    """The verdicts that decide what people are shown, if any do."""
    if not comparisons.ADAPTIVE:
        return {}
    return {f"verdicts-{i}": one.content for i, one in enumerate(verdicts)}


def _work(
    prompts: Artifact,
    responses: list[Artifact],
    verdicts: list[Artifact],
    settings: AnnotateSection,
    comparisons: Any,
    place: Place,
) -> dict[str, Any]:
    asked = {prompt.prompt_id: prompt for prompt in records_of(place, Prompt, prompts)}
    answers = by_id(records_of(place, Response, responses))
    answered = Answered(asked.values(), answers)
    if comparisons.ADAPTIVE:  # people see what judges were asked
        made = compared_in(records_of(place, Verdict, verdicts))
    else:
        candidates = candidates_of(answers.values(), place.strengths)
        made = comparisons_of(candidates, comparisons, place.seed)
    picked = budgeted(made, settings.budget, place.seed) if settings.people else []
    simulated = simulated_verdicts(picked, asked, answers, settings.people, place.seed)
    people = Annotator(name="", kind="human")
    from_files = joined(read_tables(settings.verdict_files), answered, people)
    written = written_responses(read_tables(settings.response_files), answered)
    rows = [*simulated, *from_files.verdicts, *written.verdicts]
    return {
        "tables": {
            "rows": (Verdict, to_table(Verdict, rows)),
            "responses": (Response, to_table(Response, written.responses)),
        },
        "counts": {
            "verdicts": len(rows),
            "written": len(written.responses),
            "comparisons": sum(map(len, made.values())),
            **{f"verdicts_{reason}": count for reason, count in from_files.counts.items()},
            **written.skipped,
        },
    }


def _written_artifact(artifact: Artifact, place: Place) -> list[Artifact]:
    """The written responses as an artifact of their own, if there are any."""
    table = table_of(place, artifact, "responses")
    if not table.num_rows:
        return []
    stage = open_stage(
        place,
        "annotate",
        settings={"part": "written"},
        inputs={"annotate": artifact.content, "of": artifact.uri.rsplit("/", 2)[-2]},
        semantics=SEMANTICS,
    )
    if done := stage.finished():
        return [note(place, "annotate-written", done.artifact)]
    committed = stage.commit(tables={"rows": (Response, table)}, deterministic=True)
    return [note(place, "annotate-written", committed)]
