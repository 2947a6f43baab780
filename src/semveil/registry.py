"""Registries: what can be chosen by name, from this package and from installed plugins.

A plugin is a Python package with an entry point in the group ``semveil.plugins`` that names a
module. Importing the module registers whatever it defines::

    [project.entry-points."semveil.plugins"]
    mine = "my_package.attacks"
"""

from __future__ import annotations

import pkgutil
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import Any, Generic, TypeVar

from semveil.errors import SemveilError, SemveilWarning, unknown
from semveil.section import OpenSection, Section
from semveil.style import REGISTERED, REGISTERED_TRAITS, Style

GROUP = "semveil.plugins"
OURS = "semveil"
_NAME = r"[A-Za-z0-9][A-Za-z0-9_-]*"
T = TypeVar("T")
C = TypeVar("C", bound=type)


class Registry(Generic[T]):
    """Classes of one kind by name.

    Built-in modules are imported, and plugins loaded, when a name is first looked up.

    Args:
        kind: What it holds, as error messages call it, such as ``"attack"``.
        packages: Packages of this project whose modules register things of this kind.
        section: Section of the recipe in which the settings (``Config``) of its classes stand,
            each under the name of its class; None if they have none.
        prefixes: What names begin with, before a slash; no slash if empty.
        check: Refuses a class that states what it may not, by a :class:`SemveilError`.
        plural: What ``semveil list`` calls them; the kind with an s if omitted.

    Example:
        >>> colours = Registry("colour")
        >>> @colours.register
        ... class Red:
        ...     name = "red"
        >>> colours.get("red") is Red, colours.names()
        (True, ['red'])
    """

    def __init__(
        self,
        kind: str,
        *packages: str,
        section: type[OpenSection] | None = None,
        prefixes: Sequence[str] = (),
        check: Callable[[Any], None] | None = None,
        plural: str | None = None,
    ) -> None:
        self.kind, self.packages, self.section = kind, packages, section
        self.plural = plural or f"{kind}s"
        self.prefixes, self.check = prefixes, check
        self._items: dict[str, type[T]] = {}
        self._refused: dict[str, str] = {}
        self._loaded = False

    def register(self, item: C) -> C:
        """Register a class under its attribute ``name``; works as a decorator.

        A class that is defined again in the same module, as in a notebook, replaces the earlier.
        A class of this project keeps its name whatever other packages register.

        Raises:
            SemveilError: If its name is missing or malformed, if another package has registered
                the name, or if it states what it may not, such as a ``Config`` that is no
                :class:`semveil.recipe.Section`. While plugins are loaded this is a warning.
        """
        name: Any = getattr(item, "name", None)
        try:
            self._check_name(name, item)
            if self.check is not None:
                self.check(item)
            known = self._items.get(name)
            if known is not None and _identity(known) != _identity(item):
                self._clash(name, known, item)
            if self.section is not None:
                self.section.added |= _settings(self.kind, item, self.section)
        except SemveilError as error:
            if isinstance(name, str) and not _is_ours(self._items.get(name)):
                self._refused[name] = str(error)
            if not _loading:
                raise
            warnings.warn(str(error), SemveilWarning, stacklevel=2)
            return item
        self._items[name] = item
        style = vars(item).get("style")
        if isinstance(style, Style):
            REGISTERED[self.kind, name] = style
        if traits := getattr(item, "traits", None):
            REGISTERED_TRAITS[self.kind, name] = frozenset(traits)
        return item

    def _check_name(self, name: Any, item: type) -> None:
        """Refuse a name that recipes, records or the command line could not carry."""
        if not isinstance(name, str) or not name:
            raise SemveilError(f"{self.kind} {item!r} has no name: give it an attribute name")
        before = f"(?:{'|'.join(self.prefixes)})/" if self.prefixes else ""
        if not re.fullmatch(before + _NAME, name):
            begins = " or ".join(f"{prefix}/" for prefix in self.prefixes)
            raise SemveilError(
                f"{self.kind} '{name}' of {item.__module__}.{item.__qualname__}: a name is "
                f"{begins and begins + ' and '}letters, digits, - and _"
            )

    def _clash(self, name: str, known: type, item: type) -> None:
        """Refuse a name that is taken; ours is never taken from us."""
        both = f"{self.kind} '{name}' is registered twice, by {origin(known)} and by "
        if _is_ours(item) and not _is_ours(known):
            # A plugin was imported before our module.
            warnings.warn(
                f"{both}{origin(item)}: that of {origin(item)} is used", SemveilWarning, 3
            )
            self._refused.pop(name, None)
        elif _is_ours(known):
            raise SemveilError(
                f"{both}{origin(item)}: that of {origin(known)} is used; rename the other"
            )
        else:
            raise SemveilError(
                f"{both}{origin(item)}: rename one of them, or remove one of the packages"
            )

    def get(self, name: str, key: str = "") -> type[T]:
        """Return a class by name.

        Args:
            name: Its name.
            key: The setting that names it, for errors.

        Raises:
            SemveilError: If it is unknown, with the nearest name, or was refused.
        """
        self.load()
        if name in self._refused:
            raise SemveilError(self._refused[name])
        if name not in self._items:
            error = unknown(self.kind, name, self._items, f"semveil list {self.plural}")
            raise SemveilError(f"{key}: {error}") if key else error
        return self._items[name]

    def names(self) -> list[str]:
        """Return all names, those of this package first, in the order of registration."""
        return [name for name, _ in self.items()]

    def items(self) -> Iterator[tuple[str, type[T]]]:
        """Yield names and classes, without those that were refused."""
        self.load()
        for name, item in self._items.items():
            if name not in self._refused:
                yield name, item

    def origin(self, name: str) -> str:
        """Return the package whose class has a name: ``semveil``, or a plugin's."""
        return origin(self.get(name))

    def __contains__(self, name: object) -> bool:
        return name in self.names()

    def load(self) -> None:
        """Import this package's modules and the plugins, once."""
        if self._loaded:
            return
        self._loaded = True
        for package in self.packages:
            for module in _modules(package):
                import_module(module)
        load_plugins()


