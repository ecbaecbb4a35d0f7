"""Real photographs with boxes, where they lie beside the project."""

from pathlib import Path

import pytest

from edgeloop.client import LoopClient
from edgeloop.client.calls.images import image_ids, image_records
from edgeloop.client.calls.projects import create_project
from processes import StartLoop, edgeloop, settings_for

PHOTOGRAPHS = Path(__file__).parents[3] / "shared" / "data" / "bccd"


@pytest.mark.slow
@pytest.mark.skipif(not PHOTOGRAPHS.is_dir(), reason="the photographs are not here")
def test_photographs_are_imported_with_all_their_whole_boxes(start_loop: StartLoop) -> None:
    settings = settings_for(start_loop().url)
    with LoopClient(settings) as client:
        client.send(create_project("o", "p", [{"name": n} for n in ("RBC", "WBC", "Platelets")]))
        ended = edgeloop("import", "voc", PHOTOGRAPHS, "--project", "o/p", settings=settings)
        assert ended.returncode == 0, ended.stderr
        assert "Left out 2 broken parts" in ended.stderr
        ids = client.send(image_ids("o", "p", state="complete"))
        records = [
            record
            for start in range(0, len(ids), 100)
            for record in client.send(image_records("o", "p", ids[start : start + 100]))
        ]
    assert len(records) == 292
    assert all((record.width, record.height) == (640, 480) for record in records)
    boxes = sum(len(record.annotations.boxes) for record in records)
    assert f"Imported 292 images with {boxes} boxes" in ended.stdout
