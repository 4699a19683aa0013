"""The server of reports: the list, each report, and nothing else of the store."""

import threading
import urllib.error
import urllib.request
from http.server import ThreadingHTTPServer

import pytest

from infra.prefect.reports import browser_link
from infra.stack.reports import Reports
from infra.storage import open_store

PAGES = {
    "runs/weekly/report.html": b"<p>all rounds</p>",
    "runs/weekly/rounds/00000/report.html": b"<p>first</p>",
    "runs/weekly/rounds/00001/report.html": b"<p>second</p>",
    "runs/weekly/rounds/00001/manifest.json": b"{}",
    "stages/train/ab/secret.html": b"weights",
}


@pytest.fixture
def served(tmp_path, monkeypatch):
    store = open_store(f"file://{tmp_path}/store")
    for path, data in PAGES.items():
        store.write(path, data)
    handler = type("Handler", (Reports,), {"store": store})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        monkeypatch.setenv("TSO_STORE", store.root)
        monkeypatch.setenv("TSO_REPORTS_URL", url)
        yield url, store
        server.shutdown()


def got(url):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=10) as answer:
        return answer.read(), answer.headers


def test_the_list_links_every_report_and_the_link_of_an_artifact_opens(served):
    url, store = served
    listed, _ = got(f"{url}/")
    for path in list(PAGES)[:3]:
        assert f'href="/{path}"'.encode() in listed
        body, headers = got(browser_link(store.uri(path)))
        assert body == PAGES[path] and "script-src" not in headers["Content-Security-Policy"]
        assert headers["Content-Security-Policy"].startswith("default-src 'none'")


@pytest.mark.parametrize("path", [*list(PAGES)[3:], "runs/../stages/train/ab/secret.html", "nope"])
def test_nothing_but_reports_is_served(served, path):
    with pytest.raises(urllib.error.HTTPError, match="404"):
        got(f"{served[0]}/{path}")


def test_a_report_of_another_store_has_no_link(served, monkeypatch):
    assert browser_link("s3://other/runs/weekly/rounds/00000/report.html") == ""
    monkeypatch.delenv("TSO_REPORTS_URL")
    assert browser_link(served[1].uri(next(iter(PAGES)))) == ""
