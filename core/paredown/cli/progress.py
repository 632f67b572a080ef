"""What a person sees while a run works: a bar on a terminal, plain lines elsewhere, nothing when quiet."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from paredown.errors import ParedownError

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID


class Progress:
    """A listener that shows stages and epochs on standard error."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._stage = ""
        self._bar: Bar | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Progress:
        if not self._quiet and sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                TimeElapsedColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def start(self, backend: str, seed: int) -> None:
        """A run begins."""
        if self._bar is not None:
            self._task = self._bar.add_task(f"{backend}, seed {seed}", total=None)

    def event(self, backend: str, seed: int, event: dict[str, Any]) -> None:
        """A worker's event: a stage is a line, an epoch moves the bar."""
        if event["event"] in ("stage", "note"):
            self._stage = event["text"]
            self._say(f"{backend}, seed {seed}: {self._stage}")
        elif event["event"] == "epoch":
            if self._bar is not None and self._task is not None:
                text = f"{backend}, seed {seed}: {self._stage}, loss {event['loss']:.4f}"
                self._bar.update(self._task, description=text, total=event["epochs"], completed=event["epoch"])
            else:
                done = f"epoch {event['epoch']} of {event['epochs']}, loss {event['loss']:.4f}"
                self._say(f"{backend}, seed {seed}: {self._stage}, {done}")

    def finish(self, backend: str, seed: int, error: ParedownError | None) -> None:
        """A run ended; an error is shown with the table, after the others have finished."""
        if self._bar is not None and self._task is not None:
            self._bar.remove_task(self._task)
        self._say(f"{backend}, seed {seed}: {'failed' if error else 'done'}")

    def _say(self, line: str) -> None:
        if self._quiet:
            return
        if self._bar is not None:
            self._bar.console.print(line, style="dim", markup=False, highlight=False)
        else:
            print(line, file=sys.stderr, flush=True)
