"""Answers in the store: immutable objects, each with one or more of them, numbered by writer.

    answers/WRITER-000007.jsonl    the eighth object of one process of a front end
    packs/WRITER-000003.jsonl      a copy of its objects 3000 to 3999, so that reading stays fast

An answer is durable when its object is there. A writer numbers its objects without gaps, so "the
first 12 objects of each writer" names answers for good, however many come later.
"""

import json
import re
import threading
import uuid
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

from infra.storage import Store
from tasks.annotation_items import Answer
from tasks.canonical import canonical_json
from tasks.errors import DamagedError, StorageError

AT_ONCE = 16
"""Objects that are read at a time."""
PACKED = 1000
"""Objects of one pack."""
MOST_IN_ONE = 10_000
"""Answers of one object."""
_NAME = re.compile(r"([a-z0-9_-]+)-(\d{6,})\.jsonl")

Segments = dict[str, int]
"""How many objects of each writer, from its first on."""


class AnswerObjects:
    """The answers below one folder, each object read once; safe to share between threads."""

    def __init__(self, store: Store, folder: str) -> None:
        self._store = store
        self._folder = folder
        self._read: dict[str, list[list[Answer]]] = {}
        self._lock = threading.Lock()

    def segments(self) -> Segments:
        """How many objects of each writer there are now, by one listing."""
        numbers: dict[str, list[int]] = {}
        for path in self._store.list(f"{self._folder}/answers"):
            if match := _NAME.fullmatch(path.rpartition("/")[2]):
                numbers.setdefault(match[1], []).append(int(match[2]))
        for writer, found in numbers.items():
            for index in set(range(max(found))) - set(found):
                self._check_there(writer, index)
        return {writer: max(found) + 1 for writer, found in sorted(numbers.items())}

    def _check_there(self, writer: str, index: int) -> None:
        """Raise DamagedError unless an object is there that the listing, in a hurry, left out."""
        path = self._object(writer, index)
        if not self._store.exists(path):
            raise DamagedError(
                f"{self._store.uri(path)} is missing, though its writer went on after it; restore "
                "it from a copy"
            )

    def upto(self, segments: Mapping[str, int]) -> list[Answer]:
        """The answers in the first objects of each writer, in the order of writers and objects."""
        with self._lock:
            for writer, number in segments.items():
                self._fetch(writer, number)
            return [
                answer
                for writer in sorted(segments)
                for objects in self._read[writer][: segments[writer]]
                for answer in objects
            ]

    def _fetch(self, writer: str, number: int) -> None:
        known = self._read.setdefault(writer, [])
        while len(known) + PACKED <= number and len(known) % PACKED == 0:
            packed = self._pack(writer, len(known) // PACKED)
            if packed is None:
                break
            known += packed
        with ThreadPoolExecutor(AT_ONCE) as pool:
            paths = [self._object(writer, index) for index in range(len(known), number)]
            known += pool.map(self._answers_of, paths)

    def _pack(self, writer: str, number: int) -> list[list[Answer]] | None:
        """The answers of the objects of a pack, None if nobody has packed them yet."""
        path = f"{self._folder}/packs/{writer}-{number:06d}.jsonl"
        try:
            data = self._store.read(path)
        except FileNotFoundError:
            return None
        return [[_answer(one, path) for one in _loaded(line, path)] for line in data.splitlines()]

    def pack(self) -> int:
        """Copy whole ranges of objects into packs, which are read at once; how many were made.

        May be called by several at once: a pack has one possible content.
        """
        made = 0
        done = set(self._store.list(f"{self._folder}/packs"))
        for writer, number in self.segments().items():
            for index in range(number // PACKED):
                path = f"{self._folder}/packs/{writer}-{index:06d}.jsonl"
                if path not in done:
                    made += self._store.create(path, self._packed(writer, index))
        return made

    def _packed(self, writer: str, index: int) -> bytes:
        with self._lock:
            self._fetch(writer, (index + 1) * PACKED)
            objects = self._read[writer][index * PACKED : (index + 1) * PACKED]
        lines = [canonical_json([asdict(one) for one in answers]) for answers in objects]
        return ("\n".join(lines) + "\n").encode()

    def _answers_of(self, path: str) -> list[Answer]:
        try:
            lines = self._store.read(path).splitlines()
        except FileNotFoundError as error:
            raise DamagedError(
                f"{error}, though answers in it count; restore it from a copy"
            ) from error
        return [_answer(_loaded(line, path), path) for line in lines]

    def _object(self, writer: str, index: int) -> str:
        return f"{self._folder}/answers/{writer}-{index:06d}.jsonl"

    def put(self, writer: str, index: int, answers: Sequence[Answer]) -> bool:
        """Write one object, False if that number is taken by another; durable on return.

        The same answers under the same number are no other: a writer may try again.
        """
        lines = [canonical_json(asdict(one)) for one in answers]
        data = ("\n".join(lines) + "\n").encode()
        path = self._object(writer, index)
        return self._store.create(path, data) or self._store.read(path) == data


class Writer:
    """One process of a front end; its objects are numbered without gaps, from any thread."""

    def __init__(self, objects: AnswerObjects, front_end: str, name: str = "") -> None:
        self._objects = objects
        self.name = f"{front_end}-{name or uuid.uuid4().hex[:12]}"
        self._next = 0
        self._lock = threading.Lock()

    def write(self, answers: Sequence[Answer]) -> None:
        """Keep the answers, all of them or an exception; those that are there count once.

        After a StorageError the same number is tried again: nobody knows whether it was written.
        """
        with self._lock:
            for start in range(0, len(answers), MOST_IN_ONE):
                part = answers[start : start + MOST_IN_ONE]
                if not self._objects.put(self.name, self._next, part):
                    self._step_aside()
                    if not self._objects.put(self.name, 0, part):
                        raise StorageError(f"{self.name}: a new writer's first number is taken")
                self._next += 1

    def _step_aside(self) -> None:
        """What stands there are answers of an earlier try that failed; they are kept."""
        self.name = f"{self.name.partition('-')[0]}-{uuid.uuid4().hex[:12]}"
        self._next = 0


def _loaded(line: bytes, path: str) -> Any:
    try:
        return json.loads(line)
    except ValueError as error:
        raise DamagedError(f"{path} is damaged: {error}; restore it from a copy") from error


def _answer(row: Any, path: str) -> Answer:
    try:
        return Answer(**row)
    except TypeError as error:
        raise DamagedError(
            f"{path} was written by another version of the code: {error}; use that version"
        ) from error


def without_doubles(answers: Iterable[Answer]) -> list[Answer]:
    """`answers` with one for each (item, annotator, revision): of several the later counts.

    Independent of the order they come in; sorted by the key.
    """
    found: dict[tuple[str, str, int], Answer] = {}
    for answer in answers:
        key = (answer.item_id, answer.annotator, answer.revision)
        known = found.get(key)
        if known is None or (known != answer and _rank(known) < _rank(answer)):
            found[key] = answer
    return [found[key] for key in sorted(found)]


def _rank(answer: Answer) -> tuple[str, str]:
    return answer.answered_at or "", canonical_json(asdict(answer))
