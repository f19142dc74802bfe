"""A YAML file as a layer of the configuration. Nodes, not objects, are read: they know their lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import attrs
import yaml

from streamgate.config.layers import Collected, KeyPath, near
from streamgate.config.values import Key, Raw, keys_of
from streamgate.settings import Secret


@attrs.frozen
class YamlLayer:
    """One YAML file, read into `into`. `shown` is the file's name in faults."""

    shown: str
    root: Mapping[str, Key]
    into: Collected
    is_partial: bool = False  # sections of plugins that are not installed here are let pass, with a note

    def read(self, text: str) -> None:
        try:
            node = yaml.compose(text, Loader=yaml.SafeLoader)
        except yaml.MarkedYAMLError as fault:
            line = fault.problem_mark.line + 1 if fault.problem_mark else 1
            self.into.fault(f"{self.shown}:{line}", (), f"this is not YAML: {fault.problem}")
            return
        except yaml.YAMLError as fault:  # a character YAML does not allow
            self.into.fault(self.shown, (), f"this is not YAML: {fault}")
            return
        if node is not None and not _is_nothing(node):
            self._group(node, self.root, ())

    def _where(self, node: yaml.Node) -> str:
        return f"{self.shown}:{node.start_mark.line + 1}"

    def _group(self, node: yaml.Node, keys: Mapping[str, Key], path: KeyPath) -> None:
        for name_node, value in self._pairs(node, path):
            name, where = name_node.value, self._where(name_node)
            key, secret = keys.get(name), _secret_of(name, keys)
            if secret is not None and isinstance(value, yaml.ScalarNode):
                self.into.put_secret_file((*path, secret), value.value, where)
            if key is not None:
                self._value(value, key, (*path, name))
            elif secret is None:
                self._unknown(where, name, keys, path)

    def _value(self, node: yaml.Node, key: Key, path: KeyPath) -> None:
        element = key.element
        if (key.is_section or element is not None) and _is_nothing(node):
            return
        if key.is_section:
            self._group(node, keys_of(key.type), path)
        elif element is not None:
            for name_node, value in self._pairs(node, path):
                self.into.elements[(*path, name_node.value)] = self._where(name_node)
                self._value(value, element, (*path, name_node.value))
        elif isinstance(node, yaml.MappingNode):
            self.into.fault(self._where(node), path, "this is one value, not a group of keys")
        else:
            self.into.put(path, key, _raw(node), self._where(node))

    def _pairs(self, node: yaml.Node, path: KeyPath) -> Iterator[tuple[yaml.ScalarNode, yaml.Node]]:
        if not isinstance(node, yaml.MappingNode):
            self.into.fault(self._where(node), path, "a group of keys is wanted here (key: value, one a line)")
            return
        seen: set[str] = set()
        for name, value in node.value:
            if not isinstance(name, yaml.ScalarNode):
                self.into.fault(self._where(name), path, "a key is a plain word")
            elif name.value in seen:
                self.into.fault(self._where(name), (*path, name.value), "this key is there twice; keep one")
            else:
                seen.add(name.value)
                yield name, value

    def _unknown(self, where: str, name: str, keys: Mapping[str, Key], path: KeyPath) -> None:
        hint = near(name, keys)
        if path:
            others = [f"{top}.{name}" for top, key in self.root.items() if key.is_section and name in keys_of(key.type)]
            hint = f"; it belongs to {others[0]}" if others else hint or f"; known here: {', '.join(keys)}"
            self.into.fault(where, (*path, name), f"unknown key{hint}")
        elif name == "profile":
            self.into.fault(where, (name,), "the profile is chosen at start: --profile or STREAMGATE_PROFILE")
        elif self.is_partial and not hint:
            self.into.notes.append(f"{where}: {name}: no plugin of this name is installed here; not read")
        else:
            self.into.fault(where, (name,), f"unknown section{hint or '; no installed plugin has this name'}")


def _secret_of(name: str, keys: Mapping[str, Key]) -> str | None:
    """The secret that `<secret>_file` stands for."""
    stem = name.removesuffix("_file")
    return stem if stem != name and stem in keys and keys[stem].type is Secret else None


def _is_nothing(node: yaml.Node) -> bool:
    return isinstance(node, yaml.ScalarNode) and node.tag == "tag:yaml.org,2002:null"


def _raw(node: yaml.Node) -> Raw:
    if isinstance(node, yaml.SequenceNode):
        return [_raw(each) for each in node.value]
    if isinstance(node, yaml.MappingNode):
        return [each.value for each, _ in node.value]  # no field takes it; the fault shows its keys
    return None if _is_nothing(node) else str(node.value)
