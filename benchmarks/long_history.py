"""A history of any length, for the benchmarks that ask what a long one costs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from nbtokens.record import Record, encode

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

NAME: Final = "usage_history.json"


def write_history(folder: Path, records: Iterable[Record]) -> None:
    """Write them into a new folder as nbtokens would, and print how many there are and how large they are."""
    folder.mkdir(parents=True)
    count = 0
    with (folder / NAME).open("wb") as file:
        for record in records:
            file.write((b",\n" if count else b"[\n") + encode(record))
            count += 1
        file.write(b"\n]\n")
    size = (folder / NAME).stat().st_size
    print(f"a history of {count:,} records: {size / 1e6:,.0f} MB, {size / count:.0f} bytes each\n")
