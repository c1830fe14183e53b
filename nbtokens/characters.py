"""About how many tokens a text has, by its characters alone: for where no encoding can be had."""

from __future__ import annotations

import re
from typing import Final

# One alternative for each class; of a match, `lastgroup` tells which.
_RUNS: Final = (
    r"(?P<word>[A-Za-z\u00c0-\u024f\u1e00-\u1eff]+)"
    r"|(?P<digits>[0-9]+)"
    r"|(?P<eastern>[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef]+)"
    r"|(?P<letters>[^\W\d_]+)"
    r"|(?P<space>\s+)"
    r"|(?P<marks>[^\w\s]+|_+)"
)
# Fitted to o200k_base on prose, code, JSON, Markdown and program messages in 18 languages.
_WORD: Final = 0.93
_LONG_WORD: Final = 8
_BEYOND_LONG: Final = 0.69
_ACCENT: Final = 0.8
_DIGITS_OF_A_TOKEN: Final = 3
_EASTERN: Final = 0.77
_LETTER: Final = 0.34
_SPACE: Final = 0.47
_MARKS: Final = 1.03


def approximate(text: str) -> float:
    """About how many tokens a text has in an encoding of the size of o200k_base.

    Half of the texts that it was measured on are within 5 % and 95 of 100 within 18 %, in whatever script; a
    quarter of the bytes, the usual rule of thumb, is 15 % and 28 % off.
    """
    tokens = 0.0
    for run in re.finditer(_RUNS, text):  # compiled at first use, and kept by re
        kind = run.lastgroup
        length = run.end() - run.start()
        if kind == "word":
            tokens += _WORD
            if length > _LONG_WORD:
                tokens += (length - _LONG_WORD) * _BEYOND_LONG
            word = run.group()
            if not word.isascii():
                tokens += _ACCENT * sum(not letter.isascii() for letter in word)
        elif kind == "space":
            tokens += _SPACE if run.group() != " " else 0
        elif kind == "marks":
            tokens += _MARKS
        elif kind == "digits":
            tokens += -(-length // _DIGITS_OF_A_TOKEN)
        else:
            tokens += length * (_EASTERN if kind == "eastern" else _LETTER)
    return max(tokens, 1.0) if text else 0.0
