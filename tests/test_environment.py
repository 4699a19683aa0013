"""What `python3 -m infra.environment` decides before it installs anything."""

import subprocess
import sys

import pytest

from infra import environment


class Commands:
    """Notes the commands that would be run; each ends with the next of `codes`, else with 0."""

    def __init__(self):
        self.made, self.codes = [], []

    def run(self, command, **options):
        self.made.append([*map(str, command)])
        return subprocess.CompletedProcess(command, self.codes.pop(0) if self.codes else 0)


@pytest.fixture
def commands(monkeypatch):
    noted = Commands()
    monkeypatch.setattr(environment.subprocess, "run", noted.run)
    monkeypatch.setattr(environment, "install", lambda: noted.made.append(["install"]))
    return noted


def test_an_unknown_command_lists_those_there_are(capsys, commands):
    assert environment.main(["tests"]) == 2
    assert "usage: python3 -m infra.environment quickstart | test" in capsys.readouterr().out
    assert commands.made == []


def test_no_command_is_an_unknown_command(capsys, commands):
    assert environment.main([]) == 2 and "usage:" in capsys.readouterr().out


def test_an_old_python_is_refused_with_both_versions(capsys, commands, monkeypatch):
    monkeypatch.setattr(environment, "OLDEST", (99, 0))
    assert environment.main(["test"]) == 2
    assert f"Python {sys.version.split()[0]} is too old" in capsys.readouterr().out
    assert commands.made == []


def test_the_test_command_checks_format_lint_and_types_before_the_tests(commands):
    assert environment.main(["test", "-k", "claims"]) == 0
    first, *steps = commands.made
    python = str(environment.PYTHON)
    assert first == ["install"] and {step[0] for step in steps} == {python}
    assert [step[2] for step in steps] == ["ruff", "ruff", "mypy", "pytest"]
    assert steps[-1][-2:] == ["-k", "claims"] and "-k" not in steps[0]


def test_the_first_failure_ends_it_with_its_exit_code(commands):
    commands.codes += [0, 7]
    assert environment.main(["test"]) == 7
    assert len(commands.made) == 3


def test_installing_alone_runs_nothing(commands):
    assert environment.main(["install"]) == 0
    assert commands.made == [["install"]]


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").write_text("a")
    (tmp_path / "constraints.txt").write_text("b")
    monkeypatch.setattr(environment, "ROOT", tmp_path)
    monkeypatch.setattr(environment, "STAMP", tmp_path / "installed")
    return tmp_path


def test_what_is_installed_already_is_not_installed_again(project, monkeypatch, capsys):
    def made():
        raise AssertionError("made again")

    monkeypatch.setattr(environment, "_make_venv", made)
    environment.STAMP.write_text(environment._digest())
    environment.install()
    assert "is up to date" in capsys.readouterr().out


@pytest.mark.parametrize("changed", ["pyproject.toml", "constraints.txt"])
def test_other_requirements_are_another_environment(project, changed, monkeypatch):
    environment.STAMP.write_text(environment._digest())
    (project / changed).write_text("other")
    steps = []
    monkeypatch.setattr(environment, "_make_venv", lambda: steps.append(["venv"]))
    monkeypatch.setattr(environment.subprocess, "run", lambda step, **_: steps.append(step))
    environment.install()
    assert steps[0] == ["venv"] and "pip>=25.1" in steps[1]
    assert steps[2][-6:] == ["-c", "constraints.txt", "--group", "dev", "-e", "."]
    assert environment.STAMP.read_text() == environment._digest()


def test_an_installation_that_fails_leaves_no_mark(project, monkeypatch):
    def fails(step, **options):
        raise subprocess.CalledProcessError(1, step)

    monkeypatch.setattr(environment, "_make_venv", lambda: None)
    monkeypatch.setattr(environment.subprocess, "run", fails)
    with pytest.raises(subprocess.CalledProcessError):
        environment.install()
    assert not environment.STAMP.exists()


def test_it_needs_nothing_but_the_standard_library():
    root = str(environment.ROOT)
    program = f"import sys; sys.path.insert(0, {root!r}); import infra.environment; "
    command = [sys.executable, "-I", "-S", "-c", program + "print(*sys.modules)"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert loaded - {"infra", "__main__"} <= set(sys.stdlib_module_names)
