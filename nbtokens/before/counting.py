"""Counting the tokens of many rows, in parallel, with a bar where it takes long."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

import msgspec
import numpy as np

from nbtokens.before.rows import rows_of
from nbtokens.errors import NbtokensError
from nbtokens.estimates import Estimates
from nbtokens.families import family_of, framing_of
from nbtokens.formats.openai import CHAT
from nbtokens.formats.request import Request
from nbtokens.runtime import runtime
from nbtokens.tokenizers import Tokenizers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_LOT: Final = 512
_MOST_THREADS: Final = 8
_LOADING: Final = 30.0
_BAR_AFTER: Final = 1.0
_UNKNOWN: Final = "?"


class Counted(NamedTuple):
    """The tokens of some rows.

    Attributes:
        tokens: of each row; 0 of one without a text.
        encoding: what they were counted with; None where only the characters could tell.
        exact: whether that is the model's own encoding.
    """

    tokens: NDArray[np.int64]
    encoding: str | None
    exact: bool

    def repeated(self, times: int) -> Self:
        """The same where each row is there so many times."""
        return self._replace(tokens=self.tokens.repeat(times))


class Counter:
    """Counts as one model counts.

    Args:
        model: whose tokens are meant.
        framed: whether a text is counted as a message of a chat, with the tokens around it.
        system: the text of a system message that each row would be sent with.
    """

    def __init__(self, model: str, *, framed: bool = False, system: str | None = None) -> None:
        fallback = runtime().config.settings.fallback_encoding
        self._model, self._system = model, system
        self._tokenizers = Tokenizers(fallback)
        self._estimates = Estimates(self._tokenizers)
        self.encoding = self._tokenizers.encoding_of(model, _LOADING)
        family = family_of(model, _UNKNOWN)
        self.exact = self.encoding is not None and self.encoding == family.encoding and family.factor == 1
        framing = framing_of(model)
        self._around = framing.request + framing.message if framed else 0
        if framed and system:
            self._around += framing.message + framing.system + self._tokenizers.count(system, model)

    def count(self, item: Any) -> int:  # noqa: ANN401 - a text, a chat or None
        """The tokens of one row."""
        if isinstance(item, str):
            return self._tokenizers.count(item, self._model) + self._around if item else 0
        return 0 if item is None else self._of_chat(item)

    def count_rows(self, items: Sequence[Any], *, progress: bool) -> NDArray[np.int64]:
        """The tokens of each row. tiktoken counts outside of the interpreter's lock, so that threads help."""
        tokens = np.zeros(len(items), np.int64)
        if len(items) <= _LOT:
            tokens[:] = [self.count(item) for item in items]
            return tokens

        def count_lot(start: int) -> int:
            lot = items[start : start + _LOT]
            tokens[start : start + _LOT] = [self.count(item) for item in lot]
            return len(lot)

        from tqdm.auto import tqdm  # noqa: PLC0415 - only where it may take long

        pool = ThreadPoolExecutor(min(os.cpu_count() or 1, _MOST_THREADS), thread_name_prefix="nbtokens-count")
        try:
            lots = [pool.submit(count_lot, start) for start in range(0, len(items), _LOT)]
            with tqdm(
                total=len(items), desc="counting tokens", unit=" rows", delay=_BAR_AFTER, disable=not progress
            ) as bar:
                for done in as_completed(lots):
                    bar.update(done.result())
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
        return tokens

    def _of_chat(self, item: Any) -> int:  # noqa: ANN401 - messages, or a request's body
        body = item if isinstance(item, dict) else {"messages": item}
        if self._system:
            messages = list(body.get("messages", ()))
            body = {**body, "messages": [{"role": "system", "content": self._system}, *messages]}
        try:
            request = Request(msgspec.json.encode(body))
        except (TypeError, ValueError) as error:
            raise NbtokensError(f"a row is no text and no chat that can be sent as JSON: {error}") from error
        return self._estimates.input_tokens(request, CHAT, self._model)


def count_tokens(data: Any, model: str) -> Any:  # noqa: ANN401 - a number for one, a column for a column
    """How many tokens a text, a chat, or each of some rows has. See `nbtokens.count_tokens`."""
    rows = rows_of(data)
    counter = Counter(model)
    tokens = counter.count_rows(rows.items, progress=True)
    if rows.single:
        return int(tokens[0])
    if rows.index is None:
        return tokens.tolist()
    return type(data)(tokens, index=rows.index, name=data.name)


def counted(items: Sequence[Any], counter: Counter, *, progress: bool) -> Counted:
    """The tokens of each row, and how they were counted."""
    return Counted(counter.count_rows(items, progress=progress), counter.encoding, counter.exact)
