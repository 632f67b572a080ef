"""From arguments to a command, and from errors to text and exit codes. Commands import what they need when they run."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from paredown.cli.arguments import COMMANDS, build_parser
from paredown.cli.parser import UsageError
from paredown.errors import ParedownError
from paredown.spec.nearest import listed, suggestion

INTERRUPTED = 130
_NO_READER = 141  # as a shell reports a command that died of SIGPIPE
_WRONG_INPUT = 2


def run_app() -> None:
    """Runs the command line; every error of ours becomes its text and its exit code, never a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    sys.exit(_exit_code(sys.argv[1:]))


def _exit_code(arguments: Sequence[str]) -> int:
    try:
        code = dispatch(arguments)
        sys.stdout.flush()
    except ParedownError as error:
        print("\n".join(f"error: {problem.render()}" for problem in error.problems), file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("interrupted: run the same command again to go on from the last finished step", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # The interpreter would complain once more while it flushes a stream that nobody reads.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _NO_READER
    except OSError as error:
        print(f"error: {error.filename or 'the system'}: {error.strerror or error}", file=sys.stderr)
        return _WRONG_INPUT
    return code


def dispatch(arguments: Sequence[str]) -> int:
    """Runs the command that the arguments name and returns its exit code.

    Raises:
        ParedownError: The arguments or the input are wrong, or the command failed.
    """
    root, parsers = build_parser()
    command = next((argument for argument in arguments if not argument.startswith("-")), None)
    if command is None:
        root.refuse_unknown_options(arguments)
        if root.parse_args(arguments).version:
            return _version()
        root.print_help(sys.stderr)
        return _WRONG_INPUT
    if command not in parsers:
        raise UsageError(
            f"there is no command `{command}`",
            where=root.prog,
            expected=f"one of {listed(COMMANDS)}",
            remedy=suggestion(command, COMMANDS),
        )
    place = list(arguments).index(command)
    root.refuse_unknown_options(arguments[:place])
    parsers[command].refuse_unknown_options(arguments[place + 1 :])
    return _perform(command, root.parse_args(arguments))


def _version() -> int:
    from importlib.metadata import version

    print(f"paredown {version('paredown')}")
    return 0


def _perform(command: str, given: argparse.Namespace) -> int:
    if command in ("run", "compare", "export"):
        from paredown.cli import running

        return getattr(running, command)(given)  # type: ignore[no-any-return]  # one function a command, all alike
    if command == "sensitivity":
        from paredown.cli import sensitivity

        return sensitivity.sensitivity(given)
    if command == "doctor":
        from paredown.cli import diagnosing

        return diagnosing.doctor(given)
    if command == "zoo":
        from paredown.cli import zoo

        return zoo.zoo(given)
    if command == "explain":
        from paredown.cli import explaining

        return explaining.explain(given)
    from paredown.cli import inspecting

    return getattr(inspecting, command)(given)  # type: ignore[no-any-return]  # one function a command, all alike
