"""Settings, from `[tool.nbtokens]` in pyproject.toml or from nbtokens.toml, found upward; and where the ledger lies."""

from __future__ import annotations

import getpass
import os
import re
import socket
import tomllib
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias

import msgspec

from nbtokens.alerts import AlertBounds
from nbtokens.errors import ConfigError
from nbtokens.thresholds import Thresholds

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

METRICS_FOLDER: Final = ".metrics"
_MARKS: Final = (METRICS_FOLDER, "nbtokens.toml", "pyproject.toml", ".git")
_PASSWORD: Final = re.compile(r"(?<=://)([^:/?#]*:).*(@)|((?i:password)=)[^&]*()")

Days: TypeAlias = Annotated[str, msgspec.Meta(pattern=r"^[1-9][0-9]{0,4}d$")]


class UserPrice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the user says a model costs, in USD.

    Attributes:
        input_per_mtok: per million input tokens.
        output_per_mtok: per million output tokens.
        cache_read_per_mtok: per million input tokens read from a cache; the input price where it is left out.
        cache_write_per_mtok: per million input tokens written to a cache; the same.
        per_hour: for a rented machine: per hour of a call's duration.
        host: only calls to this host (`name` or `name:port`) cost this.
    """

    input_per_mtok: Decimal = Decimal(0)
    output_per_mtok: Decimal = Decimal(0)
    cache_read_per_mtok: Decimal | None = None
    cache_write_per_mtok: Decimal | None = None
    per_hour: Decimal | None = None
    host: str | None = None


class UserHost(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the user says stands behind a host.

    Attributes:
        provider: whose prices hold there: a provider's name as genai-prices knows it ("openai", "anthropic", ...).
        free: its calls cost nothing.
    """

    provider: str | None = None
    free: bool = False


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The settings of `[tool.nbtokens]`.

    Attributes:
        project: the name on every record; the ledger's folder by default.
        user: the name on every record; JUPYTERHUB_USER, else the login, by default.
        prices: model name -> what it costs.
        hosts: `name` or `name:port` -> what stands behind it.
        deployments: a deployment's name (Azure, a gateway) -> the model behind it.
        fallback_price: what a call costs whose price is not known otherwise; unpriced where this is left out.
        alerts: bounds whose passing is told.
        thresholds: from where on `check` tells of something.
        fallback_encoding: tiktoken's encoding for models that it does not know.
        durable: bring each record to the disk itself before the caller goes on, against power cuts.
        keep: for how long rows are kept one by one, as "180d"; older ones become sums. For ever where it is left out.
        capture_content: keep the texts of requests and answers, too.
        database: the URL of the team's database, to which every record is sent; NBTOKENS_DATABASE overrides it.
        database_keep: for how long rows are kept there one by one, as "365d"; the sums by day stay. Else for ever.
    """

    project: str | None = None
    user: str | None = None
    prices: dict[str, UserPrice] = msgspec.field(default_factory=dict)
    hosts: dict[str, UserHost] = msgspec.field(default_factory=dict)
    deployments: dict[str, str] = msgspec.field(default_factory=dict)
    fallback_price: UserPrice | None = None
    alerts: AlertBounds = AlertBounds()
    thresholds: Thresholds = Thresholds()
    fallback_encoding: str = "o200k_base"
    durable: bool = False
    keep: Days | None = None
    capture_content: bool = False
    database: str | None = None
    database_keep: Days | None = None

    @property
    def keep_days(self) -> int | None:
        """How many days rows are kept one by one; None: for ever."""
        return int(self.keep.removesuffix("d")) if self.keep else None

    @property
    def database_keep_days(self) -> int | None:
        """How many days the database keeps rows one by one; None: for ever."""
        return int(self.database_keep.removesuffix("d")) if self.database_keep else None


@dataclass(frozen=True, slots=True)
class Config:
    """Everything that is settled when recording starts.

    Attributes:
        folder: where the ledger lies.
        root: the project's folder; notebooks' paths are relative to it.
        source: the file that the settings were read from; None where there is none.
        problem: what was wrong with the settings, in words for the user.
    """

    folder: Path
    root: Path
    settings: Settings = field(default_factory=Settings)
    source: Path | None = None
    problem: str | None = None

    @property
    def project(self) -> str:
        """The project's name."""
        return self.settings.project or self.root.name or "root"

    @property
    def user(self) -> str | None:
        """Who makes the calls."""
        return self.settings.user or os.environ.get("JUPYTERHUB_USER") or _login()

    @property
    def database(self) -> str | None:
        """The URL of the team's database; None where there is none."""
        return os.environ.get("NBTOKENS_DATABASE") or self.settings.database

    @property
    def database_shown(self) -> str | None:
        """The same without its password."""
        return None if self.database is None else without_password(self.database)

    @property
    def host(self) -> str:
        """The name of this machine."""
        return socket.gethostname()


