"""The settings of ``detect``: those of its stages, composed. Unknown keys are errors.

A configuration file is YAML with the sections of ``DetectConfig``; what it leaves out keeps its
default. ``configs/detect/default.yaml`` lists everything with units.
"""

from __future__ import annotations

import difflib
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Any, TypeVar

import yaml

from groundbreak.errors import ConfigError
from groundbreak.events.build import EventsConfig
from groundbreak.inference.stitch import StitchConfig
from groundbreak.pipeline.detect import Settings
from groundbreak.pipeline.outlines import OutlineConfig
from groundbreak.pipeline.pairs import PairsConfig
from groundbreak.prepare.job import PrepareConfig

T = TypeVar("T")


@dataclass(frozen=True)
class DetectConfig:
    """One section per stage, see the stages for their keys; and what runs the network."""

    engine: str = "auto"
    prepare: PrepareConfig = field(default_factory=PrepareConfig)
    inference: StitchConfig = field(default_factory=StitchConfig)
    pairs: PairsConfig = field(default_factory=PairsConfig)
    outlines: OutlineConfig = field(default_factory=OutlineConfig)
    events: EventsConfig = field(default_factory=EventsConfig)

    def settings(self, min_confidence: float | None = None) -> Settings:
        """As the pipeline takes them; ``min_confidence`` wins over all of the file's."""
        events = self.events
        if min_confidence is not None:
            events = replace(
                events,
                min_confidence=min_confidence,
                min_confidence_first=min_confidence,
                min_confidence_eased=min_confidence,
            )
        return Settings(self.prepare, self.inference, self.outlines, events, self.pairs)


def load_config(path: Path | None) -> DetectConfig:
    """Read a configuration file over the defaults.

    Raises:
        ConfigError: the file cannot be read, a key is unknown, a value is of the wrong kind.
    """
    if path is None:
        return DetectConfig()
    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(str(path), "does not exist") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(str(path), f"is not a YAML file ({_first_line(error)})") from error
    return updated(DetectConfig(), document or {}, str(path))


def updated(config: T, document: Any, where: str) -> T:
    """A dataclass with the values of a mapping put over its own, nested ones too.

    Raises:
        ConfigError: a key is unknown (the nearest known one is named), or a value is of the
            wrong kind or out of range.
    """
    if not isinstance(document, Mapping):
        raise ConfigError(where, f"expected keys and values, got {document!r}")
    known = {f.name for f in fields(config)}  # type: ignore[arg-type]
    hints = typing.get_type_hints(type(config))
    changes = {}
    for key, value in document.items():
        if key not in known:
            near = difflib.get_close_matches(str(key), sorted(known), n=1, cutoff=0.0)
            raise ConfigError(where, f"unknown key '{key}'", f"did you mean '{near[0]}'?")
        current, place = getattr(config, key), f"{where}: {key}"
        changes[key] = (
            updated(current, value, place)
            if is_dataclass(current)
            else _converted(value, hints[key], place, current)
        )
    try:
        return replace(config, **changes)  # type: ignore[type-var]
    except ValueError as error:
        raise ConfigError(where, str(error)) from error


def _converted(value: Any, hint: Any, place: str, current: Any = None) -> Any:
    """A YAML value as the type that is asked for."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        return _converted(value, next(a for a in arguments if a is not type(None)), place)
    if origin is not None and issubclass(origin, Mapping) and isinstance(value, Mapping):
        given = {
            _converted(k, arguments[0], place): _converted(v, arguments[1], f"{place}: {k}")
            for k, v in value.items()
        }
        return {**(current or {}), **given}
    if origin is tuple and isinstance(value, list):
        inner = [arguments[0]] * len(value) if arguments[-1] is ... else list(arguments)
        if len(inner) == len(value):
            return tuple(_converted(v, a, place) for v, a in zip(value, inner, strict=True))
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _member(hint, value, place)
    if (
        isinstance(hint, type)
        and isinstance(value, hint)
        and isinstance(value, bool) is (hint is bool)
    ):
        return value
    raise ConfigError(place, f"expected {_spoken(hint)}, got {value!r}")


def _member(hint: type[Enum], value: Any, place: str) -> Enum:
    try:
        return hint(value)
    except ValueError:
        names = [str(member.value) for member in hint]
        near = difflib.get_close_matches(str(value), names, n=1, cutoff=0.0)
        raise ConfigError(place, f"unknown '{value}'", f"did you mean '{near[0]}'?") from None


def _spoken(hint: Any) -> str:
    words = {float: "a number", int: "a whole number", bool: "true or false", str: "a text"}
    return words.get(hint, str(hint).replace("typing.", ""))


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]
