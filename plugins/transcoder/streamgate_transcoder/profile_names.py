"""The profiles of this process: ours and those of other plugins, by name."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

import attrs
from loguru import logger

from streamgate.contracts.hooks import collect_transcode_profiles
from streamgate.contracts.profiles import Profile
from streamgate.hooks import Hooks

from .faults import UnknownProfile
from .media.profiles import PROFILES


def pick(profiles: Mapping[str, Profile], name: str) -> Profile:
    """Raises UnknownProfile: with what may have been meant, and what there is."""
    found = profiles.get(name)
    if found is None:
        near = difflib.get_close_matches(name, profiles, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise UnknownProfile(f"no profile {name!r}: {hint}there are {', '.join(sorted(profiles))}")
    return found


@attrs.define(eq=False)
class Profiles:
    """Collected at the first use, when all plugins are there. Without hooks there are ours alone."""

    _hooks: Hooks | None = None
    _by_name: Mapping[str, Profile] | None = None

    def by_name(self) -> Mapping[str, Profile]:
        """A name that is taken, by us or an earlier plugin, is left out and logged."""
        if self._by_name is None:
            found = dict(PROFILES)
            for tagged in self._hooks.collect(collect_transcode_profiles) if self._hooks is not None else ():
                if tagged.value.name in found:
                    about = logger.bind(plugin=tagged.plugin, profile=tagged.value.name)
                    about.error("transcoding profile is taken; left out")
                else:
                    found[tagged.value.name] = tagged.value
            self._by_name = found
        return self._by_name

    def of(self, name: str) -> Profile:
        """Raises UnknownProfile."""
        return pick(self.by_name(), name)
