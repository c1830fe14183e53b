"""The recording of this process: set up once, switched on and off, and brought to disk in the background."""

from __future__ import annotations

import atexit
import logging
import os
from datetime import UTC, datetime
from functools import partial
from threading import RLock
from typing import TYPE_CHECKING, Final

from nbtokens.activity import Activity
from nbtokens.budgets import Budgets, usual_output
from nbtokens.config import Config, load_config
from nbtokens.context import is_passed_over, read_environment, record_only_carried
from nbtokens.fingerprint import Fingerprints
from nbtokens.guard import guarded
from nbtokens.history import open_history
from nbtokens.history.follow import Follower
from nbtokens.meter import Meter
from nbtokens.operation_run import OperationRun
from nbtokens.prices import PriceBook
from nbtokens.record import Record, new_id
from nbtokens.rows import Rows
from nbtokens.shipping import Shipping
from nbtokens.telemetry.outside import get_ready, tell_outside
from nbtokens.tokenizers import Tokenizers
from nbtokens.transports.install import Hooks
from nbtokens.views import History, Session
from nbtokens.workers.install import Workers
from nbtokens.writer import Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from nbtokens.context import Scope
    from nbtokens.exchange import Address, CachedAnswer, Exchange
    from nbtokens.history.store import Store

logger: Final = logging.getLogger("nbtokens")

_LAST_WAIT: Final = 2.0


