"""Judge templates: the package's own by name, others by the path of a .j2 file."""

import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path

from jinja2 import StrictUndefined, Template, TemplateError
from jinja2.sandbox import SandboxedEnvironment

from tasks.errors import ConfigError
from tasks.records import Message


@cache
def template_text(name: str) -> str:
    """The source of template `name`; ConfigError lists the package's own."""
    folder = files("tasks.judges") / "templates"
    own = sorted(entry.name.removesuffix(".j2") for entry in folder.iterdir())
    try:
        if name in own:
            return (folder / f"{name}.j2").read_text(encoding="utf-8")
        return Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"judge template {name!r} cannot be read ({error}); "
            f"use {', '.join(own)} or the path of a .j2 file"
        ) from error


def render_template(name: str, messages: Sequence[Message], first: str, second: str) -> str:
    """The question in words; everything shown stands in fences that it cannot close."""
    shown = "\n".join([*(message["content"] for message in messages), first, second])
    longest = max((len(run) for run in re.findall("`+", shown)), default=0)
    fence = "`" * max(3, longest + 1)
    try:
        return _template(name).render(messages=messages, first=first, second=second, fence=fence)
    except TemplateError as error:
        raise ConfigError(
            f"judge template {name!r} does not render: {error}; "
            "it may use: messages, first, second, fence"
        ) from error


@cache
def _template(name: str) -> Template:
    # Plain text for a model, not HTML: escaping would change what the judge reads.
    environment = SandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
    try:
        return environment.from_string(template_text(name))
    except TemplateError as error:
        raise ConfigError(f"judge template {name!r} is not valid Jinja: {error}") from error
