"""Which plugins run, in what order, and what is said when one cannot."""

from __future__ import annotations

from typing import Any, Protocol

import pytest

from streamgate.plugins import Found, PluginInfo, SelectionFault, discover, select
from streamgate.services import ServiceRef


class Nothing(Protocol):
    async def ask(self) -> None: ...


REFS = {name: ServiceRef(name, Nothing) for name in ("base", "middle", "top")}


def info(name: str, **more: Any) -> PluginInfo:
    return PluginInfo(name=name, summary=name, build=lambda ctx: object(), **more)


def found(*infos: PluginInfo) -> list[Found]:
    return [Found(name=i.name, distribution=f"streamgate-{i.name}", version="1", info=i) for i in infos]


TOP = info("aaa-top", offers=(REFS["top"],), needs=(REFS["middle"],))
MIDDLE = info("mmm-middle", offers=(REFS["middle"],), needs=(REFS["base"],))
BASE = info("zzz-base", offers=(REFS["base"],))


def names(chosen: list[PluginInfo]) -> list[str]:
    return [each.name for each in chosen]


def test_services_come_before_those_who_need_them_and_extensions_last() -> None:
    extension = info("aa-extension", kind="extension", extends=("zzz-base",))
    chosen = select(found(TOP, extension, MIDDLE, BASE), None, profile="")
    assert names(chosen) == ["zzz-base", "mmm-middle", "aaa-top", "aa-extension"]


def test_services_that_need_each_other_still_have_one_order() -> None:
    one = info("one", offers=(REFS["base"],), needs=(REFS["top"],))
    two = info("two", offers=(REFS["top"],), needs=(REFS["base"],))
    assert names(select(found(two, one), None, profile="")) == names(select(found(one, two), None, profile=""))


def test_an_extension_comes_only_with_what_it_extends() -> None:
    extension = info("ext", kind="extension", extends=("zzz-base",))
    everything = found(TOP, MIDDLE, BASE, extension)
    assert names(select(everything, ["aaa-top"], profile="")) == ["aaa-top"]
    assert names(select(everything, ["zzz-base"], profile="")) == ["zzz-base", "ext"]


def test_a_plugin_of_another_profile_is_not_in_all_and_refused_in_only() -> None:
    toy = info("toy", profiles=("dev",))
    assert names(select(found(toy, BASE), None, profile="prod")) == ["zzz-base"]
    assert names(select(found(toy, BASE), None, profile="dev")) == ["toy", "zzz-base"]
    with pytest.raises(SelectionFault, match="profile dev only; this is prod"):
        select(found(toy), ["toy"], profile="prod")


def test_a_misspelt_name_gets_a_suggestion() -> None:
    with pytest.raises(SelectionFault, match="did you mean 'mmm-middle'"):
        select(found(TOP, MIDDLE), ["mmm-midle"], profile="")


def test_naming_a_broken_plugin_says_why_and_all_leaves_it_out() -> None:
    broken = Found(name="bad", distribution="bad-dist", version="1", info=None, fault="ImportError: no module x")
    with pytest.raises(SelectionFault, match=r"bad-dist.*no module x"):
        select([broken, *found(BASE)], ["bad"], profile="")
    assert names(select([broken, *found(BASE)], None, profile="")) == ["zzz-base"]


def test_naming_an_extension_is_refused() -> None:
    extension = info("ext", kind="extension", extends=("zzz-base",))
    with pytest.raises(SelectionFault, match="extension of zzz-base"):
        select(found(BASE, extension), ["ext"], profile="")


def test_disabled_plugins_are_not_run() -> None:
    assert names(select(found(TOP, BASE), None, profile="", disabled=["aaa-top"])) == ["zzz-base"]


def test_two_distributions_with_one_name_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Dist:
        def __init__(self, name: str) -> None:
            self.name = name
            self.version = "1"

    class Entry:
        name = "twin"
        value = "x:y"

        def __init__(self, dist: str) -> None:
            self.dist = Dist(dist)

        def load(self) -> PluginInfo:
            return info("twin")

    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [Entry("first"), Entry("second")])
    with pytest.raises(SelectionFault, match="first and second"):
        discover()


def test_an_entry_point_that_is_no_plugin_is_listed_with_its_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    class Entry:
        name = "odd"
        value = "odd:THING"
        dist = None

        def load(self) -> object:
            return 42

    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [Entry()])
    assert [(f.name, f.info, f.fault) for f in discover()] == [("odd", None, "odd:THING is int, not a PluginInfo")]
