"""Plug-ins by kind and name."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from typing import Any

_plugins: dict[tuple[str, str], Callable[..., Any]] = {}
_loaded = False


def plugin(kind: str, name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Decorator that registers a function or class under a kind and a name."""

    def register(target: Callable[..., Any]) -> Callable[..., Any]:
        if (kind, name) in _plugins:
            raise ValueError(f"there is a {kind} called {name!r} already")
        _plugins[kind, name] = target
        return target

    return register


def load_plugins() -> None:
    """Import all modules of harbour.plugins, once."""
    global _loaded
    if _loaded:
        return
    _loaded = True
    from harbour import plugins

    for module in pkgutil.iter_modules(plugins.__path__):
        importlib.import_module(f"{plugins.__name__}.{module.name}")


def lookup(kind: str, name: str) -> Callable[..., Any]:
    """The plug-in of that kind and name."""
    load_plugins()
    try:
        return _plugins[kind, name]
    except KeyError:
        raise KeyError(f"no {kind} called {name!r}; there are {', '.join(available(kind))}") from None


def available(kind: str) -> list[str]:
    """Names of all plug-ins of a kind."""
    load_plugins()
    return sorted(name for of_kind, name in _plugins if of_kind == kind)
