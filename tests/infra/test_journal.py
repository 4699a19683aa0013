import json
import logging
import os
import signal
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor

import pytest

from infra.journal import Journal
from tasks.errors import StorageError


def test_a_reply_is_found_by_its_call_also_after_reopening(tmp_path):
    with Journal(tmp_path / "deep" / "calls.jsonl") as journal:
        assert journal.get("call1") is None
        journal.append("call1", {"text": "ü\nline", "cost_usd": 0.5})
        assert journal.get("call1") == {"text": "ü\nline", "cost_usd": 0.5}
    with Journal(tmp_path / "deep" / "calls.jsonl") as journal:
        assert journal.get("call1") == {"text": "ü\nline", "cost_usd": 0.5}
        assert journal.torn == 0


def test_the_first_reply_of_a_call_counts(tmp_path):
    with Journal(tmp_path / "calls.jsonl") as journal:
        journal.append("call1", {"text": "first"})
        journal.append("call1", {"text": "second"})
        assert journal.get("call1") == {"text": "first"}


@pytest.mark.parametrize("torn", ['{"call":"call2","rep', "{", '{"call":"call2"}'])
def test_a_torn_last_line_is_counted_and_harms_no_other(tmp_path, torn):
    path = tmp_path / "calls.jsonl"
    with Journal(path) as journal:
        journal.append("call1", {"n": 1})
    with path.open("a") as stream:
        stream.write(torn)
    with Journal(path) as journal:
        assert journal.torn == 1 and journal.get("call2") is None
        journal.append("call2", {"n": 2})
    with Journal(path) as journal:
        assert (journal.get("call1"), journal.get("call2")) == ({"n": 1}, {"n": 2})


def test_a_journal_that_died_at_its_birth_is_usable(tmp_path):
    (tmp_path / "calls.jsonl").write_text('{"jour')
    with Journal(tmp_path / "calls.jsonl") as journal:
        journal.append("call1", {"n": 1})
        assert journal.torn == 0 and journal.get("call1") == {"n": 1}


def test_threads_append_whole_lines(tmp_path):
    with Journal(tmp_path / "calls.jsonl") as journal, ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: journal.append(f"call{n}", {"n": n}), range(200)))
        assert all(journal.get(f"call{n}") == {"n": n} for n in range(200))
    lines = (tmp_path / "calls.jsonl").read_text().splitlines()
    assert len(lines) == 201 and all(json.loads(line) for line in lines)


def test_two_journals_on_one_file_see_each_others_calls(tmp_path):
    with Journal(tmp_path / "calls.jsonl") as one, Journal(tmp_path / "calls.jsonl") as other:
        one.append("call1", {"n": 1})
        assert other.get("call1") == {"n": 1}
        other.append("call2", {"n": 2})
        assert one.get("call2") == {"n": 2}


WRITER = """
    import sys
    from pathlib import Path
    from infra.journal import Journal
    with Journal(Path(sys.argv[1])) as journal:
        for number in range(10**6):
            journal.append(f"{sys.argv[2]}-{number}", {"text": "x" * 2000})
            print(number, flush=True)
"""


def test_sigkill_of_two_writers_loses_nothing_that_append_returned_for(tmp_path):
    path = tmp_path / "calls.jsonl"
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(WRITER), str(path), name],
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in "ab"
    ]
    for writer in writers:
        while int(writer.stdout.readline()) < 20:
            pass
    last = {}
    for name, writer in zip("ab", writers, strict=True):
        writer.send_signal(signal.SIGKILL)
        last[name] = int((writer.communicate()[0].split() or ["20"])[-1])
    with Journal(path) as journal:
        missing = [
            f"{name}-{number}"
            for name in "ab"
            for number in range(last[name] + 1)
            if journal.get(f"{name}-{number}") is None
        ]
        assert missing == [] and journal.torn <= 2


