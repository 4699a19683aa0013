"""The audits of secrets and dependencies: they find what is there, and never pass unseen."""

import json
import subprocess

import pytest

from infra import audit


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A git repository of one file, with this project's baseline."""
    baseline = (audit.ROOT / audit.BASELINE).read_text(encoding="utf-8")
    (tmp_path / audit.BASELINE).write_text(baseline, encoding="utf-8")
    (tmp_path / "settings.py").write_text("retries = 3\n", encoding="utf-8")
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    monkeypatch.setattr(audit, "ROOT", tmp_path)
    return tmp_path


FAKE_KEY = "AKIA" + "QYLPMN5HHHFPZAM2"
"""Of the shape of an AWS key."""


def test_a_key_in_a_file_that_git_would_add_is_found(tree, capsys):
    (tree / "deploy.yaml").write_text(f"user: x\nkey: {FAKE_KEY}\n", encoding="utf-8")
    assert audit.main(["secrets"]) == 1
    assert "deploy.yaml:2: AWS Access Key" in capsys.readouterr().out


def test_a_tree_without_secrets_passes_and_says_how_much_was_read(tree, capsys):
    assert audit.main(["secrets"]) == 0
    assert "secrets: none in 2 files" in capsys.readouterr().out


class Auditor:
    """Plays pip-audit: each run prints the next of `reports`."""

    def __init__(self, *reports):
        self.reports, self.commands = list(reports), []

    def __call__(self, command, **options):
        self.commands.append(command)
        report = self.reports.pop(0)
        text = report if isinstance(report, str) else json.dumps({"dependencies": report})
        return subprocess.CompletedProcess(command, 0 if text else 2, text, "no route")


def flaw(name, *ids):
    vulns = [{"id": one, "fix_versions": ["9.9"]} for one in ids]
    return {"name": name, "version": "1.0", "vulns": vulns}


UNKNOWN = {"name": "jinja2", "skip_reason": "Dependency not found on PyPI"}
FINE = {"name": "rich", "version": "15.0", "vulns": []}


@pytest.fixture
def auditor(monkeypatch):
    def plays(*reports):
        made = Auditor(*reports)
        monkeypatch.setattr(audit.subprocess, "run", made)
        return made

    return plays


@pytest.mark.parametrize("blind", ["", [UNKNOWN], [FINE]], ids=["away", "knows it not", "blind"])
def test_a_service_that_finds_nothing_in_the_canary_has_not_looked(auditor, capsys, blind):
    made = auditor(blind, blind)
    assert audit.main(["dependencies"]) == 0
    said = capsys.readouterr().out
    assert "NOT AUDITED" in said and "jinja2==2.10" in said and len(made.commands) == 2


def test_a_vulnerable_version_fails_the_audit_and_is_named_with_its_cure(auditor, capsys):
    auditor([flaw("jinja2", "CVE-1")], [FINE, flaw("aiohttp", "CVE-2")], [FINE], [FINE])
    assert audit.main(["dependencies"]) == 1
    assert "aiohttp 1.0: CVE-2: fixed in 9.9" in capsys.readouterr().out


def test_the_second_service_is_asked_where_the_first_is_away(auditor, capsys):
    made = auditor("", [flaw("jinja2", "CVE-1")], [FINE], [FINE], [FINE])
    assert audit.main(["dependencies"]) == 0
    assert "0 vulnerabilities" in (capsys.readouterr().out)
    assert all("osv" in command for command in made.commands[1:])


def test_a_package_that_was_passed_over_fails_the_audit(auditor, capsys):
    auditor([flaw("jinja2", "CVE-1")], [UNKNOWN], [FINE], [FINE])
    assert audit.main(["dependencies"]) == 1
    assert "not looked up: Dependency not found on PyPI" in capsys.readouterr().out


def test_an_audit_that_breaks_off_is_an_error(auditor):
    auditor([flaw("jinja2", "CVE-1")], "")
    with pytest.raises(RuntimeError, match="no route"):
        audit.main(["dependencies"])


def test_what_was_accepted_has_a_reason(auditor, monkeypatch):
    monkeypatch.setitem(audit.ACCEPTED, "CVE-2", "the server of it is never started")
    auditor([flaw("jinja2", "CVE-1")], [flaw("aiohttp", "CVE-2")], [FINE], [FINE])
    assert audit.main(["dependencies"]) == 0
    assert all(len(reason) > 10 for reason in audit.ACCEPTED.values())


def test_another_use_lists_the_audits(capsys):
    assert audit.main(["passwords"]) == 2
    assert "secrets | dependencies" in capsys.readouterr().out
