"""Comparisons as people meet them: talk, code, tables, hostile texts; and a served batch of them."""

import contextlib
import os
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

from infra.annotation.batch_records import Terms
from infra.annotation.batches import make_batch
from infra.run_tree import RunTree
from infra.storage import open_store
from tasks.annotation_items import Item, item_id_of
from tasks.canonical import short_id
from tasks.records import Prompt, Response
from tasks.tables import to_table
from tests.annotation_batches import committed

RUN = "weekly"

BASE_CASE = """A recursive function calls **itself** on a smaller part of the problem, until the part \
is so small that the answer is obvious.

```python
def factorial(n):
    if n == 0:          # the base case
        return 1
    return n * factorial(n - 1)
```

1. `factorial(3)` asks for `factorial(2)`,
2. which asks for `factorial(1)`,
3. which asks for `factorial(0)`, and that is 1.

Then the answers travel back: 1, 1, 2, 6. Without the base case it would never stop."""

LOOSE = """Recursion is when a function calls itself. For example:

```python
def factorial(n):
    return n * factorial(n - 1)
```

`factorial(3)` asks for `factorial(2)`, which asks for `factorial(1)`, and so on. It is a very powerful \
technique that is used in many algorithms, such as sorting, searching and walking through trees, and every \
programmer should know it well."""

TABLE_A = """| Train | Leaves | Arrives | Changes |
|:--|--:|--:|--:|
| ICE 708 | 08:29 | 12:26 | 0 |
| ICE 1004 | 09:02 | 13:31 | 1 |

Take the **ICE 708**: it is the only one without a change and arrives 65 minutes earlier."""

TABLE_B = """You could take the ICE 708 at 08:29, which arrives at 12:26, or the ICE 1004 at 09:02, which \
arrives at 13:31 with one change. Both are comfortable trains with a restaurant. It depends on when you \
want to get up!"""

HOSTILE = """<script>document.title = "owned"</script> <img src=x onerror="document.title='owned'">

[a link](javascript:document.title='owned') and ![a picture](https://example.org/track.png)

<b onmouseover="document.title='owned'">bold</b> <iframe src="https://example.org"></iframe>"""

TALKS = [
    (
        [("user", "Explain recursion to somebody who has written a few loops.")],
        BASE_CASE,
        LOOSE,
    ),
    (
        [
            ("system", "You are a travel assistant. Answer briefly; compare in a table."),
            ("user", "I have to be in Munich before 1 p.m. tomorrow. What do you suggest?"),
            ("assistant", "Where do you leave from, and is a change all right?"),
            ("user", "Berlin. I'd rather not change, I have a lot of luggage."),
        ],
        TABLE_A,
        TABLE_B,
    ),
    (
        [("user", "Write a haiku about the sea in winter.")],
        "Grey waves fold and break,\nthe gulls have nothing to say:\nsalt on the window.",
        "The sea in winter is\nvery cold and very deep\nand also quite beautiful.",
    ),
    (
        [("user", "What is in this page? <script>alert(1)</script>")],
        HOSTILE,
        "It holds a `<script>` element that calls `alert(1)`: it would open a box with a 1 in it.",
    ),
]


def items_of_talks(number, annotators=1):
    """Items, prompts and responses of `number` comparisons, the talks above taking turns."""
    items, prompts, responses = [], [], []
    for position in range(number):
        talk, one, other = TALKS[position % len(TALKS)]
        turns = [{"role": role, "content": text} for role, text in talk]
        if position >= len(TALKS):
            turns[-1] = turns[-1] | {"content": f"{turns[-1]['content']} ({position})"}
        prompt_id = short_id("prompt", position)
        prompts.append(_prompt(prompt_id, turns))
        made = [_response(prompt_id, text, index) for index, text in enumerate((one, other))]
        responses += made
        a_id, b_id = sorted(two.response_id for two in made)
        first = "a" if made[0].response_id == a_id else "b"
        items.append(_item(position, prompt_id, a_id, b_id, first, annotators))
    return items, prompts, responses


def _item(position, prompt_id, a_id, b_id, first, annotators):
    return Item(
        item_id=item_id_of(prompt_id, a_id, b_id),
        prompt_id=prompt_id,
        a_id=a_id,
        b_id=b_id,
        repeat=0,
        first_shown=first,
        reason="random",
        stratum="pool",
        chance=0.5,
        known=None,
        annotators=annotators,
        position=position,
    )


def _prompt(prompt_id, turns):
    return Prompt(
        prompt_id=prompt_id,
        messages=turns,
        source="pool",
        source_id="",
        split="train",
        group_id=prompt_id,
        tags=[],
        checks=[],
    )


def _response(prompt_id, text, index):
    return Response(
        response_id=short_id(prompt_id, text),
        prompt_id=prompt_id,
        text=text,
        origin="model",
        cell=f"cell-{index}",
        generator="g",
        sample_index=0,
        seed=None,
        finish_reason="stop",
        token_ids=None,
        tokenizer=None,
        template=None,
    )


def made_batch(store, number, annotators=1, run=RUN, round_index=0):
    """A batch of `number` comparisons in `store`."""
    items, prompts, responses = items_of_talks(number, annotators)
    named = [number, annotators]
    stage = committed(
        store,
        ["world", *named],
        {
            "rows": (Item, to_table(Item, items)),
        },
    )
    return make_batch(
        RunTree(store, run),
        round_index,
        items=stage,
        prompts=committed(store, ["asked", *named], {"rows": (Prompt, to_table(Prompt, prompts))}),
        responses=[
            committed(store, ["said", *named], {"rows": (Response, to_table(Response, responses))})
        ],
        terms=Terms(front_end="page"),
    )


class ServedPage:
    """The page's server as a process of its own, which may be killed and started again."""

    def __init__(self, root: str, work: Path, port: int) -> None:
        self.root = root
        self.port = port
        self.address = f"http://127.0.0.1:{port}"
        self.environment = {
            **os.environ,
            "TSO_STORE": root,
            "TSO_WORK": str(work),
            "TSO_ANNOTATE_KEY_FILE": str(work / "annotation.key"),
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [sys.executable, "-m", "infra.annotation.page", str(self.port)]
        self.process = subprocess.Popen(command, env=self.environment)
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError):
                with urllib.request.urlopen(f"{self.address}/-/health", timeout=2):
                    return
            time.sleep(0.05)
        raise TimeoutError("the annotation page did not start")

    def kill(self) -> None:
        """SIGKILL: nothing is written any more."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def link(self, annotator: str) -> str:
        """The link of an annotator."""
        from infra.annotation.page.access import link, load_keys

        keys = load_keys(Path(self.environment["TSO_ANNOTATE_KEY_FILE"]))
        return link(self.address, keys, RUN, annotator)

    def __enter__(self) -> "ServedPage":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


def answers_of(root, run=RUN, round_index=0):
    """All answers there are."""
    from infra.annotation.batches import open_batch

    return open_batch(open_store(root), run, round_index).answers()
