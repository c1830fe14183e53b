"""Loading nbtokens in every kernel of this user: a few lines in IPython's own configuration file, marked as ours."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from IPython.paths import get_ipython_dir

from nbtokens.errors import NbtokensError

_BEGIN: Final = "# >>> nbtokens autoload >>>"
_END: Final = "# <<< nbtokens autoload <<<"

LINES: Final = f"""{_BEGIN}
from importlib.util import find_spec

if find_spec("nbtokens") is not None:  # kernels of other environments read this file too
    get_config().InteractiveShellApp.extensions.append("nbtokens")
{_END}
"""
"""What stands in the file while autoload is on."""

_OURS: Final = re.compile(rf"\n?^{re.escape(_BEGIN)}$.*?^{re.escape(_END)}$\n?", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Autoload:
    """The configuration file of one of IPython's profiles.

    Attributes:
        path: the file; it need not be there.
    """

    path: Path

    @classmethod
    def of_profile(cls, name: str = "default") -> Autoload:
        """The file of a profile; kernels use `default` unless they are told otherwise."""
        return cls(Path(get_ipython_dir(), f"profile_{name}", "ipython_config.py"))

    @property
    def on(self) -> bool:
        """Whether our lines are there."""
        return _OURS.search(self._read()) is not None

    def switch_on(self) -> None:
        """Put our lines at the file's end, where they are not there yet.

        Raises:
            NbtokensError: the file can't be read or written.
        """
        text = self._read()
        if _OURS.search(text) is None:
            gap = "" if not text else "\n" if text.endswith("\n") else "\n\n"
            self._write(f"{text}{gap}{LINES}")

    def switch_off(self) -> None:
        """Take our lines out, and leave the rest as it is; a file that held nothing else is removed.

        Raises:
            NbtokensError: the file can't be read or written.
        """
        text = self._read()
        rest = _OURS.sub("", text)
        if rest == text:
            return
        if rest.strip():
            self._write(rest)
            return
        try:
            self.path.unlink()
        except OSError as error:
            raise NbtokensError(f"{self.path} can't be removed: {error}") from error

    def _read(self) -> str:
        try:
            return self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return ""
        except (OSError, UnicodeDecodeError) as error:
            raise NbtokensError(f"{self.path} can't be read: {error}") from error

    def _write(self, text: str) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise NbtokensError(f"{self.path} can't be written: {error}") from error
