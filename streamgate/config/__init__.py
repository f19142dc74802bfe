"""The configuration: config.yaml < config.<profile>.yaml < environment < flags, into frozen attrs sections.

Every fault of every layer is named at once, with the file and line or the variable that said it.
`layers.py` collects what was said, `values.py` knows the types, `show.py` prints it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import attrs

from streamgate.config.layers import Collected, Fault, KeyPath, near, read_flags
from streamgate.config.show import render_config
from streamgate.config.values import Key, keys_of
from streamgate.config.variables import VariableLayer
from streamgate.config.yaml import YamlLayer
from streamgate.settings import KernelSettings
from streamgate.settings.refusals import check

__all__ = ["PROFILES", "Config", "ConfigFaults", "load_config", "render_config", "root_keys"]

PROFILES = ("dev", "prod", "test")

S = TypeVar("S")


class ConfigFaults(Exception):
    """The configuration cannot be used. `faults` are all there are, in the order of the layers."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = tuple(faults)


@attrs.frozen(kw_only=True)
class Config:
    """What was configured. `notes` are things an operator should know that stop nothing; `files` were read."""

    settings: KernelSettings
    files: tuple[str, ...]
    notes: tuple[str, ...]
    _sections: Mapping[str, Any]
    _origins: Mapping[KeyPath, str]

    def section(self, name: str) -> Any:
        """A plugin's section, an instance of its config class.

        Raises:
            KeyError: no plugin of this name brought a config class.
        """
        return self._sections[name]

    def origin(self, key: str) -> str:
        """Who said the value of a dotted key: `config/config.yaml:12`, `SERVER_PORT`, `--host`, or `default`."""
        return next((origin for path, origin in self._origins.items() if ".".join(path) == key), "default")

    def groups(self) -> Iterator[tuple[str, Any]]:
        """Everything at the top level by name, the kernel's first."""
        for name in keys_of(KernelSettings):
            if name != "profile":
                yield name, getattr(self.settings, name)
        yield from self._sections.items()


def root_keys(sections: Mapping[str, type]) -> dict[str, Key]:
    """The top level: the kernel's keys, then a section for each plugin.

    Raises:
        ValueError: a plugin's name is a kernel section's.
    """
    root = {name: key for name, key in keys_of(KernelSettings).items() if name != "profile"}
    for name, section in sections.items():
        if name in root:
            raise ValueError(f"a plugin cannot be named {name!r}: the kernel's own section has this name")
        keys_of(section)
        root[name] = Key(name=name, type=section, default=attrs.NOTHING)
    return root


def load_config(
    *,
    sections: Mapping[str, type],
    profile: str = "",
    file: Path | None = None,
    flags: Mapping[str, object] | None = None,
    environment: Mapping[str, str] | None = None,
    is_partial: bool = False,
) -> Config:
    """Reads all layers.

    Args:
        sections: attrs class of each installed plugin's section, by plugin name.
        profile: dev, prod, test or '' (then STREAMGATE_PROFILE, else none).
        file: instead of config/config.yaml in the working directory (or the packaged one where there is none);
            `<file>.<profile>.yaml` beside it is the next layer.
        flags: dotted key → value, from the command line.
        environment: instead of the process' own.
        is_partial: some plugins are not installed here (`--only` in a container of its own), and sections
            of theirs in a shared configuration are let pass with a note.

    Raises:
        ConfigFaults: with everything that is wrong.
        ValueError, TypeError: a plugin's section class cannot be used.
    """
    variables = os.environ if environment is None else environment
    root, into = root_keys(sections), Collected()
    profile = profile or variables.get("STREAMGATE_PROFILE", "")
    if profile and profile not in PROFILES:
        into.fault("STREAMGATE_PROFILE", (), f"{profile!r} is none of {', '.join(PROFILES)}{near(profile, PROFILES)}")
        profile = ""
    read = _read_files(_find_files(file, profile, into), root, into, is_partial=is_partial)
    VariableLayer(root, into, is_partial).read(variables)
    read_flags(root, flags or {}, into)
    builder = _Builder(into)
    built = {name: builder.value(key, (name,)) for name, key in root.items()}
    if into.faults:
        raise ConfigFaults(into.faults)
    kernel = {name: value for name, value in built.items() if name not in sections}
    return Config(
        settings=KernelSettings(profile=profile, **kernel),
        files=read,
        notes=tuple(into.notes),
        sections={name: built[name] for name in sections},
        origins={path: value.origin for path, value in into.values.items()} | into.elements,
    )


