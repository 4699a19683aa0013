"""A server of S3 that falls silent in the middle of an upload, as behind a cut network."""

import socket
import threading

import pytest

from infra import s3_transfer
from infra.s3_session import TRIES
from infra.storage import open_store
from tasks.errors import StorageError
from tasks.storage_settings import StorageSettings


class SilentServer:
    """Takes connections and what is sent, and answers nothing."""

    def __init__(self):
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self.taken = []
        self._thread = threading.Thread(target=self._take)
        self._thread.start()

    def _take(self):
        while True:
            connection, _ = self._listening.accept()
            if self.taken is None:
                connection.close()
                return
            self.taken.append(connection)

    def close(self):
        taken, self.taken = self.taken, None
        socket.create_connection(("127.0.0.1", self.port)).close()
        self._thread.join()
        for one in [*taken, self._listening]:
            one.close()


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    silent = SilentServer()
    yield silent
    silent.close()


def test_an_upload_that_gets_no_answer_is_tried_again_and_then_given_up(server, monkeypatch):
    monkeypatch.setattr(s3_transfer, "ANSWER_SECONDS", 0.3)
    endpoint = f"http://127.0.0.1:{server.port}"
    store = open_store(StorageSettings(root="s3://bucket", endpoint=endpoint, region="here"))
    with pytest.raises(StorageError, match="It cannot be reached: check network"):
        store.write("object", b"body")
    assert len(server.taken) == TRIES
