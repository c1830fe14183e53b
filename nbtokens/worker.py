"""In a process that works for another: recording into the other's ledger, and sending records home with results.

Nothing of nbtokens imports this; it is named in what the other process pickles (`nbtokens.workers.carried`).
"""

from __future__ import annotations

import os
import pickle
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from nbtokens import context
from nbtokens.decimals import exactly
from nbtokens.guard import guarded
from nbtokens.runtime import runtime
from nbtokens.workers.carried import Carried, Parcel, place_of, reduced
from nbtokens.workers.processes import BoardingPass
from nbtokens.workers.unseen import take_out_frame

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbtokens.config import Config
    from nbtokens.record import Record

_RECEIVE: Final = """
try:
    from nbtokens.worker import receive
    value = receive(value, parcel)
except Exception:
    pass
"""
_MOST_UNDELIVERED: Final = 10_000
_undelivered: Final[deque[tuple[int, int, Record | None, Record]]] = deque(maxlen=_MOST_UNDELIVERED)
"""What has been recorded here and is not known at home yet: home's process id, the place's key, before, after."""


class _Elsewhere:
    """Where to record what others submitted, on a worker that may not see their ledgers."""

    config_for: Callable[[Config], Config] | None = None


def record_elsewhere(config_for: Callable[[Config], Config] | None) -> None:
    """From here on, records of work that arrives go where this says, by the settings that came along."""
    _Elsewhere.config_for = config_for


def board(parcel: bytes) -> BoardingPass:
    """A process begins that another one has started, in a new interpreter: record from here on, as that one does."""
    sent = _open(parcel)
    _employ(sent)
    return BoardingPass(sent.place, sent.run_id)


def take_up(function: Callable[..., Any], parcel: bytes, *, delivers: bool = False) -> Callable[..., Any]:
    """Work has arrived from another process: the function, to be called here as it is there."""
    sent = _open(parcel)
    if sent.sender == os.getpid():  # it has come home
        return Carried(function, place_of(sent.key), delivers=delivers)
    with guarded:
        _employ(sent)
        return Work(function, sent, delivers=delivers)
    return function


@exactly
def receive(value: Any, parcel: bytes) -> Any:  # noqa: ANN401 - a result
    """A result has come home, with the records of its calls: those who count here are told. Returns the result."""
    with guarded:
        for home, key, before, after in pickle.loads(parcel):  # noqa: S301 - from our own child
            if home == os.getpid():
                place = place_of(key)
                scopes = place.scopes if place is not None else ()
                if before is None:
                    runtime().count(after, scopes)
                    continue
                for scope in (runtime().session, *scopes):
                    scope.amend(before, after)
    return value


class Work:
    """A function that another process has handed over; its calls belong to where that happened."""

    __slots__ = ("_delivers", "_function", "_parcel")

    def __init__(self, function: Callable[..., Any], parcel: Parcel, *, delivers: bool) -> None:
        self._function = function
        self._parcel = parcel
        self._delivers = delivers

    def __call__(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the function's own
        """Run it there."""
        parcel = self._parcel
        scopes = (_Sent(parcel.sender, parcel.key),) if self._delivers else ()
        place = replace(parcel.place or context.NOWHERE, scopes=scopes)
        run_before, cell_before = context.set_run_id(parcel.run_id), context.infer(place)
        token = context.enter_place(place)
        try:
            result = self._function(*args, **kwargs)
        except BaseException as error:
            take_out_frame(error)
            raise
        finally:
            context.leave_place(token)
            context.infer(cell_before)
            context.set_run_id(run_before)
            _secure()
        return Delivered(result) if _undelivered and self._delivers else result

    def __reduce__(self) -> tuple[Any, ...]:
        return Carried(self._function, self._parcel.place, delivers=False).__reduce__()

    def __repr__(self) -> str:
        return repr(self._function)


class Delivered:
    """A result on its way home. Once it is unpickled there, it is the result itself."""

    __slots__ = ("_result",)

    def __init__(self, result: Any) -> None:  # noqa: ANN401 - the function's own
        self._result = result

    def __reduce__(self) -> tuple[Any, ...]:
        parcel = None
        with guarded:
            parcel = pickle.dumps([_undelivered.popleft() for _ in range(len(_undelivered))])
        return reduced(self._result, parcel, _RECEIVE)

    def __repr__(self) -> str:
        return repr(self._result)


class _Sent:
    """Notes what is recorded for a place in another process."""

    def __init__(self, home: int, key: int) -> None:
        self._home = home
        self._key = key

    def add(self, record: Record) -> None:
        _undelivered.append((self._home, self._key, None, record))

    def amend(self, before: Record, after: Record) -> None:
        _undelivered.append((self._home, self._key, before, after))


def _open(parcel: bytes) -> Parcel:
    sent: Parcel = pickle.loads(parcel)  # noqa: S301 - as trusted as the function that it came with
    return sent


def _employ(sent: Parcel) -> None:
    """Record as the sender does, if this process does not yet."""
    here = runtime()
    config = sent.config if _Elsewhere.config_for is None else _Elsewhere.config_for(sent.config)
    if here.enabled and here.session.id == sent.session and here.config == config:
        return
    alone = here.enabled  # the work's own code has switched recording on: it wants everything recorded
    here.work_for(config, sent.session)
    if not alone:
        context.record_only_carried(only=True)


def _secure() -> None:
    """Bring everything to disk: a pool may kill its workers once their work is done."""
    with guarded:
        here = runtime()
        here.settle(at_exit=here.meter.awaits_prices)
