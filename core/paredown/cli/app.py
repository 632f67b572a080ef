"""The commands and their options. Each imports what it needs when it runs: `--help` must cost next to nothing."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="paredown",
    help="Write a compression spec once (prune, quantize, distil); run it on PyTorch and on PaddlePaddle.",
    epilog="Exit codes: 0 done; 1 done, but a bound of the spec was missed; 2 the input was wrong;"
    " 3 a backend that was asked for is missing or failed.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

SpecPath = Annotated[Path, typer.Argument(metavar="SPEC", help="The spec, YAML or JSON.", show_default=False)]
OutDir = Annotated[
    Path | None, typer.Option("--out", help="Where to write; paredown-out/NAME by default.", show_default=False)
]
Backends = Annotated[
    list[str] | None,
    typer.Option("--backend", help="May be given more than once; the spec's by default.", show_default=False),
]
Seeds = Annotated[
    list[int] | None,
    typer.Option("--seed", min=0, help="May be given more than once; the spec's by default.", show_default=False),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on standard output.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Start over instead of going on from what the directory holds.")]


class Format(StrEnum):
    """What `export` can write."""

    onnx = "onnx"
    torch = "torch"
    paddle = "paddle"


@app.callback(invoke_without_command=True)
def _root(version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False) -> None:
    if version:
        from importlib.metadata import version as installed

        typer.echo(f"paredown {installed('paredown')}")
        raise typer.Exit


@app.command()
def run(
    spec: SpecPath,
    backend: Annotated[
        str | None, typer.Option("--backend", help="The spec's first by default.", show_default=False)
    ] = None,
    seed: Seeds = None,
    out: OutDir = None,
    fresh: Fresh = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Run a spec on one backend; an interrupted run goes on from its last finished step."""
    from paredown.cli import running

    raise typer.Exit(
        running.run(spec, [backend] if backend else None, seed, out, fresh=fresh, as_json=as_json, quiet=quiet)
    )


@app.command()
def compare(
    spec: SpecPath,
    backend: Backends = None,
    seed: Seeds = None,
    out: OutDir = None,
    fresh: Fresh = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Run a spec on several backends and write compare.json and report.html."""
    from paredown.cli import running

    raise typer.Exit(running.compare(spec, backend, seed, out, fresh=fresh, as_json=as_json, quiet=quiet))


@app.command()
def validate(spec: SpecPath, as_json: AsJson = False) -> None:
    """Check a spec without running it."""
    from paredown.cli import inspecting

    inspecting.validate(spec, as_json=as_json)


@app.command()
def explain(spec: SpecPath, backend: Backends = None, as_json: AsJson = False) -> None:
    """Say what would be done, per backend, without doing it."""
    from paredown.cli import inspecting

    inspecting.explain(spec, backend, as_json=as_json)


@app.command()
def init(
    path: Annotated[Path, typer.Argument(help="The file to write.")] = Path("paredown.yaml"),
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file.")] = False,
) -> None:
    """Write a commented spec to start from."""
    from paredown.cli import inspecting

    inspecting.init(path, force=force)


@app.command()
def schema() -> None:
    """Print the JSON Schema of specs, with the kinds of every installed plugin."""
    from paredown.cli import inspecting

    inspecting.schema()


@app.command()
def plugins(as_json: AsJson = False) -> None:
    """List the plugins and what each brings."""
    from paredown.cli import inspecting

    inspecting.plugins(as_json=as_json)


@app.command()
def doctor(as_json: AsJson = False) -> None:
    """Say what is installed, what is missing, and the command that mends it."""
    from paredown.cli import diagnosing

    raise typer.Exit(diagnosing.doctor(as_json=as_json))


@app.command()
def export(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="The directory of one run.", show_default=False)],
    format_name: Annotated[
        Format,
        typer.Option(
            "--format",
            help="onnx: the delivered file; torch: state and exported program; paddle: jit.save.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path | None, typer.Option("--out", help="A new directory; DIR/export-FORMAT by default.", show_default=False)
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write the delivered network in a format, whichever backend it was made on."""
    from paredown.cli import running

    running.export(directory, format_name.value, out, as_json=as_json)


def run_app() -> None:
    """Runs the command line; every error of ours becomes its text and its exit code, never a traceback."""
    from paredown.errors import ParedownError

    try:
        app()
    except ParedownError as error:
        _print_error(error)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        typer.echo("interrupted: run the same command again to go on from the last finished step", err=True)
        sys.exit(130)


def _print_error(error: Exception) -> None:
    typer.echo("\n".join(f"error: {block}" for block in str(error).split("\n\n")), err=True)
