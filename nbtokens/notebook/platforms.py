"""Hosted notebooks, and what their conventions ask of us: Colab, Kaggle, Databricks."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from nbtokens.guard import guarded

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Platform:
    """A hosted notebook whose machine, and its disk, goes away.

    Attributes:
        name: as people know it.
        variable: the environment variable that tells it.
        lasting: folders that stay when the machine is gone.
        advice: where to put the ledger.
    """

    name: str
    variable: str
    lasting: tuple[str, ...]
    advice: str


PLATFORMS: Final = (
    Platform(
        "Colab",
        "COLAB_RELEASE_TAG",
        ("/content/drive",),
        "mount your Drive and set NBTOKENS_DIR to a folder below /content/drive/MyDrive",
    ),
    Platform(
        "Kaggle",
        "KAGGLE_KERNEL_RUN_TYPE",
        (),
        "what lies below /kaggle/working is kept with a saved version only; download .metrics, or save a version",
    ),
    Platform(
        "Databricks",
        "DATABRICKS_RUNTIME_VERSION",
        ("/Volumes", "/Workspace", "/dbfs", "/mnt"),
        "set NBTOKENS_DIR to a folder below /Volumes or /Workspace",
    ),
)


def platform(environment: Mapping[str, str] = os.environ) -> Platform | None:
    """The hosted notebook that this process runs in; None elsewhere."""
    return next((one for one in PLATFORMS if environment.get(one.variable)), None)


def warning_about_disk(ledger: Path, environment: Mapping[str, str] = os.environ) -> str | None:
    """What to tell a user whose ledger goes away with the machine; None where it stays, or the user chose its place.

    Args:
        ledger: its folder.
        environment: the variables of the process.
    """
    here = platform(environment)
    if here is None or environment.get("NBTOKENS_DIR"):
        return None
    if any(ledger.is_relative_to(folder) for folder in here.lasting):
        return None
    return f"{ledger} goes away with this {here.name} machine, and the history with it: {here.advice}."


def has_jupyter_server() -> bool:
    """Whether Jupyter Server started this kernel, so that JupyterLab or Notebook 7 may look at it."""
    return bool(os.environ.get("JPY_SESSION_NAME"))


def prepare_widgets() -> None:
    """On Colab, ask for the widget manager that shows ipywidgets 8; nothing elsewhere."""
    if "google.colab" not in sys.modules:
        return
    with guarded:
        from google.colab import output  # noqa: PLC0415 - only there

        output.enable_custom_widget_manager()
