"""Which endpoint answers a path. Fixed paths by one dictionary look-up, others by their pattern.

Starlette's router tries one route after another, which costs a microsecond each; with all services in one
process that was most of a small request. Its path syntax and convertors are used as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import attrs
from starlette.convertors import Convertor
from starlette.routing import compile_path

T = TypeVar("T")


@attrs.frozen
class Match:
    """What a path leads to: endpoints by method, and the path's parameters."""

    by_method: Mapping[str, Any]
    path_params: Mapping[str, Any]


@attrs.define
class _Pattern:
    regex: re.Pattern[str]
    convertors: Mapping[str, Convertor[Any]]
    by_method: dict[str, Any]


class RouteTable:
    """Endpoints by method and path. A GET endpoint answers HEAD too."""

    def __init__(self, entries: Iterable[tuple[str, str, Any]]) -> None:
        """`entries`: method, path, endpoint. A fixed path goes before a pattern, an earlier pattern before a later one.

        Raises:
            ValueError: a method and path is given twice, however its parameters are named.
        """
        self._fixed: dict[str, dict[str, Any]] = {}
        self._patterns: list[_Pattern] = []
        shapes: dict[str, dict[str, _Pattern]] = {}
        for method, path, endpoint in entries:
            regex, path_format, convertors = compile_path(path)
            if not convertors:
                by_method = self._fixed.setdefault(path, {})
            else:
                same_shape = shapes.setdefault(re.sub(r"\{[^}]*\}", "{}", path_format), {})
                pattern = same_shape.get(path)
                if pattern is None:
                    pattern = same_shape[path] = _Pattern(regex, convertors, {})
                    self._patterns.append(pattern)
                if any(method in other.by_method for other in same_shape.values()):
                    raise ValueError(f"two routes answer {method} {path}")
                by_method = pattern.by_method
            if method in by_method:
                raise ValueError(f"two routes answer {method} {path}")
            by_method[method] = endpoint
        for by_method in [*self._fixed.values(), *(pattern.by_method for pattern in self._patterns)]:
            if "GET" in by_method:
                by_method.setdefault("HEAD", by_method["GET"])

    def find(self, method: str, path: str) -> Match | None:
        """The match for a path: of those that know the method, the first; else all methods there are, joined.
        None: nothing is at this path."""
        fixed = self._fixed.get(path)
        if fixed is not None and method in fixed:
            return Match(fixed, {})
        seen: dict[str, Any] = dict(fixed or {})
        for pattern in self._patterns:
            found = pattern.regex.match(path)
            if found is None:
                continue
            if method in pattern.by_method:
                texts = found.groupdict()
                return Match(
                    pattern.by_method, {name: pattern.convertors[name].convert(text) for name, text in texts.items()}
                )
            seen.update(pattern.by_method)
        return Match(seen, {}) if seen else None
