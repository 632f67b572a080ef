"""The commands, their arguments and their help."""

from __future__ import annotations

import argparse
from pathlib import Path

from paredown.cli.parser import Parser, shares, whole_number

DESCRIPTION = "Write a compression spec once (prune, quantize, distil); run it on PyTorch and on PaddlePaddle."
EXIT_CODES = """\
exit codes:
  0  done
  1  done, but a bound of the spec was missed
  2  the input was wrong
  3  a backend that was asked for is missing or failed, or a plugin did not load
"""
COMMANDS = {
    "run": "run a spec on one backend, or go on with an interrupted run",
    "compare": "run a spec on several backends, side by side, with a report",
    "sensitivity": "measure how much the metric depends on each layer's channels",
    "validate": "check a spec without running it",
    "explain": "say what would be done, per backend, without doing it",
    "init": "write a commented spec to start from",
    "schema": "print the JSON Schema of specs, installed plugins included",
    "plugins": "list the plugins and what each brings",
    "doctor": "say what is installed, what is missing, and what mends it",
    "zoo": "list the networks that a spec may name: what they cost, and who builds them",
    "export": "write the delivered network as onnx, torch or paddle",
}


def build_parser() -> tuple[Parser, dict[str, Parser]]:
    """The parser of the command, and those of its commands by name."""
    root = Parser(
        prog="paredown",
        description=DESCRIPTION,
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    root.add_argument("--version", action="store_true", help="print the version and exit")
    commands = root.add_subparsers(dest="command", metavar="COMMAND", title="commands", parser_class=Parser)
    parsers = {
        name: commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        for name, text in COMMANDS.items()
    }
    _add_running(parsers["run"], parsers["compare"], parsers["sensitivity"])
    _add_sensitivity(parsers["sensitivity"])
    for name in ("validate", "explain"):
        _add_spec(parsers[name])
    _add_backends(parsers["explain"])
    parsers["init"].add_argument("path", nargs="?", type=Path, default=Path("paredown.yaml"), help="paredown.yaml")
    parsers["init"].add_argument("--force", action="store_true", help="overwrite the file")
    _add_export(parsers["export"])
    for name in ("run", "compare", "sensitivity", "validate", "explain", "export"):
        _add_trust(parsers[name])
    for name in ("run", "compare", "sensitivity", "validate", "explain", "plugins", "doctor", "zoo", "export"):
        parsers[name].add_argument("--json", action="store_true", help="print JSON on standard output")
    return root, parsers


def _add_running(run: Parser, compare: Parser, sensitivity: Parser) -> None:
    for parser in (run, compare, sensitivity):
        _add_spec(parser)
    run.add_argument("--backend", action="append", metavar="NAME", help="where to run; the spec's first by default")
    _add_backends(compare)
    _add_backends(sensitivity)
    for parser in (run, compare, sensitivity):
        parser.add_argument(
            "--seed",
            action="append",
            type=whole_number,
            metavar="NUMBER",
            help="may be given more than once; the spec's by default",
        )
        parser.add_argument(
            "--out", type=Path, metavar="DIR", help="where everything is written; paredown-out/NAME by default"
        )
        parser.add_argument(
            "--fresh", action="store_true", help="start over instead of going on from what the directory holds"
        )
        parser.add_argument("--quiet", action="store_true", help="show no progress")


def _add_sensitivity(parser: Parser) -> None:
    parser.add_argument(
        "--criterion",
        metavar="NAME",
        help="which channels go first, with its default options; that of the first prune step by default",
    )
    parser.add_argument(
        "--ratios",
        type=shares,
        metavar="LIST",
        help="shares of a group's channels, such as 0.25,0.5,0.75; those of the prune step's allocation by default",
    )


def _add_spec(parser: Parser) -> None:
    parser.add_argument("spec", type=Path, metavar="SPEC", help="the spec, YAML or JSON")


def _add_backends(parser: Parser) -> None:
    parser.add_argument(
        "--backend", action="append", metavar="NAME", help="may be given more than once; the spec's by default"
    )


def _add_trust(parser: Parser) -> None:
    parser.add_argument(
        "--trust",
        action="append",
        default=[],
        metavar="NAME",
        help="a function (module:function) that the spec may name to build its network, or a module or package: any of"
        " its functions, with any arguments; may be given more than once",
    )


def _add_export(parser: Parser) -> None:
    parser.add_argument("directory", type=Path, metavar="DIR", help="the directory of one run, OUT/BACKEND/seed-N")
    parser.add_argument(
        "--format",
        required=True,
        metavar="NAME",
        help="onnx: the delivered file; torch: a state and an exported program; paddle: what jit.save writes;"
        " paddle_old_ir: that for tools which read only old programs; all but onnx hold the fp32 network",
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="a new directory; DIR/export-NAME by default")
