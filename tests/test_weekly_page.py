"""docs/weekly.md and docs/placement.md: their commands are those that service tests run."""

import re
from pathlib import Path

from docs.weekly import PAGE, Deployed, commands

TEXT = PAGE.read_text(encoding="utf-8")
SERVICES = Path(__file__).with_name("services")


def test_every_command_of_the_pages_has_a_name_and_few_are_for_people_alone():
    pages = (TEXT, PAGE.with_name("placement.md").read_text(encoding="utf-8"))
    assert sum(text.count("```sh") for text in pages) == len(commands())
    sources = [*SERVICES.glob("*.py"), PAGE.with_name("weekly.py")]
    code = "".join(source.read_text(encoding="utf-8") for source in sources)
    used = set(re.findall(r"(?:run|serve)\(\"([\w-]+)\"", code))
    assert commands().keys() - used == {"install", "settings", "sampling-worker"}


def test_the_settings_of_the_page_are_those_that_the_test_gives(tmp_path):
    (tmp_path / "preset.yaml").write_text("run: {}")
    given = Deployed(tmp_path / "lab", tmp_path / "preset.yaml").environment
    named = re.findall(r"^export (\w+)=", commands()["settings"], re.MULTILINE)
    assert len(named) == 3 and set(named) <= given.keys()


def test_every_picture_is_there_and_small():
    pictures = re.findall(r"!\[[^\]]+\]\((images/\w+\.png)\)", TEXT)
    assert len(pictures) == 4
    for picture in pictures:
        data = (PAGE.parent / picture).read_bytes()
        assert data.startswith(b"\x89PNG") and 10_000 < len(data) < 250_000


def test_the_server_listens_on_this_machine_only():
    assert "--host 127.0.0.1" in commands()["server"]
