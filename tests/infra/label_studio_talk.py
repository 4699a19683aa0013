"""A talk with Label Studio: what a batch and its annotators send, written down and played again.

`python -m benchmarks.soak.label_studio` has it with a real server and writes down every exchange;
the test has it with what was written down, and fails where a request is no longer the same.
"""

import json
from pathlib import Path

from infra.annotation.label_studio import Pulled, project_of, pull, push
from infra.annotation.label_studio_api import LabelStudio
from infra.storage import open_store
from tests.annotation_batches import batch_of, items_of

RECORDED = Path(__file__).with_name("label_studio_recorded.json")
ROOT = "memory://label-studio-talk"
"""The title of a project depends on its store."""
TERMS = {"url": "http://127.0.0.1", "token_env": "LABEL_STUDIO_TOKEN", "token_block": None}


class Recording(LabelStudio):
    """A real server; each exchange is written down, without tokens."""

    def __init__(self, url, token):
        super().__init__(url, token)
        self.exchanges = []

    def _sent(self, method, path, body, authorization):
        answer = super()._sent(method, path, body, authorization)
        if "token" not in path:
            said = {"method": method, "path": path, "body": body, "answer": answer}
            self.exchanges.append(json.loads(json.dumps(said)))
        return answer

    def write(self):
        RECORDED.write_text(json.dumps(self.exchanges, indent=1) + "\n", encoding="utf-8")


class Replayed(LabelStudio):
    """What the real server said, in its order."""

    def __init__(self):
        super().__init__("http://127.0.0.1", "token")
        self.left = json.loads(RECORDED.read_text(encoding="utf-8"))

    def _sent(self, method, path, body, authorization):
        known = self.left.pop(0)
        asked = {name: known[name] for name in ("method", "path", "body")}
        assert {"method": method, "path": path, "body": body} == asked
        return known["answer"]


def field(name, kind, value):
    return {"from_name": name, "to_name": "left", "type": kind, "value": value}


def chosen(name, *values):
    return field(name, "choices", {"choices": list(values)})


class Talk:
    """A batch of four items in Label Studio, and two people who annotate: 1 is ann, 2 is bea."""

    def __init__(self, server, people):
        store = open_store(ROOT)
        for path in store.list():
            store.delete(path)
        self.server = server
        self.ann, self.bea = people
        self.batch = batch_of(
            store, items_of(4, annotators=2), front_end="label_studio", label_studio=TERMS
        )
        self.tasks = {}

    def push(self):
        """How many items two pushes sent."""
        sent = push(self.batch, self.server), push(self.batch, self.server)
        project = project_of(self.batch)
        tasks = self.server.get("/api/tasks/", project=project, page=1, page_size=10)["tasks"]
        self.tasks = {one["data"]["item_id"]: one["id"] for one in tasks}
        return sent

    def annotate(self, place, who, *result, **more):
        """One annotation of the item at a place; its id."""
        task = self.tasks[self.batch.items()[place].item_id]
        body = {"result": list(result), "completed_by": who, "lead_time": 2.5, **more}
        return self.server.post(f"/api/tasks/{task}/annotations/", body)["id"]

    def good(self):
        """Five annotations as the form makes them; the id of one that is changed later."""
        self.annotate(
            *(0, self.ann, chosen("verdict", "left is much better")),
            *(chosen("reasons", "correct", "follows instructions"),),
            *(field("ideal", "textarea", {"text": ["far better"]}),),
            *(chosen("ideal_from", "edited from right"),),
            field("comment", "textarea", {"text": ["see line 2"]}),
        )
        self.annotate(0, self.bea, field("preferred", "pairwise", {"selected": "left"}))
        self.annotate(2, self.ann, was_cancelled=True)
        self.annotate(3, self.bea, chosen("verdict", "both are bad"))
        return self.annotate(1, self.ann, chosen("verdict", "tie"))

    def bad(self):
        """Annotations that the server takes although the form cannot have made them."""
        self.annotate(1, self.ann, chosen("verdict", "right is better"))
        self.annotate(1, self.bea, field("preferred", "pairwise", {"selected": "banana"}))
        self.annotate(2, self.bea, chosen("mood", "good"))
        self.annotate(2, self.bea)
        clicked = field("preferred", "pairwise", {"selected": "left"})
        self.annotate(3, self.ann, clicked, chosen("verdict", "right is better"))

    def changed(self, annotation):
        """A person thinks again."""
        body = {"result": [chosen("verdict", "right is better")], "lead_time": 9.0}
        self.server._asked("PATCH", f"/api/annotations/{annotation}/", body)

    def pull(self) -> Pulled:
        return pull(self.batch, self.server)


def held(server, people):
    """The whole talk: what was sent, what each of three pulls brought, and the answers."""
    talk = Talk(server, people)
    sent = talk.push()
    first = talk.good()
    talk.bad()
    pulls = [talk.pull()]
    talk.changed(first)
    pulls += [talk.pull(), talk.pull()]
    return sent, pulls, talk.batch
