"""`python -m infra.audit secrets | dependencies`: no secret is committed, no unsafe version used.

Part of `python3 -m infra.environment test`. An audit that could not be made says so.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from contextlib import chdir
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
BASELINE = ".secrets.baseline"
"""What the secret scan has found and a person has looked at."""
WHAT_NOW = (
    "Real ones: take them out, and replace them where they are used: git keeps them for ever. "
    "Others, as in tests: end the line with `pragma: allowlist secret`, or look at all and "
    f"run `detect-secrets scan --baseline {BASELINE}`"
)
PINNED = ("constraints.txt", "constraints-sampling.txt", "infra/images/constraints-vllm.txt")
"""Files of exact versions, which are audited."""
SERVICES = ("pypi", "osv")
"""Who knows vulnerabilities, as pip-audit names them; the first that answers is asked."""
CANARY = "jinja2==2.10"
"""A version with known vulnerabilities: a service that finds none in it has not looked."""
NOT_LOOKED_UP = "not looked up"
"""Where pip-audit passes over a package that its service does not know, without an error."""
SECONDS = 20
"""Longest wait of pip-audit for one answer of a service."""
ACCEPTED: dict[str, str] = {}
"""Vulnerabilities that do not concern us, by id, each with the reason."""


class Finding(NamedTuple):
    """One vulnerability of one of our dependencies."""

    package: str
    version: str
    id: str
    what_now: str
    """The versions that mend it, or why it was not looked up."""


def main(arguments: Sequence[str]) -> int:
    """0 if nothing was found, 1 otherwise, 2 for another use."""
    audits = {"secrets": secrets, "dependencies": dependencies}
    if len(arguments) != 1 or arguments[0] not in audits:
        say(f"usage: python -m infra.audit {' | '.join(audits)}")
        return 2
    return audits[arguments[0]]()


def secrets() -> int:
    """Look for keys, tokens and passwords in every file that git has or would add."""
    from detect_secrets.core import baseline
    from detect_secrets.core.secrets_collection import SecretsCollection
    from detect_secrets.settings import configure_settings_from_baseline

    with chdir(ROOT):  # patterns of the baseline are about relative names
        known = baseline.load_from_file(BASELINE)
        configure_settings_from_baseline(known, filename=BASELINE)
        seen, scanned = baseline.load(known), SecretsCollection()
        files = _files_of_git()
        scanned.scan_files(*files)
    new = list(scanned - seen)
    for file, one in sorted(new, key=lambda pair: (pair[0], pair[1].line_number)):
        say(f"{file}:{one.line_number}: {one.type}")
    if new:
        say(f"secrets: {len(new)}. {WHAT_NOW}")
        return 1
    say(f"secrets: none in {len(files):,} files")
    return 0


def _files_of_git() -> list[str]:
    options = ["-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(
        ["git", "ls-files", *options], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return sorted(name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file())


def dependencies() -> int:
    """Look every pinned version up; where nobody could be asked, say so."""
    service = reachable()
    if service is None:
        say(
            f"dependencies: NOT AUDITED: no service ({', '.join(SERVICES)}) that knows what is "
            f"wrong with {CANARY} could be reached from here. Run `python -m infra.audit "
            "dependencies` where one can"
        )
        return 0
    found = [one for file in PINNED for one in findings(service, ["--requirement", file])]
    open_ones = [one for one in found if one.id not in ACCEPTED]
    for one in sorted(open_ones):
        say(f"{one.package} {one.version}: {one.id}: {one.what_now}")
    say(f"dependencies: {len(open_ones)} vulnerabilities in {' and '.join(PINNED)} ({service})")
    return 1 if open_ones else 0


def reachable() -> str | None:
    """The first service that knows that CANARY is vulnerable."""
    with TemporaryDirectory() as folder:
        canary = Path(folder) / "canary.txt"
        canary.write_text(f"{CANARY}\n", encoding="utf-8")
        for service in SERVICES:
            command = [*_command(service), "--requirement", str(canary)]
            done = subprocess.run(command, check=False, capture_output=True, text=True)
            if any(one.id != NOT_LOOKED_UP for one in _read(done.stdout)):
                return service
    return None


def findings(service: str, what: Sequence[str]) -> list[Finding]:
    """What `service` knows about the versions in `what`; RuntimeError if one was left out."""
    done = subprocess.run(
        [*_command(service), *what], cwd=ROOT, check=False, capture_output=True, text=True
    )
    if done.returncode not in (0, 1) or not done.stdout:
        raise RuntimeError(f"pip-audit failed on {' '.join(what)}:\n{done.stderr[-2000:]}")
    return _read(done.stdout)


def _command(service: str) -> list[str]:
    options = ["--no-deps", "--disable-pip", "--progress-spinner", "off", "--format", "json"]
    waits = ["--vulnerability-service", service, "--timeout", str(SECONDS)]
    return [sys.executable, "-m", "pip_audit", *options, *waits]


def _read(report: str) -> list[Finding]:
    """The findings in a report of pip-audit; a package that it did not look up is one, too."""
    packages: list[dict[str, Any]] = json.loads(report)["dependencies"] if report else []
    found = []
    for one in packages:
        if reason := one.get("skip_reason"):
            found.append(Finding(one["name"], "", NOT_LOOKED_UP, reason))
        for flaw in one.get("vulns", []):
            fixed = ", ".join(flaw["fix_versions"]) or "no version yet"
            found.append(Finding(one["name"], one["version"], flaw["id"], f"fixed in {fixed}"))
    return found


def say(text: str) -> None:
    """Print one line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
