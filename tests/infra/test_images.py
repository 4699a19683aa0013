"""The Dockerfiles, as far as they can be checked without building: nothing here was ever built."""

import importlib.util
import re
import subprocess
import sys
from fnmatch import fnmatchcase
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest
import yaml

from infra.images import health
from infra.kubernetes.templates import pool_template

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "infra" / "images").glob("*.Dockerfile"))
IMAGES = [file.stem for file in FILES]


def instructions(file):
    """(word, rest) of each instruction, continued lines joined, comments left out."""
    lines = [one for one in file.read_text(encoding="utf-8").splitlines() if one[:1] != "#"]
    whole = re.sub(r"\\\n", " ", "\n".join(lines))
    found = [one.partition(" ") for one in whole.splitlines() if one.strip()]
    return [(word, " ".join(rest.split())) for word, _, rest in found]


def of(file, word):
    return [rest for name, rest in instructions(file) if name == word]


def ignored(path):
    """Whether .dockerignore keeps `path` from the builder: the last pattern that fits decides."""
    names = [path, *(parent.as_posix() for parent in Path(path).parents)]
    out = False
    for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines():
        pattern = line.strip().lstrip("!").rstrip("/")
        if not pattern or pattern.startswith("#"):
            continue
        anywhere = pattern.removeprefix("**/")  # fnmatch's star crosses folders by itself
        fits = [fnmatchcase(name, pattern) or fnmatchcase(name, anywhere) for name in names]
        if any(fits) or (anywhere != pattern and fnmatchcase(Path(path).name, anywhere)):
            out = not line.startswith("!")
    return out


@pytest.mark.parametrize("file", FILES, ids=IMAGES)
def test_the_linter_has_no_complaint(file):
    linter = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([str(linter), str(file)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_linter_finds_a_root_user_and_unpinned_packages(tmp_path):
    bad = tmp_path / "Dockerfile"
    bad.write_text("FROM python\nUSER root\nRUN pip install torch\n", encoding="utf-8")
    linter = Path(sys.executable).with_name("hadolint")
    done = subprocess.run([str(linter), str(bad)], capture_output=True, text=True, check=False)
    assert {"DL3006", "DL3002", "DL3013"} <= set(re.findall(r"DL\d+", done.stdout))


@pytest.mark.parametrize("file", FILES, ids=IMAGES)
def test_what_is_copied_exists_and_reaches_the_builder(file):
    sources = [
        one for rest in of(file, "COPY") if "--from" not in rest for one in rest.split()[:-1]
    ]
    assert "constraints.txt" in sources and "infra/" in sources
    for source in sources:
        path = ROOT / source
        assert path.exists(), source
        inside = list(path.rglob("*.py")) if path.is_dir() else [path]
        assert any(not ignored(one.relative_to(ROOT).as_posix()) for one in inside), source


@pytest.mark.parametrize("file", FILES, ids=IMAGES)
def test_constraints_that_are_named_are_copied_before(file):
    copied = " ".join(of(file, "COPY"))
    for run in of(file, "RUN"):
        for name in re.findall(r"-c (\S+)", run):
            assert name in copied


def test_neither_keys_nor_work_nor_history_reach_the_builder():
    for path in (
        *(".git/config", ".venv/bin/python", "work/store/x", ".secrets.baseline"),
        *("flows/.env", "infra/tls.key", "infra/ca.pem", "tests/test_cli.py"),
        "infra/kubernetes/manifests/secrets.yaml",
    ):
        assert ignored(path), path
    for path in ("flows/tso.py", "constraints.txt", "infra/images/health.py", "tasks/child.py"):
        assert not ignored(path), path


@pytest.mark.parametrize("file", FILES, ids=IMAGES)
def test_processes_are_nobody_special_and_no_layer_holds_a_secret(file):
    assert of(file, "USER") == ["1000:1000"]
    user = pool_template("cpu")["variables"]["properties"]["user_id"]["default"]
    assert user == 1000
    words = " ".join(of(file, "ENV") + of(file, "ARG")).upper()
    assert not re.search(r"SECRET|TOKEN|PASSWORD|_KEY|AUTH", words)
    assert of(file, "ADD") == []


@pytest.mark.parametrize("file", FILES, ids=IMAGES)
def test_the_health_check_and_the_packages_of_the_project_import(file):
    [check] = of(file, "HEALTHCHECK")
    [module] = re.findall(r'"-m", "([\w.]+)"', check)
    assert importlib.util.find_spec(module) is not None
    deployed = yaml.safe_load((ROOT / "prefect.yaml").read_text(encoding="utf-8"))
    for one in deployed["deployments"]:
        assert importlib.util.find_spec(one["entrypoint"].partition(":")[0]) is not None


def test_each_pool_has_the_image_that_its_dockerfile_says():
    names = {"cpu": "orchestrator", "gpu-sampling": "sampling", "gpu-training": "training"}
    assert sorted(names.values()) == IMAGES
    for pool, name in names.items():
        image = pool_template(pool)["variables"]["properties"]["image"]["default"]
        assert f"-t {image} ." in (ROOT / f"infra/images/{name}.Dockerfile").read_text("utf-8")


def test_vllm_has_an_environment_of_its_own_in_one_image():
    [sampling] = [file for file in FILES if file.stem == "sampling"]
    assert "TSO_SAMPLING_PYTHON=/opt/vllm/bin/python" in " ".join(of(sampling, "ENV"))
    pins = (ROOT / "infra/images/constraints-vllm.txt").read_text(encoding="utf-8")
    named = dict(line.split("==") for line in pins.splitlines() if line[:1] != "#")
    assert "vllm" in named and "prefect" not in named and "+" not in named["torch"]


class Api(BaseHTTPRequestHandler):
    def do_GET(self):
        body = b"true" if self.path == "/api/health" else b"false"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def api():
    server = HTTPServer(("127.0.0.1", 0), Api)
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/api"
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_container_is_healthy_while_its_server_answers(api, monkeypatch, capsys):
    monkeypatch.setenv("PREFECT_API_URL", f"{api}/")
    assert health.main() == 0
    monkeypatch.setenv("PREFECT_API_URL", "http://127.0.0.1:9/api")
    assert health.main() == 1 and "127.0.0.1:9" in capsys.readouterr().out
    monkeypatch.setenv("PREFECT_API_URL", "file:///etc/passwd")
    assert health.main() == 1 and "has to be the address" in capsys.readouterr().out
