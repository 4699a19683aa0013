"""Commands of `tso` that look after the store; each command's work is in a module of its own."""

from typing import Annotated

import typer

from flows.cli.arguments import Name, Preset, Settings, overrides_of

STORE_OR_FILE = "A store (s3://bucket/prefix or a folder), or a file that ends in .tar."
Other = Annotated[
    list[str] | None,
    typer.Option("--other", help="key=value: a storage setting of the other store alone."),
]
Journals = Annotated[
    bool, typer.Option("--journals", help="Paid calls, too, of all runs of the store.")
]
Verify = Annotated[
    bool, typer.Option("--verify", help="Hash what is there already; replace what is damaged.")
]


def add_to(app: typer.Typer) -> None:
    """Give `app` the commands of this module."""
    app.command()(fsck)
    app.command()(gc)
    app.command()(export)
    app.command("import")(import_)


def fsck(
    name: Name,
    preset: Preset,
    quick: Annotated[
        bool, typer.Option("--quick", help="Existence and size only; nothing is hashed.")
    ] = False,
    settings: Settings = None,
) -> None:
    """Verify all that a run names, and say what mends it."""
    from flows.cli.fsck import show_problems

    show_problems(name, preset, overrides_of(settings or []), quick=quick)


def gc(
    preset: Preset,
    delete: Annotated[
        bool, typer.Option("--delete", help="Delete it; otherwise it is only shown.")
    ] = False,
    grace_days: Annotated[
        float, typer.Option(help="Age of finished stages that no run names, before they go.")
    ] = 7.0,
    unfinished_days: Annotated[
        float, typer.Option(help="Age of stages that nobody finished, before they go.")
    ] = 30.0,
    uploads_days: Annotated[
        float, typer.Option(help="Age of uploads that nobody finished, before they go.")
    ] = 1.0,
    settings: Settings = None,
) -> None:
    """Show what no run needs any more, or delete it."""
    from flows.cli.gc import collect_garbage
    from infra.garbage import Grace

    grace = Grace(stages=grace_days, unfinished=unfinished_days, uploads=uploads_days)
    collect_garbage(preset, overrides_of(settings or []), grace, delete=delete)


def export(
    name: Name,
    where: Annotated[str, typer.Argument(metavar="STORE_OR_FILE", help=STORE_OR_FILE)],
    preset: Preset,
    other: Other = None,
    journals: Journals = False,
    verify: Verify = False,
    settings: Settings = None,
) -> None:
    """Copy a run with all that it names elsewhere."""
    from flows.cli.copies import export_run
    from infra.run_copies import How

    overrides, how = overrides_of(settings or []), How(journals=journals, verify=verify)
    export_run(name, where, preset, overrides, overrides_of(other or []), how)


def import_(
    where: Annotated[str, typer.Argument(metavar="STORE_OR_FILE", help=STORE_OR_FILE)],
    preset: Preset,
    run: Annotated[str, typer.Option(help="Which run, where there are several.")] = "",
    other: Other = None,
    journals: Journals = False,
    verify: Verify = False,
    settings: Settings = None,
) -> None:
    """Copy a run from elsewhere into the preset's store."""
    from flows.cli.copies import import_run
    from infra.run_copies import How

    overrides, how = overrides_of(settings or []), How(journals=journals, verify=verify)
    import_run(where, run, preset, overrides, overrides_of(other or []), how)
