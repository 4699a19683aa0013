"""`tso why`: from a pair to prompt, responses, models, verdicts, people and cost."""

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from rich.columns import Columns
from rich.console import Console
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from flows.cli.evidence import why
from flows.cli.formats import UNSAFE
from flows.cli.rows import conversation
from flows.cli.terminal import clean, console
from flows.cli.why_label import print_label, why_label
from infra.run_tree import RunTree
from infra.storage import open_store
from tasks.errors import ConfigError
from tasks.ledger.label_trail import LabelTrail
from tasks.ledger.provenance import SHORT, Author, Provenance
from tasks.people.trail import Said, in_words
from tasks.rounds import resolve

SAID = ("who", "what", "said", "first shown", "p(b)", "", "USD", "note")
REPLY = 120
"""Characters of a judge's reply that people are shown."""
FORMS = ("text", "json")


def show_why(
    name: str,
    pair: str,
    round_index: int | None,
    preset: str,
    overrides: Mapping[str, Any],
    form: str,
) -> None:
    """Show everything that led to a pair, for people or as JSON."""
    if form not in FORMS:
        raise ConfigError(f"--as {form!r}: use one of {', '.join(FORMS)}")
    config, _ = resolve(preset, overrides)
    tree = RunTree(open_store(config.storage), name)
    label = why_label(tree, pair, round_index)
    known = label or why(tree, pair, round_index)
    if form == "json":
        text = json.dumps(asdict(known), indent=1, ensure_ascii=False)
        sys.stdout.write(UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text) + "\n")
    elif isinstance(known, LabelTrail):
        print_label(console(), known)
    else:
        _print(console(), known)


def _print(out: Console, known: Provenance) -> None:
    """The texts first, then who wrote them, who decided, what became of it, where it lies."""
    _say(out, _headline(known))
    out.print(Panel(Text(clean(conversation(known.prompt.messages))), title=_prompt_title(known)))
    width = max((out.width - 1) // 2, 20)
    panels = [
        Panel(Text(clean(one.response.text)), title=_author_title(one, known), width=width)
        for one in known.authors
    ]
    out.print(Columns(panels, padding=(0, 1)))
    for one in known.authors:
        _say(out, f"{one.side}: {_author(one)}")
    for line in known.made:
        _say(out, line)
    for line in in_words(known.decision):
        _say(out, line)
    out.print(_said_table(known))
    for line in _end(known):
        _say(out, line)


def _say(out: Console, line: str) -> None:
    out.print(clean(line), soft_wrap=True)


def _headline(known: Provenance) -> str:
    also = f", also in {', '.join(map(str, known.elsewhere))}" if known.elsewhere else ""
    return f"run {known.run}, round {known.round_index}{also}: {known.became}"


def _prompt_title(known: Provenance) -> str:
    one = known.prompt
    source = " ".join(part for part in (one.source, one.source_id) if part)
    parts = [f"prompt {one.prompt_id}", source and f"from {source}", ", ".join(one.tags)]
    return clean(" · ".join(part for part in parts if part))


def _author_title(one: Author, known: Provenance) -> str:
    """Side, its letter in verdicts where there are some on it, and cell."""
    compared = known.decision.preference
    letters = {compared.a_id: "a", compared.b_id: "b"}
    letter = letters.get(one.response.response_id, one.side)
    side = one.side if one.side == letter else f"{one.side} ({letter})"
    return clean(f"{side} · {one.response.cell}")


def _author(one: Author) -> str:
    row = one.response
    parts = [
        f"response {row.response_id}, sample {row.sample_index} of cell {row.cell} ({row.origin})",
        one.model,
        one.settings,
        f"ended by {row.finish_reason}",
        row.seed is not None and f"seed {row.seed}",
        row.token_ids is not None and f"{len(row.token_ids)} tokens",
        one.cost_usd is not None and f"{one.cost_usd:.6f} USD on average",
    ]
    return "; ".join(str(part) for part in parts if part)


def _said_table(known: Provenance) -> Table:
    table = Table(*SAID)
    for one in known.decision.said:
        table.add_row(*(clean(value) for value in _row(one, known)))
    return table


def _row(one: Said, known: Provenance) -> tuple[str, ...]:
    kind = known.judges.get(one.annotator, one.kind)
    version = f" {one.version[:SHORT]}" if one.version and one.kind == "judge" else ""
    reply = " ".join((one.reply or "").split())
    return (
        one.annotator,
        f"{kind}{version}",
        one.outcome,
        one.first_shown,
        "" if one.p_b_wins is None else f"{one.p_b_wins:.2f}",
        "overruled" if one.overruled else "",
        "" if one.cost_usd is None else f"{one.cost_usd:.6f}",
        one.note or (reply if len(reply) <= REPLY else f"{reply[:REPLY]}\N{HORIZONTAL ELLIPSIS}"),
    )


def _end(known: Provenance) -> list[str]:
    """What models thought of it, what trained on it, what it cost, and where all of it lies."""
    lines = [
        f"{one.by}: "
        + ", ".join(
            f"logp {one.logps[side]:.2f} nats over {one.tokens[side]} tokens ({side})"
            for side in one.logps
        )
        for one in known.scores
    ]
    lines.append(f"training: {known.training}")
    usd, opinions = known.verdicts_usd, len(known.decision.said)
    lines.append(
        "cost: no verdict has a known cost"
        if usd is None
        else f"cost: {usd:.6f} USD for {known.known_costs} of {opinions} verdicts"
    )
    return lines + [f"{role}: {uri}" for role, uri in known.stages.items()]
