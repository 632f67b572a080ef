"""The two decorators of the plugin system: `hookimpl` for who implements a hook, `hookspec` for who declares one."""

from __future__ import annotations

import pluggy

PROJECT = "paredown"
"""The name of the hook project, and of the entry-point group that plugins are found by."""

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)
