"""What may import what (docs/decisions/0001), and limits on size and on dangerous calls."""

import ast
import subprocess
import sys

import pytest

from tests.sources import (
    CODE,
    DOORS,
    EVERYTHING,
    ROOT,
    body_lines,
    calls,
    docstring_lines,
    functions,
    imports,
    room_of,
    sources,
    tree,
    within,
)

DOOR_MODULES = tuple(f"tasks.{door}" for door in DOORS)
STORY_MAY = ("prefect", "typing", *DOOR_MODULES, "tasks.config", "tasks.records")
HOW_PARAMETERS_LOOK = tuple(f"infra.prefect.{name}" for name in ("form", "names", "orders"))
STORY_MAY_TOO = ("tasks.model_matrix", "flows.measure", *HOW_PARAMETERS_LOOK)
"""The matrix is a word of the algorithm; measuring is told in a file of its own."""

INFRA_MAY = tuple(
    f"tasks.{name}"
    for name in (
        *("records", "errors", "canonical", "tables", "placement"),
        *("child", "variants", "sources", "conversations", "spending", "serving"),
        *("storage_settings", "annotation_items", "harness", "layers"),
    )
)

LIBRARIES = {
    *("pydantic", "numpy", "pandas", "pyarrow", "scipy", "jinja2", "rapidfuzz", "matplotlib"),
    *("krippendorff", "sacrebleu", "crowdkit", "py3langid", "stop_words"),
    *("torch", "transformers", "peft", "safetensors", "tokenizers", "tensorboard"),
    *("markupsafe", "PIL", "pydantic_core"),  # parts of jinja2, matplotlib and pydantic
}
"""Third-party packages of domain code."""

OUTSIDE_WORLD = {
    *("os", "subprocess", "multiprocessing", "threading", "signal", "socket", "ssl", "asyncio"),
    *("http", "urllib", "ftplib", "smtplib", "time", "datetime", "random", "secrets", "uuid"),
    *("getpass", "platform", "tempfile", "shutil", "glob", "pathlib", "io", "sqlite3", "logging"),
}
"""Standard modules that read the clock, the environment, chance, a disk, a network or a process."""

IN_A_CHILD = ("tasks/training/", "tasks/child.py")
"""Runs in a child process: clock, environment and the local paths given to it are its own."""

MAY_READ = {
    "tasks/tokens.py": {"pathlib"},
    "tasks/weights.py": {"pathlib"},
    "tasks/describe.py": {"pathlib"},
    "tasks/templates.py": {"pathlib"},
    "tasks/report/figures.py": {"io"},
}
"""Domain modules that read local files given to them, or write to memory."""


def violations(room, forbidden):
    """Imports in files of `room` for which forbidden(path, name) gives a reason."""
    return [
        f"{path}:{line} imports {name}: {reason}"
        for path in sources(*CODE)
        if room_of(path) == room
        for line, name in imports(path)
        if (reason := forbidden(path, name))
    ]


def test_every_door_exists():
    assert [door for door in DOORS if not (ROOT / f"tasks/{door}.py").is_file()] == []


def test_the_story_imports_verbs_and_nothing_else():
    def forbidden(path, name):
        return "" if within(name, *STORY_MAY, *STORY_MAY_TOO) else "a story only names verbs"

    assert violations("story", forbidden) == []


def test_no_door_imports_another_door_or_a_flow():
    def forbidden(path, name):
        return "a door knows no door and no flow" if within(name, *DOOR_MODULES, "flows") else ""

    assert violations("door", forbidden) == []


def test_domain_code_knows_neither_prefect_nor_infra_nor_doors():
    def forbidden(path, name):
        outer = within(name, "prefect", "infra", "flows", *DOOR_MODULES)
        return "domain code stands alone" if outer else ""

    assert violations("domain", forbidden) == []


def test_domain_code_uses_no_clock_environment_chance_disk_or_network():
    def forbidden(path, name):
        if path.startswith(IN_A_CHILD):
            return ""
        world = OUTSIDE_WORLD - MAY_READ.get(path, set())
        return "the outside belongs to infra/" if name.split(".")[0] in world else ""

    assert violations("domain", forbidden) == []


def test_domain_code_uses_known_libraries_only():
    known = LIBRARIES | set(sys.stdlib_module_names) | {"tasks"}

    def forbidden(path, name):
        return "" if name.split(".")[0] in known else "not a library of domain code"

    assert violations("domain", forbidden) == []


