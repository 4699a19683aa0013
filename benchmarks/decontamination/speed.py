"""How fast a million prompts are looked at."""

import os
import random
import re
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from benchmarks.decontamination.sets import edits, halves, share
from tasks.decontamination.screen import BACKGROUND, Screen
from tasks.decontamination.settings import DecontaminationSettings
from tasks.decontamination.texts import found_in

SPEED_PROMPTS = 1_000_000
CHUNK = 20_000


def generated(number: int, sentences: Sequence[str], rng: random.Random) -> list[str]:
    return [" ".join(rng.choices(sentences, k=rng.randrange(2, 5))) for _ in range(number)]


class Watch:
    """Sums up wall and CPU seconds of what is done within it."""

    def __init__(self) -> None:
        self.wall = self.cpu = 0.0

    def __enter__(self) -> "Watch":
        self._begun = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.wall += time.perf_counter() - self._begun[0]
        self.cpu += time.process_time() - self._begun[1]


def measured_speed(number: int) -> dict[str, Any]:
    """Seconds for so many prompts; making them up is not counted."""
    evaluation, unrelated, _ = halves()
    rng, watch = random.Random(1), Watch()
    sentences = sorted(
        {s for _, text in unrelated for s in re.split(r"(?<=[.!?])\s+|\n+", text) if len(s) > 20}
    )
    ways = list(edits(rng, unrelated).values())
    texts = {str(i): text for i, (_, text) in enumerate(evaluation)}
    background = generated(BACKGROUND, sentences, rng)
    with watch:
        screen = Screen(texts, background, DecontaminationSettings())
    counts = Counter({"looked": 0, "characters": 0, "put": 0, "hits": 0, "alarms": 0})
    while counts["looked"] < number:
        chunk = generated(min(CHUNK, number - counts["looked"]), sentences, rng)
        places = set(range(0, len(chunk), 100))
        for place in places:
            chunk[place] = rng.choice(ways)(rng.choice(evaluation)[1])
        with watch:
            found = found_in([str(i) for i in range(len(chunk))], chunk, screen)
        known = {int(one.row_id) for one in found}
        counts.update(looked=len(chunk), characters=sum(map(len, chunk)), put=len(places))
        counts.update(hits=len(known & places), alarms=len(known - places))
        if not counts["looked"] % (5 * CHUNK):
            print(f"{counts['looked']:,}: {watch.wall:.0f} s, {watch.cpu:.0f} s of CPU", flush=True)
    return speed_of(counts, watch) | {"evaluation_prompts": len(evaluation)}


def speed_of(counts: Counter[str], watch: Watch) -> dict[str, Any]:
    looked = counts["looked"]
    return {
        "prompts": looked,
        "mean_characters": round(counts["characters"] / looked, 1),
        "wall_seconds": round(watch.wall, 1),
        "cpu_seconds": round(watch.cpu, 1),
        "load_average_at_the_end": [round(one, 1) for one in os.getloadavg()],
        "edited_found": share(counts["hits"], counts["put"]),
        "others_found": share(counts["alarms"], looked - counts["put"]),
        "holds": {"1,000,000 prompts in <= 300 s": looked >= SPEED_PROMPTS and watch.wall <= 300},
    }
