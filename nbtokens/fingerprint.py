"""Fingerprints of requests: equal for equal requests of one project, and of no use to anybody else."""

from __future__ import annotations

import hashlib
import os
import secrets
import threading
from typing import TYPE_CHECKING, Final

from nbtokens.folder import make_folder

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

KEY_NAME: Final = "fingerprint.key"
_KEY_BYTES: Final = 32
_DIGEST_BYTES: Final = 12
_LOCK_WAIT: Final = 0.2


class Fingerprints:
    """Hashes with the project's random key, so that nobody can match them against prompts that they guess.

    The key lies in the ledger's folder, readable by its owner only. Where it can't be kept, a key of this
    process serves; its fingerprints then match within the session only.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / KEY_NAME
        self._keyed: hashlib.blake2b | None = None
        self._making = threading.Lock()

    def of(self, parts: Sequence[bytes]) -> str | None:
        """The fingerprint of some bytes in a row, in hexadecimal; None of nothing."""
        if not parts:
            return None
        state = (self._keyed or self._make_keyed()).copy()
        for part in parts:
            state.update(part)
        return state.hexdigest()

    def _make_keyed(self) -> hashlib.blake2b:
        held = self._making.acquire(timeout=_LOCK_WAIT)  # in a forked child, a thread of the parent's may hold it
        try:
            if self._keyed is None:
                self._keyed = hashlib.blake2b(key=self._key(), digest_size=_DIGEST_BYTES)
            return self._keyed
        finally:
            if held:
                self._making.release()

    def _key(self) -> bytes:
        try:
            return self._kept_key()
        except (OSError, ValueError):
            return secrets.token_bytes(_KEY_BYTES)

    def _kept_key(self) -> bytes:
        if not self._path.parent.is_dir():
            make_folder(self._path.parent)
        try:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            key = bytes.fromhex(self._path.read_text(encoding="ascii"))
            if len(key) != _KEY_BYTES:  # damaged, as by a full disk
                raise ValueError(len(key)) from None
            return key
        key = secrets.token_bytes(_KEY_BYTES)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(key.hex())
        return key
