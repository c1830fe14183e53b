"""Counting tokens where a provider reports none: with tiktoken's encodings where these are on this machine.

tiktoken would fetch its ranks from a network at first use. That never happens here: an encoding is used when its
ranks lie in tiktoken's own cache or in an installed package that ships them (litellm, quicktok), else the
characters tell. Models of other families are counted with the nearest encoding (`nbtokens.families`).

Of quicktok only the ranks are used, and tiktoken counts with them. The counts are the same; but quicktok's own
loading holds the interpreter for up to half a second, and nobody's event loop shall stand still for that.
"""

from __future__ import annotations

import threading
from time import monotonic
from typing import TYPE_CHECKING, Final

from nbtokens.characters import approximate
from nbtokens.families import family_of
from nbtokens.guard import guarded
from nbtokens.ranks import load_encoding

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import tiktoken

MOST_COUNTED: Final = 400_000
"""So many characters are counted of one prompt or answer; of longer ones evenly spread pieces stand for the whole.
Counting as many takes about 20 ms for prose and 100 ms for the slowest scripts."""
_PIECE: Final = 4096
_LOOK_BACK: Final = 128
_LOCK_WAIT: Final = 0.05
# One of each for the whole process: they are large, and don't change with the settings.
_loaded: Final[dict[str, tiktoken.Encoding | None]] = {}
_loading: Final[dict[str, threading.Thread]] = {}
_lock: Final = threading.Lock()


class Tokenizers:
    """The encodings of this process. They load in the background; counting never waits long for one.

    Args:
        fallback: tiktoken's name of the encoding for models that tiktoken does not know.
    """

    def __init__(self, fallback: str = "o200k_base") -> None:
        self._fallback = fallback

    def start_loading(self, model: str | None) -> None:
        """Begin to load the encoding of a model, if that has not begun yet."""
        self._start(family_of(model, self._fallback).encoding)

    def encoding_of(self, model: str | None, wait: float) -> str | None:
        """The name of the encoding that a model's text is counted with; None where the characters must tell.

        Args:
            model: whose text.
            wait: how long to wait for an encoding that is being loaded, in seconds.
        """
        until = monotonic() + wait
        family = family_of(model, self._fallback)
        if self._get(family.encoding, until) is not None:
            return family.encoding
        return self._fallback if family.nearest is not None and self._get(self._fallback, until) is not None else None

    def count(self, text: str, model: str | None, wait: float = 0.3) -> int:
        """How many tokens a text has. See `count_all`."""
        return self.count_all([text], model, wait)

    def count_all(self, texts: Sequence[str], model: str | None, wait: float = 0.3) -> int:
        """How many tokens some texts have together, exactly for the model's own encoding, else about.

        Args:
            texts: plain texts; what looks like a special token counts as plain text.
            model: whose encoding to use.
            wait: how long to wait for an encoding that is being loaded, in seconds.
        """
        characters = sum(map(len, texts))
        if not characters:
            return 0
        until = monotonic() + wait
        family = family_of(model, self._fallback)
        encoding, factor = self._get(family.encoding, until), family.factor
        if encoding is None and family.nearest is not None:
            encoding, factor = self._get(self._fallback, until), family.nearest
        scale = 1.0
        if characters > MOST_COUNTED:
            texts = _spread("".join(texts))
            scale = characters / sum(map(len, texts))
        if encoding is None:
            return round(sum(map(approximate, texts)) * scale * factor)
        counted = sum(len(encoding.encode_ordinary(piece)) for text in texts for piece in _pieces(text))
        return round(counted * scale * factor)

    def _get(self, name: str, until: float) -> tiktoken.Encoding | None:
        self._start(name)
        thread = _loading.get(name)
        if thread is not None:
            thread.join(max(until - monotonic(), 0))
        return _loaded.get(name)

    def _start(self, name: str) -> None:
        if name in _loaded:
            return
        held = _lock.acquire(timeout=_LOCK_WAIT)  # in a forked child, a thread of the parent's may hold it
        try:
            thread = _loading.get(name)
            if thread is not None and (thread.is_alive() or name in _loaded):
                return
            # Also where a thread ended without a result: it was left behind by a fork.
            thread = threading.Thread(target=self._load, args=(name,), name="nbtokens-tokenizer", daemon=True)
            thread.start()
            _loading[name] = thread
        finally:
            if held:
                _lock.release()

    def _load(self, name: str) -> None:
        encoding = None
        with guarded:
            encoding = load_encoding(name)
        _loaded[name] = encoding
        if encoding is None and name != self._fallback:
            self._start(self._fallback)


def _pieces(text: str) -> Iterator[str]:
    """A text in pieces, cut before a space where there is one.

    tiktoken's time grows with the square of a run without spaces in its older versions, and it fails for a
    million spaces; a cut costs a token at most, and before a space none.
    """
    start, end = 0, len(text)
    while end - start > _PIECE:
        cut = text.rfind(" ", start + _PIECE - _LOOK_BACK, start + _PIECE)
        cut = cut if cut > start else start + _PIECE
        yield text[start:cut]
        start = cut
    yield text[start:]


def _spread(text: str) -> list[str]:
    """Evenly spread pieces of a long text, `MOST_COUNTED` characters together."""
    number = MOST_COUNTED // _PIECE
    step = len(text) / number
    return [text[int(i * step) : int(i * step) + _PIECE] for i in range(number)]
