"""One live server with work pools and a worker for the tests of deployments."""

import psutil
import pytest

from docs.weekly import deployed
from tests.services.weekly_run import Weekly, few_children


@pytest.fixture(scope="package")
def weekly(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weekly")
    with deployed(folder / "lab", few_children(folder)) as lab:
        yield Weekly(lab, folder)
    assert processes_with(f"PREFECT_HOME={folder}") == []


def processes_with(text):
    """Processes whose environment holds `text`."""
    found = []
    for process in psutil.process_iter():
        try:
            settings = [f"{key}={value}" for key, value in process.environ().items()]
        except (psutil.Error, OSError):
            continue
        found += [process.pid] if any(one.startswith(text) for one in settings) else []
    return found
