"""The environment as a layer of the configuration."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote

import attrs

from streamgate.config.layers import PREFIX, Collected, KeyPath, kubernetes_hint, near, spelled, variable_name, walk
from streamgate.config.values import Key, from_variable, keys_of
from streamgate.settings import Secret, UrlParts

# What Kubernetes puts into the environment of every pod for a Service named `streamgate` or `streamgate-…`.
_KUBERNETES = re.compile(r"(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)")


@attrs.frozen
class _Resolved:
    path: KeyPath
    key: Key
    elements: tuple[KeyPath, ...]  # the maps' keys on the way


@attrs.frozen
class VariableLayer:
    """The environment: `STREAMGATE_<SECTION>__<KEY>` beats a field's second name beats the parts of a URL."""

    root: Mapping[str, Key]
    into: Collected
    is_partial: bool = False

    def read(self, environment: Mapping[str, str]) -> None:
        for path, key in walk(self.root):
            if key.url_parts is not None:
                self._join(path, key, key.url_parts, environment)
            if key.env and key.env in environment:
                self._put(path, key, environment[key.env], key.env)
        for name in sorted(environment):
            if name.startswith(PREFIX) and name != f"{PREFIX}PROFILE":
                self._own(name, environment)

    def _put(self, path: KeyPath, key: Key, text: str, name: str) -> None:
        self.into.put(path, key, from_variable(key.type, text, is_duration=path[-1].endswith("_s")), name)

    def _own(self, name: str, environment: Mapping[str, str]) -> None:
        parts = name.removeprefix(PREFIX).split("__")
        found = self._resolve(parts)
        stem = self._resolve([*parts[:-1], parts[-1].removesuffix("_FILE")]) if parts[-1].endswith("_FILE") else None
        if stem is not None and stem.key.type is Secret:
            if name.removesuffix("_FILE") in environment:
                self.into.fault(name, stem.path, f"{name.removesuffix('_FILE')} is set too; keep one")
            self.into.put_secret_file(stem.path, environment[name], name)
        elif found is None:
            self._unknown(name, parts, environment[name])
        if found is not None:
            for element in found.elements:
                self.into.elements.setdefault(element, name)
            self._put(found.path, found.key, environment[name], name)

    def _resolve(self, parts: list[str]) -> _Resolved | None:
        """The key a variable means: `AUTH__CHAINS__EIP155_1__RPC_URLS` → auth.chains.eip155:1.rpc_urls."""
        path: KeyPath = ()
        elements: list[KeyPath] = []
        keys, element = self.root, None
        key: Key | None = None
        for part in parts:
            if element is not None:
                key, path = element, (*path, self._map_key(path, part))
                elements.append(path)
            else:
                key = next((each for name, each in keys.items() if spelled(name) == part.upper()), None)
                if key is None:
                    return None
                path = (*path, key.name)
            keys, element = keys_of(key.type) if key.is_section else {}, key.element
        if key is None or key.is_section or element is not None:
            return None
        return _Resolved(path, key, tuple(elements))

    def _map_key(self, path: KeyPath, part: str) -> str:
        """A map's key as a file spelled it; else in small letters, `_` read as `:` (eip155:31337)."""
        for known in self.into.elements:
            if known[:-1] == path and spelled(known[-1]) == part.upper():
                return known[-1]
        return part.lower().replace("_", ":")

    def _join(self, path: KeyPath, key: Key, parts: UrlParts, environment: Mapping[str, str]) -> None:
        given = {
            part: environment[part] for part in (parts.host, parts.port, parts.name, parts.user) if part in environment
        }
        if not given.get(parts.host):
            for name in given:
                if name != parts.host:
                    self.into.notes.append(f"{name} is set but {parts.host} is not; not read")
            return
        port = given.get(parts.port) or str(parts.default_port)
        if not port.isdigit() or not 0 < int(port) < 65536:
            self.into.fault(parts.port, path, f"{port!r} is not a port{kubernetes_hint(parts.port, port)}")
            return
        password = environment.get(parts.password, "")
        if not password and environment.get(f"{parts.password}_FILE"):
            before = len(self.into.faults)
            self.into.put_secret_file(path, environment[f"{parts.password}_FILE"], f"{parts.password}_FILE")
            if len(self.into.faults) > before:
                return
            password = self.into.values[path].value.reveal()
        host = given[parts.host]
        user = given.get(parts.user) or (parts.default_name if password else "")
        login = quote(user, safe="") + (":" + quote(password, safe="") if password else "")
        name = given.get(parts.name) or parts.default_name
        url = f"{parts.scheme}://{login + '@' if login else ''}{f'[{host}]' if ':' in host else host}:{port}"
        self.into.put(path, key, f"{url}/{quote(name, safe='')}" if name else url, parts.host)

    def _unknown(self, name: str, parts: list[str], text: str) -> None:
        if len(parts) == 1 and (_KUBERNETES.fullmatch(parts[0]) or (name.endswith("_PORT") and "://" in text)):
            return
        known = [variable_name(path) for path, _ in walk(self.root)]
        section = next((key for each, key in self.root.items() if spelled(each) == parts[0].upper()), None)
        hint = near(name, known)
        if self.is_partial and section is None and len(parts) > 1 and not near(parts[0], map(spelled, self.root)):
            self.into.notes.append(f"{name}: no plugin named {parts[0].lower()!r} is installed here; not read")
            return
        if not hint and section is not None and section.is_section:
            hint = f"; known here: {', '.join(keys_of(section.type))}"
        self.into.fault(name, (), f"no such setting{hint}")
