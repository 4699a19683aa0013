"""A judge behind a server where much goes wrong, by a seeded plan; it writes down all it does.

`python -m tests.infra.faulty_judge FOLDER` runs it in a process of its own: settings are in
FOLDER/plan.json, its address appears in FOLDER/url, received calls in FOLDER/received.jsonl.

It is asked about `large N` and `small N` and knows the right verdict. Whatever it says that is no
verdict in the agreed form hints at a wrong one: who guesses gets a wrong label.
"""

import json
import os
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.seeds import seed_of, uniform_of
from tests.infra.chat_server import Server, cut_in_the_body, running_server, send

MALFORMED = (
    *("", " \n\t", "{w}", "Response {w} is better.", "Verdict {w}", "Verdict = {w}", "Verdict:"),
    *("Verdict: {w} or {r}", "Verdict: {w}\nVerdict: {r}", "Verdict: {w}\nNo, rather {r}."),
    *("Verdict: {w}\n\nLet me explain.", '{"verdict": "{w}"}', "```\nVerdict: {w}\n```"),
    *("Verdict: [[{w}]]", "[[{w}]]", "\\boxed{{w}}", "Verdict: Response {w}", "Verdict: {w} > {r}"),
    *("Verdict: not {w}", "Verdict: C", "Verdict: 1", "Verdict: AB", "Verdict: \u0410"),
    *("Verdict: \uff21", "Verdikt: {w}", "The verdict: {w}", "Verdict: A? Verdict: {w}"),
    *("Verdict: {w} (confidence 51 %)", "Verdict: {w}/{r}", "Verdict; {w}", "Verdict: both"),
    *("Verdict: neither", "Verdict: {w}<|im_end|>", "<think>Verdict: {w}", "I cannot help."),
    *("Verdict: {w}\ud800", "Verdict: " + "{w}" * 5000, "Verdict: tie or {w}"),
    *("Verdict: {w}\n" * 50, "\x00\u2028{w}"),
)
"""Forty replies that are no verdict; {w} is a wrong label, {r} the right one."""
UNSENT = ("429", "500", "503", "timeout", "closed", "cut", "cut_stream")
"""What keeps an answer from coming."""
NO_CHOICE = (
    '{"choices": []}',
    '{"choices": [null]}',
    '{"choices": null}',
    '{"choices": [{"index": 0, "message": null, "finish_reason": "stop"}]}',
)
"""Completions without a usable choice."""
KINDS = (*UNSENT, "no_choice", "refusal", "cut_at_length", "malformed")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What happens to the n-th attempt of a question: decided by a seed."""

    seed: int
    share: float
    """Of the attempts with a fault."""
    timeout_seconds: float
    """A call that is to time out is answered after this long."""

    def fault(self, question: str, attempt: int) -> str:
        """One of KINDS, or ok."""
        if uniform_of(self.seed, "fails", question, attempt) >= self.share:
            return "ok"
        return KINDS[seed_of(self.seed, "how", question, attempt) % len(KINDS)]

    def malformed(self, question: str) -> int:
        """Which of MALFORMED it says."""
        return seed_of(self.seed, "what", question) % len(MALFORMED)


def right_label(text: str) -> str:
    """A, B or tie: what is right about the two responses as they are shown in `text`."""
    number = number_of(text)
    if number % 3 == 2:
        return "tie"
    better, worse = ("large ", "small ") if number % 3 == 0 else ("small ", "large ")
    return "A" if text.index(better) < text.index(worse) else "B"


def number_of(text: str) -> int:
    """Which prompt a question is about."""
    found = re.search(r"Say (\d+)\.", text)
    assert found
    return int(found[1])


def question_of(text: str) -> str:
    """Names a question: its prompt, and which response is shown first."""
    first = "large" if text.index("large ") < text.index("small ") else "small"
    return f"{number_of(text)}:{first}"


class FaultyJudge:
    """The `play` of a `Server`: every call received is a line, written before it is answered."""

    def __init__(self, server: Server, plan: Plan, log: Path) -> None:
        self._plan = plan
        self._attempts: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._log = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        server.play = self.play

    def play(self, handler: Any, number: int, text: str) -> None:
        question = question_of(text)
        with self._lock:
            self._attempts[question] += 1
            attempt = self._attempts[question]
            fault = self._plan.fault(question, attempt)
            line = json.dumps({"question": question, "fault": fault}) + "\n"
            os.write(self._log, line.encode())
        self._answer(handler, text, question, fault)

    def _answer(self, handler: Any, text: str, question: str, fault: str) -> None:
        right = right_label(text)
        if fault == "timeout":
            time.sleep(self._plan.timeout_seconds)
        if fault in UNANSWERED:
            UNANSWERED[fault](handler)
        elif fault == "no_choice":
            send(handler, 200, NO_CHOICE[seed_of(question) % len(NO_CHOICE)])
        elif fault == "malformed":
            reply = MALFORMED[self._plan.malformed(question)]
            say(handler, reply.replace("{w}", wrong_label(right)).replace("{r}", right))
        elif fault == "cut_at_length":
            say(handler, f"Verdict: {wrong_label(right)}", finish="length")
        elif fault == "refusal":
            say(handler, None, refusal="I will not compare these.")
        else:
            say(handler, f"One is better than the other.\nVerdict: {right}")


def wrong_label(right: str) -> str:
    """A label that is not right."""
    return "B" if right == "A" else "A"


def say(handler: Any, text: str | None, finish: str = "stop", **message: Any) -> None:
    """Answer with one choice; the prompt counts as 100 tokens, the reply as 10."""
    said = {"role": "assistant", "content": text, **message}
    body = {
        "object": "chat.completion",
        "choices": [{"index": 0, "message": said, "finish_reason": finish}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
    }
    send(handler, 200, json.dumps(body))


def cut_in_a_stream(handler: Any) -> None:
    """Begin an answer in chunks, and close the connection before the last one."""
    handler.send_response(200)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    handler.wfile.write(b'd\r\n{"choices": [\r\n')
    handler.wfile.flush()
    handler.connection.close()


UNANSWERED: dict[str, Callable[[Any], None]] = {
    "429": lambda handler: send(handler, 429, "{}", Retry_After="0.02"),
    "500": lambda handler: send(handler, 500, "{}"),
    "503": lambda handler: send(handler, 503, "{}"),
    "closed": lambda handler: handler.connection.close(),
    "cut": cut_in_the_body,
    "cut_stream": cut_in_a_stream,
}


def main(folder: Path) -> None:
    """Serve until the process is ended."""
    plan = Plan(**json.loads((folder / "plan.json").read_text(encoding="utf-8")))
    with running_server() as server:
        FaultyJudge(server, plan, folder / "received.jsonl")
        ready = folder / "url.new"
        ready.write_text(server.url, encoding="utf-8")
        ready.rename(folder / "url")
        threading.Event().wait()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
