"""One small world for all recipes of a worker: what they have in common is sampled once."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from infra.presets import read_recipe
from tasks.layers import with_overrides
from tests.whole_runs import World, small_world


class RecipeWorld:
    """Runs recipes in one store over the same small preset."""

    def __init__(self, folder: Path) -> None:
        self.base = small_world(folder)

    def world(self, recipe: str, **overrides: Any) -> World:
        """The small preset under `recipe`; `overrides` are dotted keys with `__` for the dots."""
        data = yaml.safe_load(self.base.preset.read_text(encoding="utf-8"))
        own = {key.replace("__", "."): value for key, value in overrides.items()}
        data = with_overrides(with_overrides(data, read_recipe(recipe)["set"]), own)
        path = self.base.folder / f"{recipe}.yaml"
        path.write_text(yaml.safe_dump(data), encoding="utf-8")
        return World(self.base.folder, path)

    def round(self, recipe: str, run: str = "", **overrides: Any) -> tuple[World, dict[str, Any]]:
        """One more round of `recipe`: its world, and the manifest of the round."""
        world = self.world(recipe, **overrides)
        run = run or recipe.replace("_", "-")
        state = world.rounds(run)
        assert state.is_completed(), state.message
        return world, world.tree(run).manifests()[-1]


@pytest.fixture(scope="session")
def recipes(prefect_server: None, tmp_path_factory: pytest.TempPathFactory) -> RecipeWorld:
    """What recipes have in common is sampled and judged once in a worker."""
    return RecipeWorld(tmp_path_factory.mktemp("recipes"))
