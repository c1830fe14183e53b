"""Totals kept beside the journal, with the offset that they cover; believed only where they fit the file."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from nbtokens.history.totals import Totals, TotalsData

if TYPE_CHECKING:
    from collections.abc import Callable

CHECKPOINT_NAME: Final = "totals_checkpoint.json"
WITNESS: Final = 256
"""How many bytes before an offset tell whether the file is still the one that was counted up to there."""
_VERSION: Final = 4


class _Checkpoint(msgspec.Struct):
    version: int
    offset: int
    witness: str
    totals: TotalsData
    amended: bool


def load(folder: Path, bytes_before: Callable[[int], bytes]) -> tuple[Totals, int, bool] | None:
    """The totals that were kept, the offset that they cover, and whether there may be amendments before that.

    None where there are none that fit.

    Args:
        folder: the ledger's folder.
        bytes_before: reads the last `WITNESS` bytes of the journal before an offset.
    """
    try:
        kept = _decoder.decode((folder / CHECKPOINT_NAME).read_bytes())
    except (OSError, msgspec.MsgspecError):
        return None
    if kept.version != _VERSION or kept.offset <= 0 or kept.witness != _witness(kept.offset, bytes_before):
        return None
    return Totals.from_plain(kept.totals), kept.offset, kept.amended


def save(folder: Path, totals: Totals, offset: int, bytes_before: Callable[[int], bytes], *, amended: bool) -> bool:
    """Keep totals; False where the folder can't be written, or nothing is before the offset."""
    witness = _witness(offset, bytes_before)
    if witness is None:
        return False
    kept = _Checkpoint(_VERSION, offset, witness, totals.to_plain(), amended)
    with contextlib.suppress(OSError):
        replace_file(folder / CHECKPOINT_NAME, _encoder.encode(kept))
        return True
    return False


def replace_file(path: Path, data: bytes, *, durable: bool = False) -> None:
    """Write a file so that a reader sees the old one or the new one, never a part.

    Args:
        path: the file.
        data: what it holds then.
        durable: bring it to the disk itself before it takes its name.
    """
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def sync_folder(folder: Path) -> None:
    """Bring the new name to the disk; where folders can't be synced, nothing is to do."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _witness(offset: int, bytes_before: Callable[[int], bytes]) -> str | None:
    """A hash of the file's first bytes and of those before `offset`: another history has others. None without any.

    A file that was rewritten begins with a row of kind `rewrite`, whose id no other file has.
    """
    head, last = bytes_before(min(WITNESS, offset)), bytes_before(offset)
    return hashlib.blake2b(head + last, digest_size=16).hexdigest() if head and last else None


_encoder: Final = msgspec.json.Encoder(decimal_format="number")
_decoder: Final = msgspec.json.Decoder(_Checkpoint)
