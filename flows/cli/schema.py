"""`tso schema`: what a preset or a recipe may hold, as a JSON schema for editors."""

import json
import sys
from pathlib import Path

from tasks.config_schema import preset_schema, recipe_schema
from tasks.errors import ConfigError, StorageError

SCHEMAS = {"preset": preset_schema, "recipe": recipe_schema}


def write_schema(of: str, out: Path | None) -> None:
    """Write the schema of presets or recipes to `out`, or to the terminal."""
    if of not in SCHEMAS:
        raise ConfigError(f"--of {of!r}: use one of {', '.join(SCHEMAS)}")
    text = json.dumps(SCHEMAS[of](), indent=2, ensure_ascii=False) + "\n"
    if out is None:
        sys.stdout.write(text)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StorageError(f"{out} cannot be written: {error}; name another: --out") from error
