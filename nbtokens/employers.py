"""In a process that works for others: what records for each of them, also for several at the same moment."""

from __future__ import annotations

import atexit
import os
import threading
from collections import Counter
from typing import TYPE_CHECKING, Final

from nbtokens.context import current_place, infer_meanwhile, infer_no_more, record_only_carried, records_only_carried
from nbtokens.runtime import Runtime, runtime
from nbtokens.transports.install import Hooks

if TYPE_CHECKING:
    from nbtokens.config import Config
    from nbtokens.context import Place
    from nbtokens.exchange import Address, CachedAnswer, Exchange


def runtime_of(place: Place) -> Runtime:
    """What records the calls of a place: this process's recording, or the one for the process that it came from."""
    recorder = place.errand.recorder if place.errand is not None else None
    return recorder if isinstance(recorder, Runtime) else runtime()


class _AsPlaceSays:
    """Observes for whomever a call's work is done."""

    @staticmethod
    def wants(method: str, address: Address) -> bool:
        return runtime_of(current_place()).wants(method, address)

    @staticmethod
    def begin(exchange: Exchange) -> float:
        return runtime_of(exchange.place).begin(exchange)

    @staticmethod
    def observe(exchange: Exchange) -> None:
        runtime_of(exchange.place).observe(exchange)

    @staticmethod
    def observe_later(exchange: Exchange) -> None:
        runtime_of(exchange.place).observe_later(exchange)

    @staticmethod
    def observe_hit(answer: CachedAnswer) -> None:
        runtime_of(answer.place).observe_hit(answer)


class _Recordings:
    """Those of this process, besides its own one, and how many pieces of work each has under way."""

    lock = threading.RLock()
    beside: Final[list[Runtime]] = []
    under_way: Final[Counter[int]] = Counter()


def _after_fork() -> None:
    """In a forked child: the lock may be held for ever, and the work is the parent's."""
    _Recordings.lock = threading.RLock()
    _Recordings.under_way.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def recording_for(config: Config, session: str) -> Runtime:
    """What records for a session of another process, with its settings, from here on.

    The process's own recording does, unless it has another session's work under way in this moment; then another one
    does beside it, through the same hooks. It is kept for a piece of work, until `end` of that.
    """
    with _Recordings.lock:
        every = [runtime(), *_Recordings.beside]
        found = next((one for one in every if one.enabled and one.session.id == session), None)
        if found is None:
            found = next((one for one in every if not _Recordings.under_way[id(one)]), None) or _another()
        if found.session.id != session:
            found.budgets.hold_no_more()
        if not (found.enabled and found.session.id == session and found.config == config):
            # where recording was on before anything had arrived, the work's own code wants everything recorded
            only_carried = records_only_carried() or not runtime().enabled
            if not found.hooks.installed:
                found.hooks = Hooks(_AsPlaceSays())
            found.work_for(config, session)
            record_only_carried(only=only_carried)
        _Recordings.under_way[id(found)] += 1
        return found


def begin(place: Place) -> None:
    """A piece of work begins here that another process has handed over."""
    if place.errand is not None:  # else it is this process's own
        infer_meanwhile(place)


def end(place: Place) -> None:
    """It has come to its end."""
    if place.errand is None:
        return
    infer_no_more(place)
    with _Recordings.lock:
        _Recordings.under_way[id(runtime_of(place))] -= 1


def _another() -> Runtime:
    one = Runtime(runtime().hooks, runtime().workers)
    _Recordings.beside.append(one)
    atexit.register(one.settle, at_exit=True)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=one.after_fork)
    return one
