"""Counting tokens where a provider reports none: with tiktoken's encodings where these are on this machine.

tiktoken fetches its rank files from a network at first use. That is never waited for here: an encoding is used
when its ranks lie in tiktoken's own cache or in an installed package that ships them, else the length tells.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import threading
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from nbtokens.guard import guarded

if TYPE_CHECKING:
    from collections.abc import Iterator

    import tiktoken

BYTES_PER_TOKEN: Final = 4
"""What a token of English prose has on average, by OpenAI's rule of thumb; used where no ranks can be had."""

_RANKS_URL: Final = "https://openaipublic.blob.core.windows.net/encodings/{}.tiktoken"
_lock: Final = threading.Lock()


class Tokenizers:
    """The encodings of this process. They load in the background; counting never waits long for one.

    Args:
        fallback: tiktoken's name of the encoding for models that tiktoken does not know.
    """

    def __init__(self, fallback: str = "o200k_base") -> None:
        self._fallback = fallback
        self._loaded: dict[str, tiktoken.Encoding | None] = {}
        self._loading: dict[str, threading.Thread] = {}

    def start_loading(self, model: str | None) -> None:
        """Begin to load the encoding of a model, if that has not begun yet."""
        name = self._encoding_name(model)
        with _lock:
            if name in self._loading:
                return
            thread = threading.Thread(target=self._load, args=(name,), name="nbtokens-tokenizer", daemon=True)
            self._loading[name] = thread
        thread.start()

    def count(self, text: str, model: str | None, wait: float = 0.3) -> int:
        """How many tokens a text has, exactly for the model's own encoding, else about.

        Args:
            text: plain text; what looks like a special token counts as plain text.
            model: whose encoding to use.
            wait: how long to wait for an encoding that is being loaded, in seconds.
        """
        if not text:
            return 0
        name = self._encoding_name(model)
        self.start_loading(model)
        self._loading[name].join(wait)
        encoding = self._loaded.get(name)
        if encoding is None:
            return -(-len(text.encode("utf-8", "surrogatepass")) // BYTES_PER_TOKEN)
        return len(encoding.encode_ordinary(text))

    def _encoding_name(self, model: str | None) -> str:
        from tiktoken.model import encoding_name_for_model  # noqa: PLC0415 - only where something must be counted

        try:
            return encoding_name_for_model((model or "").rpartition("/")[2])
        except KeyError:
            return self._fallback

    def _load(self, name: str) -> None:
        with guarded:
            self._loaded[name] = _load_encoding(name)


def _load_encoding(name: str) -> tiktoken.Encoding | None:
    import tiktoken  # noqa: PLC0415 - only where something must be counted

    file_name = hashlib.sha1(_RANKS_URL.format(name).encode(), usedforsecurity=False).hexdigest()
    folder = next((one for one in _rank_folders() if (one / file_name).is_file()), None)
    if folder is None:
        return None
    before = os.environ.get("TIKTOKEN_CACHE_DIR")
    os.environ["TIKTOKEN_CACHE_DIR"] = str(folder)  # tiktoken offers no other way to say where its ranks are
    try:
        return tiktoken.get_encoding(name)
    finally:
        if before is None:
            del os.environ["TIKTOKEN_CACHE_DIR"]
        else:
            os.environ["TIKTOKEN_CACHE_DIR"] = before


def _rank_folders() -> Iterator[Path]:
    """Where tiktoken's rank files may lie: its own caches, and packages that ship them in its format."""
    for variable in ("TIKTOKEN_CACHE_DIR", "DATA_GYM_CACHE_DIR"):
        if os.environ.get(variable):
            yield Path(os.environ[variable])
    yield Path(tempfile.gettempdir()) / "data-gym-cache"
    litellm = find_spec("litellm")
    for place in (litellm.submodule_search_locations or ()) if litellm is not None else ():
        yield Path(place) / "litellm_core_utils" / "tokenizers"
