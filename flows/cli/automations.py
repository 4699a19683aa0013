"""`tso automations`: what a Prefect server does by itself."""

import os
import sys

from infra.prefect.automations import make_automations, remove_automations
from tasks.errors import ConfigError


def show_automations(notify: str, silence: float, retries: int, *, remove: bool) -> None:
    """Make, update or remove the automations of the configured server; print what was done."""
    api = os.environ.get("PREFECT_API_URL")
    if not api:
        raise ConfigError("PREFECT_API_URL is not set: name the API of a server, http://…/api")
    if remove:
        lines = [f"{name}: removed" for name in remove_automations(api)]
    else:
        lines = make_automations(api, silence_seconds=silence, retries=retries, notify=notify)
    sys.stdout.write("".join(f"{line}\n" for line in lines))
