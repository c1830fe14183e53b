"""Being told when a module is imported, so that a client loaded after nbtokens is hooked as well."""

from __future__ import annotations

import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.util import find_spec
from typing import TYPE_CHECKING

from nbtokens.guard import guarded

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType


class PostImport(MetaPathFinder):
    """Calls `loaded(module, name)` for each of `names`: at once if it is imported already, else after its import."""

    def __init__(self, names: Sequence[str], loaded: Callable[[ModuleType, str], None]) -> None:
        self._waiting = set(names)
        self._loaded = loaded

    def install(self) -> None:
        """Start to watch."""
        for name in sorted(self._waiting):
            module = sys.modules.get(name)
            # A module that is being imported in this moment has a spec that says so.
            if module is not None and not getattr(module.__spec__, "_initializing", False):
                self.done(module, name)
        if self._waiting and self not in sys.meta_path:
            sys.meta_path.insert(0, self)

    def uninstall(self) -> None:
        """Stop to watch."""
        self._waiting.clear()
        if self in sys.meta_path:
            sys.meta_path.remove(self)

    def done(self, module: ModuleType, name: str) -> None:
        """The module is there."""
        self._waiting.discard(name)
        with guarded:
            self._loaded(module, name)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Let the other finders find the module; only its loader is told to report back."""
        del path, target
        if fullname not in self._waiting:
            return None
        self._waiting.discard(fullname)  # the search below comes by here again
        try:
            spec = find_spec(fullname)
        finally:
            self._waiting.add(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = _ReportingLoader(spec.loader, self, fullname)
        return spec


class _ReportingLoader(Loader):
    """A loader that does what the module's own does, then steps aside and reports."""

    def __init__(self, inner: Loader, watcher: PostImport, name: str) -> None:
        self._inner = inner
        self._watcher = watcher
        self._name = name

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._inner.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        if module.__spec__ is not None:
            module.__spec__.loader = self._inner
        module.__loader__ = self._inner
        self._inner.exec_module(module)
        self._watcher.done(module, self._name)
