"""Letting places go along with work, and stopping it again."""

from __future__ import annotations

import multiprocessing.process
import threading
from typing import TYPE_CHECKING, Final, Protocol

from nbtokens.guard import guarded
from nbtokens.transports.patch import Patches, Target
from nbtokens.transports.post_import import PostImport
from nbtokens.workers import joblib_hook, processes, threads
from nbtokens.workers.carried import Office, open_office

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

_LATER: Final[dict[str, Callable[[ModuleType], list[Target]]]] = {
    "concurrent.futures.thread": threads.executor_targets,
    "concurrent.futures.process": processes.executor_targets,
    "multiprocessing.pool": processes.pool_targets,
    "joblib.parallel": joblib_hook.targets,
    "joblib.externals.loky.process_executor": processes.executor_targets,
    "loky.process_executor": processes.executor_targets,
}
"""Modules that need not be loaded yet -> what of them is replaced."""


class Employer(Office, Protocol):
    """The recording that work is handed out from, and that ends with a child's process."""

    def settle(self, *, at_exit: bool = False) -> None:
        """Bring everything to disk."""


class Workers:
    """The threads and processes that work for one recording."""

    def __init__(self, employer: Employer) -> None:
        self._employer = employer
        self._patches = Patches()
        self._watcher: PostImport | None = None

    def install(self) -> None:
        """From here on, work takes its place along. A second time does nothing."""
        if self._watcher is not None:
            return
        open_office(self._employer)
        with guarded:
            self._apply(threads.thread_targets(threading))
            self._apply(processes.process_targets(multiprocessing.process, self._settle))
        self._watcher = PostImport(tuple(_LATER), lambda module, name: self._apply(_LATER[name](module)))
        self._watcher.install()

    def uninstall(self) -> None:
        """Leave every class as it was found. A second time does nothing."""
        if self._watcher is not None:
            self._watcher.uninstall()
            self._watcher = None
        self._patches.undo()
        open_office(None)

    def names(self) -> list[str]:
        """The methods that are replaced now, as `module.Class.method`."""
        return self._patches.names()

    def _apply(self, targets: list[Target]) -> None:
        for target in targets:
            self._patches.apply(target)

    def _settle(self) -> None:
        self._employer.settle(at_exit=True)
