"""The command line covers the client's calls: what a program can ask for, a person can."""

import ast
import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer.main
from typer.core import TyperGroup

from client.test_coverage import functions
from edgeloop import cli
from edgeloop.cli.main import app

OF_NODES = {
    "images.image_file": "trainers",
    "images.image_records": "trainers",
    "images.upload_detections": "trainers",
    "images.upload_images": "detectors; people get receipts",
    "conversions.fail_conversion": "converters",
    "conversions.lease_conversion": "converters",
    "conversions.renew_conversion": "converters",
    "deployments.deployment_target": "detectors",
    "models.models": "published nodes; people list project_models",
    "models.upload_training_model": "trainers",
    "nodes.pass_user_input": "pages with an annotator",
    "nodes.pass_user_logout": "pages with an annotator",
    "nodes.report_detector": "detectors",
}
OF_PROGRAMS = {
    "images.image_thumbnail": "pages; people download whole images",
    "novelty.put_novelty_scores": "programs that compare images compute them",
    "users.give_user_role": "put_project_member does the same by name",
    "nodes.node": "people name a node and find it in the list",
    "projects.project": "people name a project and find it in the list",
    "users.user": "people name an account and find it in the list",
    "users.user_roles": "the list of accounts has them",
}
NOTHING_TO_READ = {
    "detector": "runs",
    "trainer": "runs",
    "image download": "writes files",
    "model download": "writes a file",
    "node forget": "deletes",
    "node restart": "asks only",
    "project delete": "deletes",
    "token revoke": "deletes",
    "user remove": "deletes",
}
EXCEPTIONS = OF_NODES | OF_PROGRAMS
CALLS = {f"{f.__module__.rpartition('.')[2]}.{f.__name__}": f for f in functions()}


def used_in(module: ModuleType) -> Iterator[Callable[..., Any]]:
    """The functions that a module names, by themselves or in another module."""
    known = vars(module)
    for node in ast.walk(ast.parse(Path(str(module.__file__)).read_text())):
        match node:
            case ast.Name(id=name) if inspect.isfunction(known.get(name)):
                yield known[name]
            case ast.Attribute(value=ast.Name(id=name), attr=attribute):
                found = getattr(known.get(name), attribute, None)
                if inspect.isfunction(found):
                    yield found


USED = {
    function
    for module in pkgutil.iter_modules(cli.__path__)
    for function in used_in(importlib.import_module(f"{cli.__name__}.{module.name}"))
}


@pytest.mark.parametrize("name", sorted(CALLS.keys() - EXCEPTIONS.keys()))
def test_a_call_of_a_person_has_a_command(name: str) -> None:
    assert CALLS[name] in USED


@pytest.mark.parametrize("name", sorted(EXCEPTIONS))
def test_an_exception_is_a_call_that_no_command_uses(name: str) -> None:
    assert CALLS[name] not in USED


def commands(command: Any, *path: str) -> Iterator[tuple[str, set[str]]]:
    """Each command by its words, with its flags."""
    if isinstance(command, TyperGroup):
        for name, below in command.commands.items():
            yield from commands(below, *path, name)
    else:
        yield " ".join(path), {flag for option in command.params for flag in option.opts}


FLAGS = dict(commands(typer.main.get_command(app)))
ASKING = sorted(name for name, flags in FLAGS.items() if "--username" in flags)


@pytest.mark.parametrize("name", ASKING)
def test_a_command_that_asks_the_loop_answers_programs(name: str) -> None:
    assert ("--json" in FLAGS[name]) == (name not in NOTHING_TO_READ)
