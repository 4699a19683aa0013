"""Blocks of Python on pages, pasted into the code as a reader would while a test lasts."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

from tasks.variants import kinds
from tests.sources import ROOT

BLOCK = re.compile(r"```python\n# (?P<path>\S+)\n(?P<code>.*?)```", re.DOTALL)


def blocks_of(page):
    """Code by path of all blocks of `page` that say which file they are."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return {match["path"]: match["code"] for match in BLOCK.finditer(text)}


class Paster:
    """Adds variants to their families from a folder of its own."""

    def __init__(self, folder, monkeypatch):
        self.folder, self.patch = folder, monkeypatch
        self.modules = []

    def paste(self, path, code):
        """Write `code` as the file `path` of its family; returns family and kind."""
        folder, _, file = path.rpartition("/")
        family, kind = folder.replace("/", "."), file.removesuffix(".py")
        own = self.folder / folder.replace("/", "-")
        own.mkdir(exist_ok=True)
        (own / file).write_text(code, encoding="utf-8")
        package = importlib.import_module(family)
        self.patch.setattr(package, "__path__", [str(own), *package.__path__])
        self.modules.append(f"{family}.{kind}")
        self.forget()
        return family, kind

    def forget(self):
        """Let the next use import what was pasted, or what was there before."""
        for name in self.modules:
            sys.modules.pop(name, None)
        kinds.cache_clear()


def functions_of(file: Path, code):
    """The test functions of a file with `code`, as they are after importing it."""
    file.write_text(code, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(file.stem, file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return [one for name, one in vars(module).items() if name.startswith("test_")]


def assert_house_style(blocks, folder):
    """Blocks pass the project's linter: code by path, written into the empty `folder`."""
    for path, code in blocks.items():
        (folder / path.replace("/", "_")).write_text(code, encoding="utf-8")
    ruff = [sys.executable, "-m", "ruff", "check", "--no-cache", "--config", "pyproject.toml"]
    kept = ["--ignore", "D,I001", str(folder)]
    done = subprocess.run([*ruff, *kept], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
