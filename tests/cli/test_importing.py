"""``edgeloop import``: what programs read, and what is no file."""

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.shop import Shop
from edgeloop.cli.main import app
from edgeloop.client.calls.images import image_ids
from edgeloop.formats import NamedBox, write_voc
from fakes import jpeg
from processes import edgeloop

BOX = NamedBox("bolt", 1, 2, 30, 40)


def test_programs_read_what_was_imported_and_what_was_left_out(store: Shop, tmp_path: Path) -> None:
    boxes = [NamedBox("bolt", 1, 2, 30, 40), NamedBox("bolt", 1, 1, 0, 9)]
    write_voc(tmp_path, "a", jpeg=jpeg(), size=(64, 48), boxes=boxes)
    first, again = (
        store.json("import", "voc", str(tmp_path), "--project", "o/p") for _ in range(2)
    )
    assert (first["images"], first["boxes"], first["repeated"]) == (1, 1, 0)
    assert "has no area" in first["faults"][0]
    assert again == {**first, "repeated": 1}


def dangle(path: Path) -> None:
    """A link that leads nowhere."""
    path.symlink_to(path.with_name("nowhere"))


@pytest.mark.parametrize("spoil", [dangle, Path.mkdir])
def test_an_image_that_is_no_file_is_named_before_anything_is_stored(
    store: Shop, tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    for seed, name in enumerate("ab"):
        write_voc(tmp_path / "v", name, jpeg=jpeg(seed=seed), size=(64, 48), boxes=[BOX])
    culprit = tmp_path / "v" / "images" / "b.jpg"
    culprit.unlink()
    spoil(culprit)
    command = ("import", "voc", tmp_path / "v", "--project", "o/p")
    ended = edgeloop(*command, settings=store.client.settings)
    assert ended.returncode == 2, ended.stderr
    assert f"{culprit} cannot be used (" in ended.stderr
    assert store.client.send(image_ids("o", "p")) == []


def test_a_folder_is_imported_by_the_holder_of_a_token(store: Shop, tmp_path: Path) -> None:
    write_voc(tmp_path / "v", "a", jpeg=jpeg(), size=(64, 48), boxes=[BOX])
    secret = store.run("token", "create", "belt", "--scope", "manager").strip()
    asked = ["--loop", store.client.settings.host, "--loop-token", secret]
    command = ["import", "voc", str(tmp_path / "v"), "--project", "o/p", *asked]
    assert "Imported 1 images" in CliRunner().invoke(app, command).stdout
