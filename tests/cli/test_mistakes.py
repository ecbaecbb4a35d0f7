"""Every mistake ends in one sentence that says what to do, and exit code 2."""

import json
import socket
import subprocess
from pathlib import Path

import pytest

from edgeloop import durable
from edgeloop.cli.demo import MARKER
from edgeloop.client import ClientSettings, LoopClient
from edgeloop.client.calls.images import image_ids
from edgeloop.client.calls.projects import create_project
from edgeloop.formats import NamedBox, write_voc
from fakes import jpeg
from processes import PASSWORD, StartLoop, edgeloop, settings_for

BOX = NamedBox("bolt", 1, 2, 30, 40)


def assert_says(ended: "subprocess.CompletedProcess[str]", sentence: str) -> None:
    said = " ".join(ended.stderr.split())
    assert ended.returncode == 2, said
    assert sentence in said
    assert "Traceback" not in said


@pytest.fixture
def project(start_loop: StartLoop) -> ClientSettings:
    """A running loop with the project o/p that knows bolts."""
    settings = settings_for(start_loop().url)
    with LoopClient(settings) as client:
        client.send(create_project("o", "p", [{"name": "bolt"}]))
    return settings


def dataset(folder: Path) -> Path:
    for name in ("a", "b"):
        write_voc(folder, name, jpeg=jpeg(seed=len(name)), size=(64, 48), boxes=[BOX])
    return folder


def images_of(settings: ClientSettings) -> list[str]:
    with LoopClient(settings) as client:
        return client.send(image_ids("o", "p"))


def test_a_loop_that_is_not_there_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        nowhere = f"127.0.0.1:{listener.getsockname()[1]}"
    ended = edgeloop("project", "list", settings=ClientSettings(host=nowhere))
    assert_says(ended, f"The loop at http://{nowhere} does not answer")


def test_a_wrong_password_is_said_with_who_asked(start_loop: StartLoop) -> None:
    settings = settings_for(start_loop().url, password="wrong")
    assert_says(edgeloop("project", "list", settings=settings), " as admin.)")


def test_who_does_not_log_in_is_told_which_variables_do(start_loop: StartLoop) -> None:
    nobody = ClientSettings(host=start_loop().url)
    said = "as nobody: set LOOP_USERNAME and LOOP_PASSWORD, or LOOP_TOKEN.)"
    assert_says(edgeloop("project", "list", settings=nobody), said)


