"""Configurations: frozen dataclasses, filled from YAML, checked strictly, torch-free.

A configuration is built in three layers: the defaults of the dataclass, a preset or file, and
``key.path=value`` overrides. Unknown keys, wrong types and values out of range are refused
together, in one message that names each field and suggests the nearest known key.
"""

import dataclasses
import difflib
import re
import types
import typing
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import cattrs
import yaml
from cattrs.gen import make_dict_structure_fn

from meshgan.errors import ConfigError
from meshgan.files import write_text

Config = TypeVar("Config")


class _Loader(yaml.SafeLoader):
    """Safe YAML in which 1e-3 is a number, as everyone expects (YAML 1.1 wants 1.0e-3)."""


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9][0-9_]*(\.[0-9_]*)?[eE][-+]?[0-9]+$"), None
)


def build(kind: type[Config], values: Mapping[str, Any], where: str = "config") -> Config:
    """Make a ``kind`` from nested plain values.

    Raises:
        ConfigError: an unknown key, a wrong type, or a value that the dataclass refuses; all
            problems stand in one message.
    """
    problems = list(_problems(kind, values, ""))
    if problems:
        raise ConfigError(f"{where}: " + "; ".join(problems))
    try:
        return _converter().structure(values, kind)
    except cattrs.BaseValidationError as error:
        raise ConfigError(f"{where}: " + "; ".join(_refusals(error))) from error


def read(
    kind: type[Config], path: Path | str, overrides: Sequence[str] = (), where: str | None = None
) -> Config:
    """Read a YAML file and apply ``key.path=value`` overrides."""
    return build(kind, override(read_values(path), overrides), where or str(path))


def read_values(path: Path | str) -> dict[str, Any]:
    """The nested values of a YAML file, unchecked.

    Raises:
        ConfigError: no such file, not YAML, or not a mapping.
    """
    path = Path(path)
    try:
        values = _parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not YAML ({' '.join(str(error).split())})") from error
    if not isinstance(values, dict | None):
        raise ConfigError(f"{path}: found a {type(values).__name__}, expected keys and values")
    return values or {}


def override(values: Mapping[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """Apply ``key.path=value`` texts, values read as YAML, to nested ``values`` (copied)."""
    result = _deep_copy(values)
    for text in overrides:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise ConfigError(f"--set {text}: expected key=value, for example train.steps=500")
        node = result
        *parents, last = key.split(".")
        for parent in parents:
            node = node.setdefault(parent, {})
            if not isinstance(node, dict):
                raise ConfigError(f"--set {text}: {parent} is a value, not a group of settings")
        try:
            node[last] = _parse(value)
        except yaml.YAMLError as error:
            raise ConfigError(f"--set {text}: the value is not YAML") from error
    return result


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Nested values of ``base`` with those of ``over`` on top."""
    result = _deep_copy(base)
    for key, value in over.items():
        if isinstance(value, Mapping) and isinstance(result.get(key), dict):
            result[key] = merge(result[key], value)
        else:
            result[key] = value
    return result


def values_of(config: Any) -> dict[str, Any]:
    """The nested plain values of a configuration: what ``build`` takes."""
    return _converter().unstructure(config)


def write(path: Path | str, config: Any) -> None:
    """Write a configuration as YAML, whole or not at all."""
    write_text(path, as_yaml(config))


def as_yaml(config: Any) -> str:
    """A configuration as YAML text, in the order of its fields."""
    return yaml.safe_dump(values_of(config), sort_keys=False, allow_unicode=True)


def require(config: Any, **claims: bool) -> None:
    """Refuse a configuration some of whose ``claims`` (field name -> holds?) are false.

    For use in ``__post_init__``: ``require(self, steps=self.steps > 0)``.
    """
    wrong = [
        f"{name} = {getattr(config, name)!r} is out of range"
        for name, holds in claims.items()
        if not holds
    ]
    if wrong:
        raise ConfigError(f"{type(config).__name__}: " + "; ".join(wrong))


def _parse(text: str) -> Any:
    return yaml.load(text, Loader=_Loader)


def _deep_copy(values: Mapping[str, Any]) -> dict[str, Any]:
    return {
        key: _deep_copy(value) if isinstance(value, Mapping) else value
        for key, value in values.items()
    }


def _problems(kind: type, values: Any, prefix: str) -> Iterator[str]:
    """Unknown keys and wrong types, anywhere below; cattrs alone would convert too much."""
    if not isinstance(values, Mapping):
        yield f"{prefix.rstrip('.') or 'it'} must be a group of settings, found {values!r}"
        return
    hints = typing.get_type_hints(kind)
    fields = {field.name: hints[field.name] for field in dataclasses.fields(kind) if field.init}
    for key, value in values.items():
        if key not in fields:
            near = difflib.get_close_matches(str(key), fields, n=1, cutoff=0.6)
            hint = f" (did you mean {prefix}{near[0]}?)" if near else ""
            yield f"{prefix}{key} is not a setting{hint}"
        elif dataclasses.is_dataclass(fields[key]):
            yield from _problems(typing.cast(type, fields[key]), value, f"{prefix}{key}.")
        elif not _fits(value, fields[key]):
            yield f"{prefix}{key} must be {_named(fields[key])}, found {value!r}"


def _fits(value: Any, kind: Any) -> bool:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return True
    if origin in (typing.Union, types.UnionType):
        return any(_fits(value, option) for option in arguments)
    if origin is typing.Literal:
        return value in arguments
    if origin is tuple:
        if not isinstance(value, list | tuple):
            return False
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return all(_fits(item, arguments[0]) for item in value)
        return len(value) == len(arguments) and all(map(_fits, value, arguments))
    if origin in (dict, Mapping) or kind is dict:
        if not isinstance(value, Mapping):
            return False
        return not arguments or all(
            _fits(key, arguments[0]) and _fits(item, arguments[1]) for key, item in value.items()
        )
    if kind is type(None):
        return value is None
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if kind is Path:
        return isinstance(value, str | Path)
    if dataclasses.is_dataclass(kind):
        return isinstance(value, Mapping)
    return isinstance(value, kind)


def _named(kind: Any) -> str:
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return " or ".join(_named(option) for option in arguments)
    if origin is typing.Literal:
        return "one of " + ", ".join(map(str, arguments))
    if origin is tuple:
        return f"a list of {_named(arguments[0])}"
    if origin in (dict, Mapping):
        return f"names with {_named(arguments[1])}"
    names = {float: "a number", int: "a whole number", bool: "true or false", str: "a text"}
    return names.get(
        kind, "nothing" if kind is type(None) else getattr(kind, "__name__", str(kind))
    )


def _refusals(error: BaseException) -> Iterator[str]:
    """The messages of the dataclasses' own range checks, without cattrs' wrapping."""
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _refusals(inner)
    else:
        yield str(error)


def _converter() -> cattrs.Converter:
    converter = cattrs.Converter(detailed_validation=True)
    converter.register_structure_hook_factory(
        dataclasses.is_dataclass,
        lambda kind: make_dict_structure_fn(kind, converter, _cattrs_forbid_extra_keys=True),
    )
    converter.register_structure_hook(int | float, lambda value, _: value)
    converter.register_unstructure_hook(Path, str)
    return converter
