"""The command and a server for the tests of what is published, as the command's own tests have them."""

from __future__ import annotations

from tests.cli.conftest import Shell, alone, cache_dir, home, served, shell

__all__ = ["Shell", "alone", "cache_dir", "home", "served", "shell"]