def journal_of(machine, tmp_path, store, **options):
    return Journal(tmp_path / machine / "calls.jsonl", store, "stages/judge/journal", **options)


def test_another_machine_reads_what_this_one_copied(store, tmp_path):
    with journal_of("one", tmp_path, store) as journal:
        journal.append("call1", {"n": 1})
    with journal_of("two", tmp_path, store) as journal:
        assert journal.get("call1") == {"n": 1}
        journal.append("call2", {"n": 2})
    with journal_of("three", tmp_path, store) as journal:
        assert (journal.get("call1"), journal.get("call2")) == ({"n": 1}, {"n": 2})


def test_calls_are_copied_while_the_journal_is_open(store, tmp_path):
    with journal_of("one", tmp_path, store, copy_seconds=0.01) as journal:
        journal.append("call1", {"n": 1})
        while not store.list("stages/judge/journal"):
            pass
        with journal_of("two", tmp_path, store) as other:
            assert other.get("call1") == {"n": 1}


def test_a_reopened_journal_copies_only_what_is_new(store, tmp_path):
    for number in range(3):
        with journal_of("one", tmp_path, store) as journal:
            journal.append(f"call{number}", {"n": number})
    copies = store.list("stages/judge/journal")
    assert len(copies) == 3
    local = (tmp_path / "one" / "calls.jsonl").read_bytes()
    assert b"".join(store.read(path) for path in copies) == local


def test_two_processes_of_one_machine_copy_their_file_whole(store, tmp_path):
    with journal_of("one", tmp_path, store) as one, journal_of("one", tmp_path, store) as same:
        one.append("call1", {"n": 1})
        one.copy()
        same.append("call2", {"n": 2})
        same.copy()
        one.append("call3", {"n": 3})
    with journal_of("two", tmp_path, store) as other:
        assert all(other.get(f"call{n}") == {"n": n} for n in (1, 2, 3))


def test_a_lost_work_folder_does_not_replace_what_was_copied_before(store, tmp_path):
    for number in range(2):
        with journal_of("one", tmp_path, store) as journal:
            journal.append(f"call{number}", {"n": number})
        (tmp_path / "one" / "calls.jsonl").unlink()
    with journal_of("one", tmp_path, store) as journal:
        assert (journal.get("call0"), journal.get("call1")) == ({"n": 0}, {"n": 1})


def test_a_store_that_is_away_does_not_stop_calls_and_is_told_of(
    store, tmp_path, monkeypatch, caplog
):
    def away(path, data):
        raise TimeoutError("no answer")

    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING):
        patch.setattr(store._backend, "create", away)
        with journal_of("one", tmp_path, store) as journal:
            journal.append("call1", {"secret": "hunter2"})
    assert "Paid calls are so far only in" in caplog.text and "hunter2" not in caplog.text
    with journal_of("one", tmp_path, store) as journal:
        assert journal.get("call1") == {"secret": "hunter2"}
    with journal_of("two", tmp_path, store) as journal:
        assert journal.get("call1") == {"secret": "hunter2"}


def test_a_full_disk_refuses_the_append_and_keeps_what_was_there(tmp_path, monkeypatch):
    with Journal(tmp_path / "calls.jsonl") as journal:
        journal.append("call1", {"n": 1})
        real = os.write

        def half(descriptor, data):
            if len(data) > 10:
                return real(descriptor, data[:10])
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(os, "write", half)
            with pytest.raises(StorageError, match=r"append to the journal.*disk is full"):
                journal.append("call2", {"n": 2})
        journal.append("call3", {"n": 3})
    with Journal(tmp_path / "calls.jsonl") as journal:
        assert journal.torn == 0 and journal.get("call2") is None
        assert (journal.get("call1"), journal.get("call3")) == ({"n": 1}, {"n": 3})


def test_a_place_that_cannot_be_opened_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match=r"could not open the journal.*A file lies where"):
        Journal(tmp_path / "file" / "calls.jsonl").__enter__()