def _find_files(file: Path | None, profile: str, into: Collected) -> list[Path]:
    candidates = [Path("config/config.yaml"), *(folder / "config.yaml" for folder in _packaged())]
    base = file or next((each for each in candidates if each.is_file()), None)
    if base is None:
        return []
    if not profile:
        return [base]
    layer = base.with_name(f"{base.stem}.{profile}{base.suffix}")
    if layer.is_file():
        return [base, layer]
    into.notes.append(f"profile {profile}: there is no {_shown(layer)}")
    return [base]


def _packaged() -> Iterator[Path]:
    """Where the configuration that ships with StreamGate lies: in the package, or beside it in a checkout."""
    here = Path(__file__).parents[1]
    yield here / "defaults"
    yield here.parent / "config"


def _read_files(
    files: Sequence[Path], root: Mapping[str, Key], into: Collected, *, is_partial: bool
) -> tuple[str, ...]:
    for path in files:
        shown = _shown(path)
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as fault:
            reason = fault.strerror if isinstance(fault, OSError) else "it is not UTF-8 text"
            into.fault(shown, (), f"cannot be read: {reason}")
            continue
        YamlLayer(shown, root, into, is_partial).read(text)
    return tuple(_shown(path) for path in files)


def _shown(path: Path) -> str:
    """A path as short as it can be said from here."""
    absolute, here = path.absolute(), Path.cwd()
    return str(absolute.relative_to(here)) if absolute.is_relative_to(here) else str(path)


@attrs.frozen
class _Builder:
    """Makes instances of the collected values. A section with a fault becomes None, and the fault is noted."""

    into: Collected

    def value(self, key: Key, path: KeyPath) -> Any:
        element = key.element
        if key.is_section:
            return self._section(key.type, path)
        if element is not None:
            names = [found[-1] for found in self.into.elements if found[:-1] == path]
            return {name: self.value(element, (*path, name)) for name in names} if names else key.default
        found = self.into.values.get(path)
        return key.default if found is None else found.value

    def _section(self, section: type[S], path: KeyPath) -> S | None:
        faults_before = len(self.into.faults)
        values = {}
        for name, key in keys_of(section).items():
            value = self.value(key, (*path, name))
            if value is attrs.NOTHING:
                self._missing(key, (*path, name))
            else:
                values[name] = value
        if len(self.into.faults) > faults_before:
            return None
        try:
            return section(**values)
        except (ValueError, TypeError) as fault:
            self._blame(section, path, values, fault)
            return None

    def _missing(self, key: Key, path: KeyPath) -> None:
        if any(fault.key == ".".join(path) for fault in self.into.faults):
            return  # it was said, and it was wrong
        where = self.into.elements.get(path[:-1], "")
        self.into.fault(where, path, f"is missing, and has no default: {key.help or key.name}")

    def _blame(self, section: type, path: KeyPath, values: Mapping[str, Any], fault: Exception) -> None:
        """Which values the validators refuse; the section as a whole where it is none alone."""
        found = False
        for name, key in keys_of(section).items():
            if key.validator is None:
                continue
            field = next(each for each in attrs.fields(section) if each.alias == name)
            try:
                check(field, values[name])
            except (ValueError, TypeError) as refused:
                found = True
                self.into.fault(self._origin((*path, name)), (*path, name), _first(refused))
        if not found:
            self.into.fault(self.into.elements.get(path, ""), path, _first(fault))

    def _origin(self, path: KeyPath) -> str:
        """Where a value was said; of a map, where its first key was."""
        if path in self.into.values:
            return self.into.values[path].origin
        return next((where for found, where in self.into.elements.items() if found[:-1] == path), "default")


def _first(fault: Exception) -> str:
    return str(fault.args[0]) if fault.args else type(fault).__name__
