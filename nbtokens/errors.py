"""The exceptions that nbtokens raises to its users. None of them is ever raised in the path of a call."""

from __future__ import annotations


class NbtokensError(Exception):
    """Something the user asked of nbtokens can't be done; the message says what, where, and what to do."""


class ConfigError(NbtokensError):
    """A setting in nbtokens.toml, in pyproject.toml or in the environment can't be used."""


class HistoryError(NbtokensError):
    """The usage history can't be read or written as asked."""


class DatabaseAwayError(NbtokensError):
    """The team's database can't be reached, or went away."""