def _settings(kind: str, item: Any, where: type[OpenSection]) -> dict[str, type[Section]]:
    """Return the settings of a class by their key, each told its place in a recipe."""
    if "Config" not in vars(item) and getattr(item, "Config", None) is not None:
        # Settings of its own, so that those of its parent do not change with them.
        names = {"__module__": item.__module__, "__qualname__": f"{item.__qualname__}.Config"}
        item.Config = type("Config", (item.Config,), {**names, "section": ""})
    own = vars(item).get("Config")
    found = {}
    for config in [*([] if own is None else [own]), *getattr(item, "settings", ())]:
        what = f"{kind} '{item.name}'"
        if not (isinstance(config, type) and issubclass(config, Section)):
            raise SemveilError(
                f"{what}: Config of {item.__module__}.{item.__qualname__} is {config!r}; expected "
                "a subclass of semveil.recipe.Section"
            )
        # Settings that extend those of another class have a place of their own.
        if not vars(config).get("section"):
            config.section = f"{where.section}.{item.name}".lstrip(".")
        key = config.section.rpartition(".")[2]
        other = where.added.get(key, config)
        taken = _identity(other) != _identity(config) and _is_ours(config) <= _is_ours(other)
        if key in where.model_fields or taken:
            raise SemveilError(f"{what}: the key {config.section} of its settings is taken")
        found[key] = config
    return found


def _modules(package: str) -> Iterator[str]:
    found = import_module(package)
    paths = getattr(found, "__path__", None)
    if paths is None:
        return
    for module in sorted(pkgutil.iter_modules(paths), key=lambda module: module.name):
        yield f"{package}.{module.name}"


def _identity(item: type) -> tuple[str, str]:
    return item.__module__, item.__qualname__


def _is_ours(item: type | None) -> bool:
    return item is not None and item.__module__.partition(".")[0] == OURS


def origin(item: type) -> str:
    """Return the distribution of a class, or its top package if that names no plugin."""
    package = item.__module__.partition(".")[0]
    return plugins().get(package, package)


@cache
def plugins() -> dict[str, str]:
    """Return the distributions of the installed plugins by their top packages."""
    return {
        entry.module.partition(".")[0]: entry.dist.name if entry.dist else entry.name
        for entry in entry_points(group=GROUP)
    }


_loading = False
_plugins_loaded = False


def load_plugins() -> None:
    """Import the modules that installed packages name in the group ``semveil.plugins``, once."""
    global _loading, _plugins_loaded
    if _plugins_loaded:
        return
    _plugins_loaded = True
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: entry.name):
        _loading = True
        try:
            entry.load()
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a plugin may even call sys.exit
            reason = " ".join(str(error).split())
            if not isinstance(error, Exception) or not reason:
                reason = f"{type(error).__name__} {reason}".strip()
            warnings.warn(
                f"plugin {entry.dist.name if entry.dist else entry.name} cannot be loaded: "
                f"{reason}",
                SemveilWarning,
                stacklevel=2,
            )
        finally:
            _loading = False
