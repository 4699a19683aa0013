"""`tso schema`: what a preset may hold, as a JSON schema for editors."""

import json
import sys
from pathlib import Path

from tasks.config_schema import preset_schema
from tasks.errors import StorageError


def write_schema(out: Path | None) -> None:
    """Write the schema to `out`, or to the terminal."""
    text = json.dumps(preset_schema(), indent=2, ensure_ascii=False) + "\n"
    if out is None:
        sys.stdout.write(text)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise StorageError(f"{out} cannot be written: {error}; name another: --out") from error
