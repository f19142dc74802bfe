"""Which endpoint answers a path. Fixed paths by one dictionary look-up, others by their pattern.

Starlette's router tries one route after another, which costs a microsecond each; with all services in one
process that was most of a small request. Its path syntax and convertors are used as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

import attrs
from starlette.convertors import Convertor
from starlette.routing import compile_path
from starlette.types import ASGIApp

_NOTHING: Mapping[str, Any] = MappingProxyType({})
_Pattern = tuple[re.Pattern[str], Mapping[str, Convertor[Any]], tuple[str, ...], ASGIApp]


@attrs.frozen
class Found:
    """The endpoint of a path and its parameters. Without an endpoint: `allowed` methods, none where nothing is."""

    endpoint: ASGIApp | None
    path_params: Mapping[str, Any] = _NOTHING
    allowed: frozenset[str] = frozenset()


class RouteTable:
    """Endpoints by method and path. What answers GET answers HEAD too."""

    def __init__(self, entries: Iterable[tuple[str, str, ASGIApp]]) -> None:
        """`entries`: method, path, endpoint. A fixed path goes before a pattern, and an earlier pattern before a
        later one (those without a parameter in their first three steps before the others).

        Raises:
            ValueError: a method and path is given twice, however its parameters are named.
        """
        self._fixed: dict[str, dict[str, Found]] = {}
        self._patterns: dict[str, list[_Pattern]] = {}  # by the first steps of their paths
        taken: set[tuple[str, str]] = set()
        for method, path, endpoint in entries:
            shape = (method, re.sub(r"\{[^}]*\}", "{}", path))
            if shape in taken:
                raise ValueError(f"two routes answer {method} {path}")
            taken.add(shape)
            regex, _, convertors = compile_path(path)
            methods = ("GET", "HEAD") if method == "GET" else (method,)
            if convertors:
                self._patterns.setdefault(_first_steps(path), []).append((regex, convertors, methods, endpoint))
            else:
                self._fixed.setdefault(path, {}).update(dict.fromkeys(methods, Found(endpoint)))

    def find(self, method: str, path: str) -> Found:
        fixed = self._fixed.get(path, _NOTHING)
        found = fixed.get(method)
        if found is not None:
            return found
        allowed = set(fixed)
        for bucket in (_first_steps(path), ""):
            for regex, convertors, methods, endpoint in self._patterns.get(bucket, ()):
                match = regex.match(path)
                if match is not None and method in methods:
                    texts = match.groupdict().items()
                    return Found(endpoint, {name: convertors[name].convert(text) for name, text in texts})
                allowed.update(methods if match is not None else ())
        return Found(None, {}, frozenset(allowed))


def _first_steps(path: str) -> str:
    """`/api/v1/content` of `/api/v1/content/{content_id}/gate`; "" where a parameter is among the first three."""
    steps = "/".join(path.split("/", 4)[:4])
    return "" if "{" in steps else steps
