"""The configuration in docs/sampling.md is one."""

import re

import yaml

from tasks.config import CellSection, MachineSection
from tasks.variants import load_variant
from tests.sources import ROOT

PAGE = (ROOT / "docs/sampling.md").read_text(encoding="utf-8")


def test_cells_judges_and_machine_of_the_page_can_be_configured():
    [block] = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    written = yaml.safe_load(block)
    cells = {name: CellSection.model_validate(cell) for name, cell in written["matrix"].items()}
    assert cells["policy"].engine.server.tensor_parallel == 2
    assert cells["terse"].engine.server == cells["long"].engine.server
    judge = load_variant("tasks.judges", **written["judges"]["main"])
    assert judge.server.dtype == "bfloat16" and not judge.base_url
    assert MachineSection(**written["machine"]) == MachineSection()
