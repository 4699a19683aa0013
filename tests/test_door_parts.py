"""A door may have parts in files of their own; nobody else knows them."""

from tests.sources import CODE, DOOR_PARTS, DOORS, ROOT, doors_of, imports, sources, within


def test_every_part_belongs_to_a_door_and_exists():
    assert {door for part in DOOR_PARTS for door in doors_of(part)} <= set(DOORS)
    assert [part for part in DOOR_PARTS if not (ROOT / f"tasks/{part}.py").is_file()] == []


def test_a_part_of_a_door_is_known_to_that_door_and_its_parts_alone():
    found = [
        f"{path}:{line} imports {name}"
        for path in sources(*CODE)
        for line, name in imports(path)
        for part in DOOR_PARTS
        if within(name, f"tasks.{part}")
        if all(path not in files_of(door) for door in doors_of(part))
    ]
    assert found == []


def files_of(door):
    """The door's own file and those of its parts."""
    parts = [part for part in DOOR_PARTS if door in doors_of(part)]
    return {f"tasks/{one}.py" for one in (door, *parts)}
