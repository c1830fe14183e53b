"""What hatchling does besides its own: no wheel without the JupyterLab extension."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class LabExtensionIsThere(BuildHookInterface[Any]):
    """Without its files the wheel would be built all the same, and the status bar would stay empty."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling's own signature
        """Fail where the built files are missing."""
        built = Path(self.root, "nbtokens", "labextension", "package.json")
        if not built.is_file():
            raise FileNotFoundError(
                f"{built} is missing: run `npm ci --ignore-scripts && npm run build` in the folder labextension."
            )
