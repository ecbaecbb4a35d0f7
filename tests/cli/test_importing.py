"""``edgeloop import``: what programs read."""

from pathlib import Path

from cli.shop import Shop
from edgeloop.formats import NamedBox, write_voc
from fakes import jpeg


def test_programs_read_what_was_imported_and_what_was_left_out(store: Shop, tmp_path: Path) -> None:
    boxes = [NamedBox("bolt", 1, 2, 30, 40), NamedBox("bolt", 1, 1, 0, 9)]
    write_voc(tmp_path, "a", jpeg=jpeg(), size=(64, 48), boxes=boxes)
    first, again = (
        store.json("import", "voc", str(tmp_path), "--project", "o/p") for _ in range(2)
    )
    assert (first["images"], first["boxes"], first["repeated"]) == (1, 1, 0)
    assert "has no area" in first["faults"][0]
    assert again == {**first, "repeated": 1}