@pytest.mark.parametrize("command", ["loop", "detector", "trainer"])
def test_a_taken_port_is_said_with_the_flag_that_helps(tmp_path: Path, command: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ended = edgeloop(command, "--port", str(port), "--data-folder", tmp_path / "data")
    assert_says(ended, f"Port {port} is taken by another program")


@pytest.mark.parametrize("command", ["loop", "detector", "trainer"])
def test_a_data_folder_that_is_a_file_is_refused(tmp_path: Path, command: str) -> None:
    (tmp_path / "file").write_text("")
    ended = edgeloop(command, "--port", "0", "--data-folder", tmp_path / "file")
    assert_says(ended, "choose another one with --data-folder")


def test_a_setting_of_the_wrong_kind_is_named() -> None:
    assert_says(edgeloop("detector", "--min-uncertain-threshold", "2"), "min_uncertain_threshold")


def test_a_path_that_cannot_be_used_is_named(project: ClientSettings, tmp_path: Path) -> None:
    edgeloop("import", "voc", dataset(tmp_path / "data"), "--project", "o/p", settings=project)
    file = tmp_path / "m.bin"
    file.write_bytes(b"")
    for target, said in (
        (file, "Not a directory"),
        (Path("/proc/foo"), "No such file or directory"),
    ):
        ended = edgeloop("image", "download", "o/p", target, settings=project)
        assert_says(ended, f"{target} cannot be used ({said}): name another path")


def test_a_model_is_not_written_where_a_folder_stands(
    project: ClientSettings, tmp_path: Path
) -> None:
    (tmp_path / "model.onnx").write_bytes(b"weights")
    edgeloop("model", "upload", "o/p", "onnx", tmp_path / "model.onnx", settings=project)
    for target in (tmp_path, tmp_path / "model.onnx" / "x.zip"):
        download = ("model", "download", "o/p", "0.0", "onnx", "--output", target)
        assert_says(edgeloop(*download, settings=project), "cannot be used")


def test_a_token_cannot_last_for_ages() -> None:
    ended = edgeloop("token", "create", "x", "--scope", "viewer", "--expires-in-days", "1e12")
    assert_says(ended, "36500")


def test_a_file_that_the_loop_refuses_is_named_with_how_many_came_before_it(
    project: ClientSettings, tmp_path: Path
) -> None:
    for seed in range(21):
        (tmp_path / f"{seed:02}.jpg").write_bytes(jpeg(seed=seed))
    culprit = tmp_path / "mixed [new] \u00fc%.jpg"
    culprit.write_bytes(b"\x89PNG")
    ended = edgeloop("image", "upload", "o/p", tmp_path, settings=project)
    assert_says(ended, f"{culprit}: Not a JPEG")
    assert "20 of 22 images are in o/p." in ended.stderr
    assert len(images_of(project)) == 20


def test_a_project_without_organization_is_explained(project: ClientSettings) -> None:
    ended = edgeloop("project", "create", "parts", "--category", "x", settings=project)
    assert_says(ended, "write ORG/PROJECT")


def test_a_project_that_exists_is_not_made_again(project: ClientSettings) -> None:
    ended = edgeloop("project", "create", "o/p", "--category", "bolt", settings=project)
    assert_says(ended, "o/p")


def test_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    assert_says(edgeloop("import", "voc", tmp_path, "--project", "o/p"), "has no JPEG images")


def test_an_unknown_project_is_said_with_the_command_that_makes_it(
    project: ClientSettings, tmp_path: Path
) -> None:
    ended = edgeloop("import", "voc", dataset(tmp_path), "--project", "o/x", settings=project)
    assert_says(ended, "edgeloop project create o/x")


def test_one_corrupt_image_stops_the_import_before_anything_is_stored(
    project: ClientSettings, tmp_path: Path
) -> None:
    folder = dataset(tmp_path)
    (folder / "images" / "b.jpg").write_bytes(jpeg()[:-300])
    ended = edgeloop("import", "voc", folder, "--project", "o/p", settings=project)
    assert_says(ended, "b.jpg")
    assert images_of(project) == []


def test_a_category_that_the_project_lacks_stops_the_import(
    project: ClientSettings, tmp_path: Path
) -> None:
    folder = dataset(tmp_path)
    write_voc(folder, "c", jpeg=jpeg(), size=(64, 48), boxes=[NamedBox("nut", 1, 1, 9, 9)])
    ended = edgeloop("import", "voc", folder, "--project", "o/p", settings=project)
    assert_says(ended, "has no category nut")
    assert images_of(project) == []


def test_images_without_any_box_are_nothing_to_import(tmp_path: Path) -> None:
    write_voc(tmp_path, "a", jpeg=jpeg(), size=(64, 48), boxes=[])
    ended = edgeloop("import", "voc", tmp_path, "--project", "o/p")
    assert_says(ended, "None of the 1 images")


def test_a_folder_of_others_is_not_emptied_for_the_demo(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("work")
    assert_says(edgeloop("demo", "--output", tmp_path), "choose another folder with --output")
    assert (tmp_path / "precious").exists()


def test_a_demo_on_a_folder_without_images_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    ended = edgeloop("demo", "--data", tmp_path / "data", "--output", tmp_path / "out")
    assert_says(ended, "has no JPEG images")


def earlier_demo(output: Path) -> Path:
    """The folder of a demo, with something in it."""
    output.mkdir()
    (output / MARKER).touch()
    (output / "figures.json").write_text("{}")
    return output


def test_a_demo_on_a_wrong_folder_leaves_the_earlier_one_as_it_was(tmp_path: Path) -> None:
    output = earlier_demo(tmp_path / "out")
    ended = edgeloop("demo", "--data", tmp_path / "nothing", "--output", output)
    assert_says(ended, "is no folder")
    assert (output / "figures.json").exists()


def test_a_demo_that_is_still_running_is_left_alone(tmp_path: Path) -> None:
    output = earlier_demo(tmp_path / "out")
    with durable.alone_in(output):
        assert_says(edgeloop("demo", "--output", output), "Another demo is running")
    assert (output / "figures.json").exists()


def test_a_table_that_cannot_be_written_is_said_before_the_story(tmp_path: Path) -> None:
    ended = edgeloop("demo", "--output", tmp_path / "out", "--json", tmp_path)
    assert_says(ended, "name a file in a folder that exists")
    assert not (tmp_path / "out").exists()


def test_a_command_that_does_not_exist_is_a_mistake() -> None:
    assert_says(edgeloop("fly"), "No such command")


def test_importing_twice_stores_once_and_broken_boxes_are_counted(
    project: ClientSettings, tmp_path: Path
) -> None:
    folder = dataset(tmp_path)
    write_voc(
        folder, "c", jpeg=jpeg(seed=9), size=(64, 48), boxes=[BOX, NamedBox("bolt", 1, 1, 0, 9)]
    )
    for known in ("", "3 of them were there already and stay as they are."):
        ended = edgeloop("import", "voc", folder, "--project", "o/p", settings=project)
        assert known in ended.stdout
        assert ended.returncode == 0, ended.stderr
        assert "Imported 3 images with 3 boxes into o/p" in ended.stdout
        assert "c.xml: box 2 (bolt) has no area" in ended.stderr
    assert len(images_of(project)) == 3


def test_boxes_outside_their_image_are_counted_and_named_as_they_are(
    project: ClientSettings, tmp_path: Path
) -> None:
    boxes = [BOX, NamedBox("bolt", 64, 3, 9, 9), NamedBox("bolt", 5, 5, 9, 0.2)]
    write_voc(tmp_path, "a", jpeg=jpeg(), size=(64, 48), boxes=boxes)
    write_voc(tmp_path, "b", jpeg=jpeg(seed=1), size=(64, 48), boxes=[NamedBox("[/x]", 1, 1, 0, 9)])
    ended = edgeloop("import", "voc", tmp_path, "--project", "o/p", settings=project)
    assert "Imported 2 images with 1 boxes into o/p" in ended.stdout
    assert "a.jpg: box 2 (bolt) has no pixel in its 64x48." in ended.stderr
    assert "a.jpg: box 3 (bolt) has no pixel in its 64x48." in ended.stderr
    assert "b.xml: box 1 ([/x]) has no area." in ended.stderr


def test_folders_of_one_name_with_files_of_one_name_are_both_imported(
    project: ClientSettings, tmp_path: Path
) -> None:
    for seed, site in enumerate(("left", "right")):
        folder = tmp_path / site / "data"
        write_voc(folder, "0001", jpeg=jpeg(seed=seed), size=(64, 48), boxes=[BOX])
        ended = edgeloop("import", "voc", folder, "--project", "o/p", settings=project)
        assert "there already" not in ended.stdout
    assert len(images_of(project)) == 2


def test_a_password_is_reset_in_the_folder_that_stands_before_the_subcommand(
    start_loop: StartLoop,
) -> None:
    loop = start_loop()
    folder = loop.arguments[loop.arguments.index("--data-folder") + 1]
    ended = edgeloop("loop", "--data-folder", folder, "reset-password")
    assert ended.returncode == 0, ended.stderr
    assert edgeloop("project", "list", settings=settings_for(loop.url)).returncode == 2


def test_a_database_that_is_none_is_a_mistake(tmp_path: Path) -> None:
    ended = edgeloop("loop", "--data-folder", tmp_path, "--port", "0", "--database-url", "nothing")
    assert_says(ended, "EDGELOOP_DATABASE_URL is no database")


def test_a_new_password_works_and_the_old_one_does_not(start_loop: StartLoop) -> None:
    loop = start_loop()
    folder = loop.arguments[loop.arguments.index("--data-folder") + 1]
    ended = edgeloop("loop", "reset-password", "--data-folder", folder)
    password = ended.stdout.split()[-1]
    assert password != PASSWORD
    listed = edgeloop("project", "list", settings=settings_for(loop.url, password=password))
    assert listed.returncode == 0, listed.stderr
    assert edgeloop("project", "list", settings=settings_for(loop.url)).returncode == 2


def test_projects_are_listed_with_their_images(project: ClientSettings, tmp_path: Path) -> None:
    edgeloop("import", "voc", dataset(tmp_path), "--project", "o/p", settings=project)
    edgeloop("project", "open", "o/p", settings=project)
    listed = edgeloop("project", "list", settings=project).stdout
    assert "o/p" in listed
    assert "open" in listed
    edgeloop("project", "close", "o/p", settings=project)
    assert "same host only" in edgeloop("project", "list", settings=project).stdout


def test_the_version_is_shown() -> None:
    assert edgeloop("--version").stdout.strip() == "0.1.0"


def test_a_mistake_is_a_json_line_where_the_log_is_json(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = edgeloop("loop", "--log-json", "--data-folder", tmp_path / "loop", "--port", port)
    assert ended.returncode == 2
    lines = [json.loads(line) for line in ended.stderr.splitlines()]
    assert f"Port {port} is taken" in lines[-1]["message"]
