"""Names that flows make of their parameters."""

from prefect.runtime import flow_run


def laid_over(preset: str, recipes: list[str] | None) -> str:
    """`preset` with `recipes` over it, as the command line writes it: quickstart+rso."""
    return "+".join([preset, *(recipes or [])])


def run_name() -> str:
    """Name of a flow run that does rounds, e.g. `weekly · 1 round more`."""
    asked = flow_run.parameters
    if asked.get("until") is not None:
        return f"{asked['run']} · until {_rounds(asked['until'])}"
    return f"{asked['run']} · {_rounds(asked.get('rounds', 1))} more"


def _rounds(number: int) -> str:
    return f"{number} round" if number == 1 else f"{number} rounds"
