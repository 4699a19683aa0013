"""What models are asked, as templates: a family's own by name, others by the path of a .j2 file."""

import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateError
from jinja2.sandbox import SandboxedEnvironment

from tasks.errors import ConfigError
from tasks.records import Message

_CONTROL = re.compile(
    r"(?i)<(?=\|[^<>|]{1,64}\|>|\uff5c[^<>\uff5c]{1,64}\uff5c>"
    r"|/?(?:s|bos|eos|pad|unk|start_of_turn|end_of_turn|start_of_image)>|</?SYS>>)"
    r"|\[(?=/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS)\])"
)
"""Where text begins that servers of known chat formats read as the end of a turn or a new one."""


JUDGES = "tasks.judges"


@cache
def template_text(name: str, family: str = JUDGES) -> str:
    """The source of template `name` of `family`; ConfigError lists the family's own."""
    folder = files(family) / "templates"
    own = sorted(entry.name.removesuffix(".j2") for entry in folder.iterdir())
    try:
        if name in own:
            return (folder / f"{name}.j2").read_text(encoding="utf-8")
        return Path(name).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"template {name!r} of {family} cannot be read ({error}); "
            f"use {', '.join(own)} or the path of a .j2 file"
        ) from error


def render_template(
    name: str,
    messages: Sequence[Message],
    texts: Mapping[str, str],
    family: str = JUDGES,
    **facts: Any,
) -> str:
    """The question in words; everything shown stands in fences that it cannot close.

    `messages` and `texts` are shown, `facts` are the asker's own. What looks like a control token
    of a chat format is shown with a space in it: to a server it would end the fence and the turn.
    """
    turns = [Message(role=one["role"], content=_defused(one["content"])) for one in messages]
    shown = {key: _defused(text) for key, text in texts.items()}
    everything = "\n".join([*(turn["content"] for turn in turns), *shown.values()])
    longest = max((len(run) for run in re.findall("`+", everything)), default=0)
    known = {"messages": turns, **shown, **facts, "fence": "`" * max(3, longest + 1)}
    try:
        return _template(name, family).render(known)
    except TemplateError as error:
        raise ConfigError(
            f"template {name!r} does not render: {error}; it may use: {', '.join(known)}"
        ) from error


def _defused(text: str) -> str:
    return _CONTROL.sub(lambda match: f"{match[0]} ", text)


@cache
def _template(name: str, family: str) -> Template:
    # Plain text for a model, not HTML: escaping would change what the model reads.
    environment = SandboxedEnvironment(undefined=StrictUndefined, autoescape=False)
    try:
        return environment.from_string(template_text(name, family))
    except TemplateError as error:
        raise ConfigError(f"template {name!r} is not valid Jinja: {error}") from error
