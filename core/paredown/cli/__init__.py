"""The command line. `main` is what the `paredown` command runs."""

from __future__ import annotations


def main() -> None:
    """Runs the command line and exits with its code."""
    from paredown.cli.app import run_app

    run_app()
