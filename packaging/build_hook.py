"""Puts the guest SDKs into wheels.

They live outside `src/` because they run inside components, not in the host. An editable install must
not get a copy: it would go stale beside the checkout that it was made from.
"""

from __future__ import annotations

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class GuestsHook(BuildHookInterface[Any]):
    """Maps guests/python and guests/js to theater/_guests in every wheel that is not editable."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version != "editable":
            for name in ("python", "js"):
                build_data["force_include"][f"guests/{name}"] = f"theater/_guests/{name}"