class Runtime:
    """Everything that one process records with. There is one: `runtime()`.

    Attributes:
        notices: sentences for the user that nobody has shown yet.
        subscribers: called with every record, on the thread that made the call.
        activity: what happens now, and who is told when figures change.
        hooks, workers: what clients and work go through.
    """

    def __init__(self, hooks: Hooks | None = None, workers: Workers | None = None) -> None:
        self._lock = RLock()
        self._config: Config | None = None
        self._store: Store | None = None
        self._meter: Meter | None = None
        self._prices: PriceBook | None = None
        self.hooks = hooks or Hooks(self)
        self.workers = workers or Workers(self)
        self._employers: Config | None = None
        self._writer = Writer(self)
        self._shipping = Shipping(self.tell)
        self._told: set[str] = set()
        self.notices: list[str] = []
        self.subscribers: list[Callable[[Record], None]] = []
        self.activity: Activity = Activity()
        self.session = Session(lambda: self.store, new_id(), datetime.now(UTC))
        self.budgets = Budgets(lambda: self.session.sums, lambda: self.store, lambda: self.meter.expected, self.tell)

    @property
    def enabled(self) -> bool:
        """Whether calls are recorded."""
        return self.hooks.installed and self._meter is not None and self._meter.enabled

    @property
    def config(self) -> Config:
        """What is settled: the ledger's folder, the settings, the names."""
        if self._config is None:
            self.set_up()
        assert self._config is not None
        return self._config

    @property
    def store(self) -> Store:
        """The history."""
        if self._store is None:
            self.set_up()
            assert self._store is not None
        return self._store

    @property
    def meter(self) -> Meter:
        """What makes records."""
        if self._meter is None:
            self.set_up()
        assert self._meter is not None
        return self._meter

    @property
    def history(self) -> History:
        """The history, for its readers. What was put off is in it."""
        self._writer.take_deferred()
        return History(self.store)

    def set_up(self, *, anew: bool = False) -> None:
        """Read the settings and open the history, once; `anew` when they may have changed."""
        with self._lock:
            read_environment()
            if self._config is not None and not anew:
                return
            config = self._employers or load_config()
            if config == self._config:
                return
            self._config, settings = config, config.settings
            self.session.recent.clear()  # they lie in another ledger
            if config.problem is not None:
                self.tell(config.problem)
            self.budgets.alerts.bounds = settings.alerts
            self._prices = PriceBook(settings)
            self._store = open_history(config.folder, self.tell, durable=settings.durable, keep_days=settings.keep_days)
            self._meter = Meter(
                rows=Rows(config, Fingerprints(config.folder), self.session.id),
                prices=self._prices,
                tokenizers=Tokenizers(settings.fallback_encoding),
                hosts={name: host.provider for name, host in settings.hosts.items() if host.provider},
                keep=self.keep,
                keep_later=self.observe_later,
                recorded=Follower(self._store.journal),
                usual_output=partial(usual_output, lambda: self.store),
            )

    def enable(self) -> None:
        """Record calls from here on. A second time does nothing."""
        with self._lock:
            self.set_up(anew=not self.hooks.installed)
            self.meter.enabled = True
            record_only_carried(only=False)
            self._writer.start()  # here, for a stream that is collected may not start a thread
            self.hooks.install()
            self.workers.install()
            self._shipping.start(self.config, self.store.journal, self.budgets.team)
            get_ready()
            self.meter.start_loading_prices()  # last: its thread would share the time that loading takes

    def disable(self) -> None:
        """Record no more, and leave every client class as it was found."""
        with self._lock:
            self.workers.uninstall()
            self.hooks.uninstall()
            if self._meter is not None:
                self._meter.enabled = False
        self.settle(at_exit=True)  # outside of the lock, which the worker may need to come to its end
        self._shipping.stop(0)

    def work_for(self, config: Config, session_id: str) -> None:
        """Record for another process from here on: with its settings, into its ledger, as its session."""
        self._employers, self._config = config, None
        self.session.id = session_id
        self.enable()

    def model_names(self) -> list[str]:
        """The names of the models whose price is known."""
        return self._prices.model_names() if self._prices is not None else []

    def hooked(self) -> list[str]:
        """The client methods that are hooked now."""
        return self.hooks.names()

    def wants(self, method: str, address: Address) -> bool:
        """Whether a request may be a call of a model. After new settings, another meter than before is asked."""
        return self._meter is not None and self._meter.wants(method, address) and not is_passed_over()

    def begin(self, exchange: Exchange) -> float:
        """A request is about to be sent, if the budgets allow it.

        Returns:
            How long it must wait before it asks again, in seconds; 0 if it may be sent.

        Raises:
            BudgetExceeded: it would pass a limit that stops calls.
        """
        if self.budgets.hold:
            pause = self.budgets.begin(exchange)
            if pause:
                return pause
        self.activity.begun(exchange)
        for scope in exchange.place.scopes:
            if type(scope) is OperationRun:
                scope.begin()
        if self._meter is not None:
            self._meter.begin(exchange)
        return 0.0

    def observe(self, exchange: Exchange) -> None:
        """Take in an exchange that has come to its end."""
        self.activity.ended(exchange)
        if self._meter is not None:
            self._meter.observe(exchange)
        if self.budgets.hold:
            self.budgets.end(exchange)

    def observe_hit(self, answer: CachedAnswer) -> None:
        """Take in an answer of a library's cache."""
        with guarded:
            from nbtokens.answers import row_of  # noqa: PLC0415 - few programs have a cache

            self.keep(row_of(answer, self.meter.rows, self.meter.price), answer.place.scopes)

    def observe_later(self, exchange: Exchange) -> None:
        """The same on another thread. A SimpleQueue may be used at any moment, even inside of a destructor."""
        self._writer.put_off(exchange)

    def keep_later(self, record: Record | Callable[[], None]) -> None:
        """Append a record on another thread, likewise, or do what makes and keeps one."""
        self._writer.put_off(record)

    def keep(self, record: Record, scopes: Iterable[Scope] = ()) -> None:
        """Append a record, and let everybody know who counts: the session, `scopes`, the log, the subscribers."""
        (self._store or self.store).append(record)
        if record.kind != "amend":
            tell_outside(record)
            self.count(record, scopes)
        else:
            self._wake()

    def count(self, record: Record, scopes: Iterable[Scope]) -> None:
        """Let those know who count a record that is kept already, here or by a process that works for this one."""
        self.session.add(record)
        self.budgets.count(record)
        for scope in scopes:
            scope.add(record)
        for subscriber in self.subscribers:
            with guarded:
                subscriber(record)
        self._wake()

    def tell(self, sentence: str) -> None:
        """Say something to the user, once: in the log, and where a notebook is, under the cell."""
        if sentence not in self._told:
            self._told.add(sentence)
            self.notices.append(sentence)
            logger.warning("%s", sentence)

    def settle(self, *, at_exit: bool = False) -> None:
        """Bring everything to disk now: what waits and the summary.

        Args:
            at_exit: nothing comes after: calls without a price get one now or never, and the totals are kept.
        """
        if self._store is None:
            return
        with guarded:
            self._writer.take_deferred()
            if at_exit:
                self.meter.settle_pending()
            if at_exit and self.meter.awaits_prices:
                self.meter.wait_for_prices(_LAST_WAIT)
            self.amend_late_prices()
            self._store.flush()
            self._writer.write_up()
            self._store.checkpoint(force=at_exit)

    def write_summary(self) -> str:
        """Write USAGE_SUMMARY.md now, and return its text."""
        text = self.history.summary()
        self.store.write_summary(text)
        return text

    def _wake(self) -> None:
        self.activity.changed()
        self._writer.wake()

    def wait_for_writer(self, seconds: float) -> bool:
        """Wait until what is done in the background is done, at most so long; True if it is."""
        return self._writer.wait(seconds)

    @property
    def awaits_prices(self) -> bool:
        """Whether calls ended before the price data was there."""
        return self._meter is not None and self._meter.awaits_prices

    def take(self, item: Exchange | Record | Callable[[], None]) -> None:
        """Take in an exchange or a record that was put off, or do what was."""
        if isinstance(item, Record):
            self.keep(item)
        elif callable(item):
            item()
        else:
            self.meter.observe_deferred(item)

    def amend_late_prices(self) -> None:
        """Give the calls that ended before the price data was there their prices, once it is."""
        for before, amendment, after in self.meter.late_prices():
            self.keep(amendment)
            self.session.amend(before, after)

    def write_up(self) -> None:
        """Bring the summary up to date."""
        self.session.fold()
        self.write_summary()
        self.store.checkpoint()

    def before_fork(self) -> None:
        """Let an import that is under way on a thread of ours end: in the child, its lock would be held for ever."""
        if self._prices is not None and not self._prices.ready:
            self._prices.wait(_LAST_WAIT)
        self._shipping.before_fork(_LAST_WAIT)
        self._writer.before_fork(_LAST_WAIT)

    def after_fork_in_parent(self) -> None:
        """The fork is done."""
        self._shipping.after_fork_in_parent()
        self._writer.after_fork_in_parent()

    def after_fork(self) -> None:
        """In a forked child: no thread of the parent's lives here, and its locks may be held for ever."""
        self._lock = RLock()
        self._writer.after_fork()
        self.budgets.after_fork()
        if self._meter is not None:
            self._meter.after_fork()
        self._shipping.after_fork()
        self.activity.after_fork()
        self.subscribers = []  # their panels and threads are the parent's
        self.session.after_fork()
        if self._store is not None:
            self._store.after_fork()
        if self._prices is not None:
            self._prices.after_fork()


_runtime: Final = Runtime()


def runtime() -> Runtime:
    """The one runtime of this process."""
    return _runtime


atexit.register(_runtime.settle, at_exit=True)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_runtime.before_fork,
        after_in_parent=_runtime.after_fork_in_parent,
        after_in_child=_runtime.after_fork,
    )
