"""A flag for every setting: commands made from settings classes."""

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin

import typer
from pydantic import AliasChoices, SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from edgeloop.cli.options import settings_of

RENAMED = {("ClientSettings", "host"): "loop"}
_FLAG_TYPES: tuple[type, ...] = (bool, int, float, Path)


def command_of(
    run: Callable[..., None], kinds: Mapping[str, type[BaseSettings]]
) -> Callable[..., None]:
    """A command with a flag for each setting; ``run`` gets one settings object per name.

    What else ``run`` has as parameters, typer's ``context`` included, it gets as they are declared.
    A flag that is not given leaves the setting to the environment or its default.
    """
    parameters: dict[str, inspect.Parameter] = {}
    places: dict[str, tuple[str, str]] = {}
    for name, kind in kinds.items():
        for setting, field in kind.model_fields.items():
            flag = RENAMED.get((kind.__name__, setting), setting)
            variable = _variable(kind, setting, field)
            parameters[flag] = _parameter(flag, field, variable=variable)
            places[flag] = (name, setting)

    own = _own_parameters(run, kinds)
    parameters |= own

    def command(**values: Any) -> None:
        passed = {name: values.pop(name) for name in own}
        chosen: dict[str, dict[str, Any]] = {name: {} for name in kinds}
        for flag, value in values.items():
            name, setting = places[flag]
            chosen[name][setting] = value
        run(**passed, **{name: settings_of(kind, **chosen[name]) for name, kind in kinds.items()})

    command.__doc__ = run.__doc__
    command.__annotations__ = {name: p.annotation for name, p in parameters.items()}
    vars(command)["__signature__"] = inspect.Signature(list(parameters.values()))
    return command


def _own_parameters(
    run: Callable[..., None], kinds: Mapping[str, type[BaseSettings]]
) -> dict[str, inspect.Parameter]:
    return {
        name: parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for name, parameter in inspect.signature(run).parameters.items()
        if name not in kinds
    }


def _parameter(flag: str, field: FieldInfo, *, variable: str) -> inspect.Parameter:
    option = typer.Option(help=_text(field, variable), show_default=False)
    annotation: Any = Annotated[_flag_type(field.annotation) | None, option]
    return inspect.Parameter(
        flag, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation
    )


def _text(field: FieldInfo, variable: str) -> str:
    default = field.get_default(call_default_factory=True)
    is_shown = default not in (None, "") and not isinstance(default, SecretStr)
    place = f"[{variable}; default: {default}]" if is_shown else f"[{variable}]"
    return f"{field.description} {place}" if field.description else place


def _variable(kind: type[BaseSettings], setting: str, field: FieldInfo) -> str:
    prefixed = f"{kind.model_config.get('env_prefix', '')}{setting}".upper()
    match field.validation_alias:
        case AliasChoices(choices=choices):
            return next(str(choice) for choice in choices if choice != setting)
        case str(name):
            return name
        case _:
            return prefixed


def _flag_type(annotation: Any) -> Any:
    if get_origin(annotation) is Annotated:
        return _flag_type(get_args(annotation)[0])
    kinds = {annotation, *get_args(annotation)}
    return next((kind for kind in _FLAG_TYPES if kind in kinds), str)
