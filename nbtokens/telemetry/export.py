"""Counting records on a thread of its own, which loads what it takes and waits for the collector."""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import threading
import time
from importlib import import_module
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Final

from nbtokens._version import __version__
from nbtokens.guard import guarded
from nbtokens.otlp import interval, wants_latest
from nbtokens.telemetry.instruments import Instruments
from nbtokens.telemetry.sending import Sender

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbtokens.otlp import Destination
    from nbtokens.record import Record

logger: Final = logging.getLogger("nbtokens")

_NONE_SET_UP: Final = ("_ProxyMeterProvider", "NoOpMeterProvider")
_LAST_WAIT: Final = 5.0
_TRY_AGAIN: Final = 60.0


class Background:
    """Takes records at once, and counts them on a thread, on which the SDK is loaded too.

    Args:
        destination: where to send by an exporter of our own where no SDK is set up.

    Attributes:
        goes_elsewhere: the process has a MeterProvider, which gets them.
    """

    def __init__(self, destination: Callable[[], Destination | None]) -> None:
        self._destination = destination
        self._records: SimpleQueue[Record | threading.Event] = SimpleQueue()
        self._own: Sender | None = None
        self._refused: str | None = None
        self._try_at = 0.0
        self.goes_elsewhere = False
        self._process = os.getpid()
        self._loaded = threading.Event()
        threading.Thread(target=self._run, name="nbtokens-telemetry", daemon=True).start()
        atexit.register(self.flush)
        if hasattr(os, "register_at_fork"):  # in a child, an import that is under way here would never end
            os.register_at_fork(before=self._before_fork)

    @property
    def problem(self) -> str | None:
        """Why nothing is sent, or the last sending failed; None where all is well."""
        return self._refused if self._own is None else self._own.problem

    def take(self, record: Record) -> None:
        """Take one more. A SimpleQueue may be used at any moment."""
        self._records.put(record)

    def flush(self) -> None:
        """Have everything counted and, by an exporter of our own, sent; at the end of the process at most 5 s."""
        if self._process != os.getpid():  # forked: the thread is the parent's, and so is what it has to send
            return
        done = threading.Event()
        self._records.put(done)
        done.wait(_LAST_WAIT)  # where nobody listens, the exporter would try for much longer

    def _before_fork(self) -> None:
        if self._process == os.getpid():
            self._loaded.wait(_LAST_WAIT)

    def _run(self) -> None:
        self._load()
        instruments: Instruments | None = None
        every = interval()
        due = time.monotonic() + every
        while True:
            item = None
            with contextlib.suppress(Empty):
                item = self._records.get(timeout=max(due - time.monotonic(), 0) if self._own is not None else None)
            if item is None or isinstance(item, threading.Event):
                if self._own is not None:
                    self._own.send()
                due = time.monotonic() + every
                if item is not None:
                    item.set()
                continue
            with guarded:
                if instruments is None:
                    instruments = self._set_up()
                if instruments is None:  # not wanted, or not possible; what waits is let go
                    self._let_go()
                else:
                    instruments.count(item)

    def _load(self) -> None:
        to = self._destination()
        with contextlib.suppress(Exception):  # told of when it is used
            import_module("opentelemetry.metrics")
            if to is not None:
                import_module(to.module)
        self._loaded.set()

    def _let_go(self) -> None:
        with contextlib.suppress(Empty):
            while True:
                item = self._records.get_nowait()
                if isinstance(item, threading.Event):
                    item.set()

    def _set_up(self) -> Instruments | None:
        if time.monotonic() < self._try_at:
            return None
        try:
            metrics: Any = import_module("opentelemetry.metrics")
            provider = metrics.get_meter_provider()
            self.goes_elsewhere = type(provider).__name__ not in _NONE_SET_UP
            if not self.goes_elsewhere:
                provider = self._own_provider()
        except ImportError as missing:
            self._refuse(missing)
            return None
        if provider is None:
            return None
        return Instruments(provider.get_meter("nbtokens", __version__), latest=wants_latest())

    def _own_provider(self) -> Any:  # noqa: ANN401 - the SDK's MeterProvider
        to = self._destination()
        if to is None:
            return None
        try:
            self._own = Sender(to)
        except Exception as error:  # noqa: BLE001 - what the environment asks for can't be done: no fault of ours
            self._refuse(error)
            return None
        return self._own.provider

    def _refuse(self, error: Exception) -> None:
        self._try_at = time.monotonic() + _TRY_AGAIN
        self._refused = str(error) or type(error).__name__
        logger.info("nbtokens: no metrics are sent: %s; %%tokens doctor says more", error)
