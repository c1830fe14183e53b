"""Processes that work for this one: multiprocessing, its pools, process executors, and loky's."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from nbtokens.context import Place, current_run_id, enter_place, infer, own_place, record_only_carried, set_run_id
from nbtokens.guard import guarded
from nbtokens.transports.patch import Target
from nbtokens.workers.carried import Carried, pack, reduced
from nbtokens.workers.unseen import take_out_frame

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

_PASS: Final = "_nbtokens_pass"  # noqa: S105 - no password
_BOARD: Final = """
try:
    from nbtokens.worker import board
    value = board(parcel)
except Exception:
    pass
"""
_WORKERS: Final = frozenset({("multiprocessing.pool", "worker"), ("multiprocessing.managers", "_run_server")})
_EXECUTORS_WORKER: Final = "_process_worker"
_DASKS: Final = "distributed.process"


class BoardingPass:
    """What a process object holds while its process is started: the place that its calls belong to."""

    __slots__ = ("place", "run_id")

    def __init__(self, place: Place | None, run_id: str | None) -> None:
        self.place = place
        self.run_id = run_id

    def __reduce__(self) -> tuple[Any, ...]:
        return reduced(None, pack(self.place, self.run_id), _BOARD)


def pool_targets(module: ModuleType) -> list[Target]:
    """The ways into a `multiprocessing.Pool` and a `ThreadPool`."""
    names = ("apply_async", "_map_async", "imap", "imap_unordered")
    return [Target(module.Pool, name, _wrap_with_function) for name in names]


def executor_targets(module: ModuleType) -> list[Target]:
    """The way into a `ProcessPoolExecutor`, the standard library's or loky's."""
    return [Target(module.ProcessPoolExecutor, "submit", _wrap_with_function)]


def process_targets(module: ModuleType, settle: Callable[[], None]) -> list[Target]:
    """What every process of multiprocessing goes through: here where it is started, and there.

    Args:
        module: multiprocessing.process.
        settle: brings everything to disk, at the end of a child; nothing else would, for it ends with `os._exit`.
    """

    def wrap_bootstrap(original: Callable[..., Any]) -> Callable[..., Any]:
        def bootstrap(process: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the process's own
            with guarded:
                _arrive(vars(process).pop(_PASS, None))
            code = original(process, *args, **kwargs)
            settle()
            return code

        return bootstrap

    return [
        Target(module.BaseProcess, "start", _wrap_start),
        Target(module.BaseProcess, "_bootstrap", wrap_bootstrap),
    ]


def _arrive(boarding: BoardingPass | None) -> None:
    """In a child: what it does belongs to where it was started; a pool's worker waits for work with places."""
    record_only_carried(only=boarding is None)
    place = boarding.place if boarding is not None else None
    enter_place(place)
    infer(place)
    if boarding is not None:
        set_run_id(boarding.run_id)


def _wrap_with_function(original: Callable[..., Any]) -> Callable[..., Any]:
    """A method whose first argument is the function to run."""

    def submit(pool: Any, function: Any, /, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - the pool's own
        try:
            return original(pool, Carried(function, own_place(), delivers=True), *args, **kwargs)
        except BaseException as error:
            take_out_frame(error)
            raise

    return submit


def _wrap_start(original: Callable[..., Any]) -> Callable[..., Any]:
    def start(process: Any) -> Any:  # noqa: ANN401 - the process's own
        with guarded:
            if not _serves_a_pool(process):
                vars(process)[_PASS] = BoardingPass(_place_of(process), current_run_id())
        try:
            return original(process)
        except BaseException as error:
            take_out_frame(error)
            raise
        finally:
            vars(process).pop(_PASS, None)

    return start


def _place_of(process: Any) -> Place | None:  # noqa: ANN401 - any process
    """Where what a process does belongs; of one that Dask starts that is a guess, for others submit its tasks."""
    place = own_place()
    target = vars(process).get("_target")
    if place is None or place.attribution == "none" or getattr(target, "__module__", None) != _DASKS:
        return place
    return replace(place, attribution="inferred")


def _serves_a_pool(process: Any) -> bool:  # noqa: ANN401 - any process
    target = vars(process).get("_target")
    name = getattr(target, "__name__", None)
    return name == _EXECUTORS_WORKER or (getattr(target, "__module__", None), name) in _WORKERS
