"""Hooking all clients, and letting go of them again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from nbtokens.transports import aiohttp_hook, botocore_hook, cache_hook, httpx_hook, requests_hook, urllib3_hook
from nbtokens.transports.patch import Patches
from nbtokens.transports.post_import import PostImport

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from nbtokens.exchange import Observer
    from nbtokens.transports.patch import Target

HOOKS: Final = (httpx_hook, requests_hook, aiohttp_hook, botocore_hook, urllib3_hook, cache_hook)
"""One file for each kind of client: `MODULES`, the names it is imported by, and `targets`, the methods to replace."""

_TARGETS: Final[dict[str, Callable[[ModuleType, Observer], list[Target]]]] = {
    name: hook.targets for hook in HOOKS for name in hook.MODULES
}


class Hooks:
    """The hooks of one observer in all the clients that this process has, or comes to have."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self._patches = Patches()
        self._watcher: PostImport | None = None

    @property
    def installed(self) -> bool:
        """Whether clients are hooked."""
        return self._watcher is not None

    def install(self) -> None:
        """Hook every client. A second time does nothing."""
        if self._watcher is None:
            self._watcher = PostImport(tuple(_TARGETS), self._hook)
            self._watcher.install()

    def uninstall(self) -> None:
        """Leave every class as it was found. A second time does nothing."""
        if self._watcher is not None:
            self._watcher.uninstall()
            self._watcher = None
        self._patches.undo()

    def names(self) -> list[str]:
        """The methods that are hooked now, as `module.Class.method`."""
        return self._patches.names()

    def _hook(self, module: ModuleType, name: str) -> None:
        for target in _TARGETS[name](module, self._observer):
            self._patches.apply(target)