def without_password(url: str) -> str:
    """A database's URL as it may be shown, and kept."""
    return _PASSWORD.sub(r"\1\3***\2", url)


def load_config(start: Path | None = None) -> Config:
    """Find the ledger's place and the settings, upward from `start` (the working directory by default).

    `NBTOKENS_DIR` names the ledger's folder outright. Settings that can't be used are left out, and
    `Config.problem` says why: a typing error in a file must not stop anybody's calls.
    """
    here = (start or Path.cwd()).absolute()
    ledger = _ledger_folder(here)
    try:
        source, settings = _find_settings(here)
    except ConfigError as error:
        return Config(folder=ledger, root=_root_of(ledger, here), problem=str(error))
    return Config(folder=ledger, root=_root_of(ledger, here), settings=settings, source=source)


def _ledger_folder(here: Path) -> Path:
    named = os.environ.get("NBTOKENS_DIR")
    if named:
        return Path(named).expanduser().absolute()
    for folder in _upward(here):
        if any((folder / mark).exists() for mark in _MARKS):
            return folder / METRICS_FOLDER
    return here / METRICS_FOLDER


def _root_of(ledger: Path, here: Path) -> Path:
    if ledger.name == METRICS_FOLDER:
        return ledger.parent
    return next((folder for folder in _upward(here) if any((folder / mark).exists() for mark in _MARKS)), here)


def _upward(here: Path) -> Iterator[Path]:
    yield here
    yield from here.parents


def _find_settings(here: Path) -> tuple[Path | None, Settings]:
    for folder in _upward(here):
        own = folder / "nbtokens.toml"
        if own.is_file():
            table = _read_toml(own)
            if isinstance(table.get("tool"), dict):  # written as for pyproject.toml
                table |= table.pop("tool").get("nbtokens", {})
            return own, _settings(table, own)
        shared = folder / "pyproject.toml"
        if shared.is_file():
            table = _read_toml(shared).get("tool", {}).get("nbtokens")
            if table is not None:
                return shared, _settings(table, shared)
    return None, Settings()


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path} can't be read: {error}. nbtokens goes on without its settings.") from error


def _settings(table: Mapping[str, Any], path: Path) -> Settings:
    known = [one.name for one in msgspec.structs.fields(Settings)]
    for name in table:
        if name not in known:
            import difflib  # noqa: PLC0415 - a wrong word is rare

            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"known are {', '.join(known)}."
            raise ConfigError(f"{path}: [tool.nbtokens] has no setting {name!r}; {hint}")
    try:
        settings = msgspec.convert(table, Settings)
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: [tool.nbtokens] {error}. nbtokens goes on without its settings.") from error
    for name, price in (*settings.prices.items(), ("fallback_price", settings.fallback_price)):
        _check_price(name, price, path)
    return settings


def _check_price(name: str, price: UserPrice | None, path: Path) -> None:
    for one in msgspec.structs.fields(UserPrice):
        amount = getattr(price, one.name, None)
        if isinstance(amount, Decimal) and not (amount.is_finite() and amount >= 0):
            raise ConfigError(
                f"{path}: [tool.nbtokens] {one.name} of {name!r} is {amount}; a price is 0 or more USD. "
                "nbtokens goes on without its settings."
            )


def _login() -> str | None:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a container's user may have no name
        return None