def test_domain_code_opens_no_file():
    exempt = (*IN_A_CHILD, *MAY_READ)
    openers = {"open", "input", "print", "exec", "eval", "compile", "__import__"}
    found = [
        f"{path}:{call.lineno} calls {name}()"
        for path in sources("tasks")
        if room_of(path) == "domain" and not path.startswith(exempt)
        for call, name in calls(path)
        if name in openers
    ]
    assert found == []


def test_infra_imports_record_tools_only():
    def forbidden(path, name):
        if within(name, "flows") or (within(name, "tasks") and not within(name, *INFRA_MAY)):
            return f"infra may import {', '.join(INFRA_MAY)}"
        return ""

    assert violations("outside", forbidden) == []


def test_infra_takes_only_the_key_mark_from_variants():
    taken = {
        (path, alias.name)
        for path in sources("infra")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ImportFrom) and node.module == "tasks.variants"
        for alias in node.names
    }
    assert {name for _, name in taken} <= {"NotInKey"}, taken


def test_prefect_is_known_only_in_its_folder():
    def forbidden(path, name):
        inside = path.startswith("infra/prefect/")
        return "prefect belongs to infra/prefect/" if within(name, "prefect") and not inside else ""

    assert violations("outside", forbidden) == []


def test_no_folder_of_tests_shadows_a_package():
    assert [name for name in CODE if (ROOT / "tests" / name / "__init__.py").exists()] == []
    assert not (ROOT / "tests/tasks").exists() and not (ROOT / "flows/tasks.py").exists()


@pytest.mark.parametrize("module", ["flows.tso", "tasks.config"])
def test_importing_the_story_loads_no_torch(module):
    program = (
        f"import sys, {module}\n"
        "heavy = ['torch', 'transformers', 'matplotlib', 'peft']\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def is_constant(call, name, value):
    """Whether `call` has the keyword `name` with exactly `value`."""
    given = {one.arg: one.value for one in call.keywords}.get(name)
    return isinstance(given, ast.Constant) and given.value is value


def danger(call, name):
    """Why a call is not allowed, or nothing."""
    keywords = {one.arg for one in call.keywords}
    if "trust_remote_code" in keywords and not is_constant(call, "trust_remote_code", False):
        return "runs code of a model's repository"
    if name == "torch.load" and not is_constant(call, "weights_only", True):
        return "may unpickle code; say weights_only=True"
    if "allow_pickle" in keywords and not is_constant(call, "allow_pickle", False):
        return "may unpickle code"
    if "shell" in keywords and not is_constant(call, "shell", False):
        return "runs a shell"
    bad = ("eval", "exec", "yaml.load", "yaml.unsafe_load", "os.system", "pd.read_pickle")
    return "runs what it reads" if name in bad else ""


def test_nothing_is_unpickled_and_no_foreign_code_runs():
    found = [
        f"{path}:{call.lineno} {name}: {reason}"
        for path in sources(*EVERYTHING)
        for call, name in calls(path)
        if (reason := danger(call, name))
    ]
    assert found == []


def test_no_pickle_is_imported():
    pickles = ("pickle", "cPickle", "cloudpickle", "dill", "joblib", "shelve", "marshal")
    found = [
        f"{path}:{line} imports {name}"
        for path in sources(*CODE, "examples", "benchmarks")
        for line, name in imports(path)
        if within(name, *pickles)
    ]
    assert found == []


def test_no_file_is_longer_than_250_lines_of_code():
    def length(path):
        whole = len((ROOT / path).read_text(encoding="utf-8").splitlines())
        return whole - docstring_lines(path)

    found = {path: length(path) for path in sources(*EVERYTHING) if length(path) > 250}
    assert found == {}


def test_no_function_is_longer_than_40_lines():
    found = [
        f"{path}:{one.lineno} {one.name} has {body_lines(one)} lines"
        for path in sources(*EVERYTHING)
        for one in functions(path)
        if body_lines(one) > 40
    ]
    assert found == []


def test_the_story_fits_on_a_page_or_two():
    assert len((ROOT / "flows/tso.py").read_text(encoding="utf-8").splitlines()) <= 120


def test_every_test_file_has_a_name_of_its_own():
    names = [path.rpartition("/")[2] for path in sources("tests") if "/conftest" not in path]
    assert sorted(names) == sorted(set(names))
