"""Finds the consumer groups of the modules that EVENT_BUS_CONSUMERS names."""

from __future__ import annotations

import os
import pkgutil
import sys
from collections.abc import Iterable, Sequence
from importlib import import_module
from types import ModuleType

from relay.consume.group import Group
from relay.errors import ConfigurationInvalid

__all__ = ["choose", "discover"]


def discover(modules: Sequence[str]) -> dict[str, Group]:
    """All groups by name, from module attributes. Of a package, its modules are searched too.

    modules: importable names; the current folder is searched first, as `python -m` does.
    Raises ConfigurationInvalid when there are none, a module can't be imported, or two groups
    have one name.
    """
    if not modules:
        raise ConfigurationInvalid(
            "EVENT_BUS_CONSUMERS is empty: name the modules of the consumer groups, "
            "for example consumers.billing,consumers.timeline"
        )
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    groups: dict[str, Group] = {}
    for name in modules:
        for module in _with_submodules(_import(name)):
            for found in vars(module).values():
                if not isinstance(found, Group):
                    continue
                if groups.setdefault(found.name, found) is not found:
                    raise ConfigurationInvalid(
                        f"two consumer groups are named {found.name!r}, one of them in "
                        f"{module.__name__}. Rename one"
                    )
    if not groups:
        raise ConfigurationInvalid(
            f"EVENT_BUS_CONSUMERS: no consumer group (relay.consume.Group) in {', '.join(modules)}"
        )
    return dict(sorted(groups.items()))


def choose(groups: dict[str, Group], names: Iterable[str]) -> list[Group]:
    """The groups called `names`, all of them without names. Raises ConfigurationInvalid."""
    wanted = list(dict.fromkeys(names))
    if unknown := [name for name in wanted if name not in groups]:
        raise ConfigurationInvalid(
            f"no consumer group {', '.join(unknown)} in EVENT_BUS_CONSUMERS, "
            f"only {', '.join(groups)}"
        )
    return [groups[name] for name in wanted] or list(groups.values())


def _import(name: str) -> ModuleType:
    try:
        return import_module(name)
    except ConfigurationInvalid:
        raise
    except (Exception, SystemExit) as error:
        raise ConfigurationInvalid(
            f"EVENT_BUS_CONSUMERS: module {name!r} can't be imported: {error!r}"
        ) from error


def _with_submodules(module: ModuleType) -> list[ModuleType]:
    if not hasattr(module, "__path__"):
        return [module]
    inner = sorted(found.name for found in pkgutil.iter_modules(module.__path__))
    return [module, *(_import(f"{module.__name__}.{name}") for name in inner)]
