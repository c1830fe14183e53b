"""In a process that works for another: recording into the other's ledger, and sending records home with results.

Nothing of nbtokens imports this; it is named in what the other process pickles (`nbtokens.workers.carried`).
"""

from __future__ import annotations

import pickle
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from nbtokens import context
from nbtokens.decimals import exactly
from nbtokens.employers import begin, end, recording_for, runtime_of
from nbtokens.guard import guarded
from nbtokens.workers.carried import Carried, Parcel, place_of, reduced, this_process
from nbtokens.workers.processes import BoardingPass
from nbtokens.workers.stopped import as_exception, is_stop
from nbtokens.workers.unseen import take_out_frame

if TYPE_CHECKING:
    from collections.abc import Callable

    from nbtokens.context import Place
    from nbtokens.record import Record

_RECEIVE: Final = """
try:
    from nbtokens.worker import receive
    value = receive(value, parcel)
except Exception:
    pass
"""
_MOST_UNDELIVERED: Final = 10_000
_undelivered: Final[deque[tuple[str, int, Record | None, Record]]] = deque(maxlen=_MOST_UNDELIVERED)
"""What has been recorded here and is not known at home yet: home's process, the place's key, before, after."""


def board(parcel: bytes) -> BoardingPass:
    """A process begins that another one has started, in a new interpreter: record from here on, as that one does."""
    sent = _open(parcel)
    recording_for(sent.config, sent.session).budgets.hold_for(sent.handed, sent.session)
    return BoardingPass(sent.place, sent.run_id)


def take_up(function: Callable[..., Any], parcel: bytes, *, delivers: bool = False) -> Callable[..., Any]:
    """Work has arrived from another process: the function, to be called here as it is there."""
    sent = _open(parcel)
    if sent.is_own:  # it has come home
        return Carried(function, place_of(sent.key), delivers=delivers)
    return Work(function, sent, delivers=delivers)


@exactly
def receive(value: Any, parcel: bytes) -> Any:  # noqa: ANN401 - a result
    """A result has come home, with the records of its calls: those who count here are told. Returns the result."""
    with guarded:
        for home, key, before, after in pickle.loads(parcel):  # noqa: S301 - from our own child
            if home == this_process():
                place = place_of(key) or context.NOWHERE
                recording = runtime_of(place)
                if before is None:
                    recording.count(after, place.scopes)
                    continue
                for scope in (recording.session, *place.scopes):
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
        place = self._place()
        if place is None:
            return self._function(*args, **kwargs)
        begin(place)
        token = context.enter_place(place)
        try:
            result = self._function(*args, **kwargs)
        except BaseException as error:
            take_out_frame(error)
            if is_stop(error):
                raise as_exception(error) from error.__cause__
            raise
        finally:
            context.leave_place(token)
            end(place)
            _secure(place)
        return Delivered(result) if _undelivered and self._delivers else result

    def _place(self) -> Place | None:
        """Where its calls belong, here."""
        parcel = self._parcel
        scopes = (_Sent(parcel.sender, parcel.key),) if self._delivers else ()
        with guarded:
            recording = recording_for(parcel.config, parcel.session)
            recording.budgets.hold_for(parcel.handed, parcel.session)
            errand = context.Errand(parcel.run_id, recording)
            return replace(parcel.place or context.NOWHERE, scopes=scopes, errand=errand)
        return None

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

    def __init__(self, home: str, key: int) -> None:
        self._home = home
        self._key = key

    def add(self, record: Record) -> None:
        _undelivered.append((self._home, self._key, None, record))

    def amend(self, before: Record, after: Record) -> None:
        _undelivered.append((self._home, self._key, before, after))


def _open(parcel: bytes) -> Parcel:
    sent: Parcel = pickle.loads(parcel)  # noqa: S301 - as trusted as the function that it came with
    return sent


def _secure(place: Place) -> None:
    """Bring everything to disk: a pool may kill its workers once their work is done."""
    with guarded:
        recording = runtime_of(place)
        recording.settle(at_exit=recording.meter.awaits_prices)
