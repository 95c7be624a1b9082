"""The command line: one short handler per command; what goes wrong becomes one line."""

from __future__ import annotations

import errno
import logging
import os
import sys
from typing import Annotated

import typer

from groundbreak import __version__
from groundbreak.cli import catalog, detect, evaluate, results, simulate, sites, train, weights
from groundbreak.cli.output import print_line
from groundbreak.errors import GroundbreakError, InputError

DONE, OUR_FAULT, USERS_INPUT, INTERRUPTED = 0, 1, 2, 130

STOPPED = "interrupted; the same command goes on from here"

EXTRAS = {
    "albumentations": "train",
    "jsonargparse": "train",
    "lightning": "train",
    "matplotlib": "train",
    "onnx": "onnx",
    "onnxscript": "onnx",
    "torchmetrics": "train",
}
"""Packages that not every installation has, and the extra that brings them."""

app = typer.Typer(
    name="groundbreak",
    help="What was built, torn down or dug at the places you watch, and between which two dates.",
    epilog="-v (anywhere) shows logs and tracebacks. Documentation: docs/ in the repository.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _say_version(wanted: bool) -> None:
    if wanted:
        print_line(f"groundbreak {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_say_version, is_eager=True, help="Show it and exit."),
    ] = False,
) -> None:
    pass


for room in (simulate, sites, catalog, detect, results, train, evaluate, weights):
    room.register(app)


def run(arguments: list[str] | None = None) -> None:
    """Entry point of the ``groundbreak`` command; ends the process with its exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    verbose = any(word in {"-v", "--verbose"} for word in arguments)
    words = [word for word in arguments if word not in {"-v", "--verbose"}]
    _show_logs(verbose)
    # Albumentations asks PyPI for news when it is imported.
    os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")
    # NumPy multiplies small matrices only: threads that wait for each other took ten times as
    # long to align a look. Set before NumPy is imported; processes of the run inherit it.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        ended = app(words, standalone_mode=False)
        sys.stdout.flush()
        code = ended if isinstance(ended, int) else DONE
        if code == INTERRUPTED:  # what typer makes of the signal
            say(STOPPED)
    except BaseException as error:
        if verbose and isinstance(error, Exception):
            logging.getLogger(__name__).exception("traceback")
        code = explain(error)
    sys.exit(code)


def _show_logs(verbose: bool) -> None:
    """Logs, with tracebacks, go to stderr under ``-v`` only; a run keeps them in its log.

    Without ``-v`` only a processor that fails, a training that writes no weights, or a log that is
    not complete, is worth a line: what is left out is part of the result. The handler decides,
    since a run lowers the level of its loggers to fill its log.
    """
    shown = logging.StreamHandler(sys.stderr)
    if not verbose:
        rooms = ("groundbreak.inference", "groundbreak.model", "groundbreak.pipeline.folder")
        shown.addFilter(lambda record: record.name.startswith(rooms))
        shown.setLevel(logging.WARNING)
    level = logging.INFO if verbose else logging.WARNING
    form = "%(levelname)s %(name)s: %(message)s" if verbose else "note: %(message)s"
    logging.basicConfig(level=level, format=form, handlers=[shown])


def explain(error: BaseException) -> int:
    """Say in one line on stderr what went wrong.

    Returns:
        The exit code: 2 the user's input, 1 our fault, 130 interrupted.
    """
    if isinstance(error, BrokenPipeError) or isinstance(error.__context__, BrokenPipeError):
        # Nobody reads any more; what Python flushes when it ends must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    if isinstance(error, typer.Exit):
        return int(error.exit_code)
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else OUR_FAULT
    if isinstance(error, KeyboardInterrupt | typer.Abort):
        say(STOPPED)
        return INTERRUPTED
    if hasattr(error, "format_message"):  # a usage error of the command line's own
        # Without a message the help was shown in its place.
        if message := error.format_message():
            say(f"{message.replace('Value error, ', '')} (try --help)")
        return USERS_INPUT
    if isinstance(error, InputError):
        say(str(error))
        return USERS_INPUT
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EROFS, errno.EACCES}:
        say(f"{error.filename or 'output'}: {os.strerror(error.errno)}")
        return USERS_INPUT
    if isinstance(error, ModuleNotFoundError) and error.name in EXTRAS:
        say(f"{error.name} is not installed; pip install 'groundbreak[{EXTRAS[error.name]}]'")
        return USERS_INPUT
    kind = "" if isinstance(error, GroundbreakError) else f"{type(error).__name__}: "
    say(f"internal error: {kind}{error} (-v shows where; please report it)")
    return OUR_FAULT


def say(text: str) -> None:
    """One line on stderr."""
    sys.stderr.write("groundbreak: " + " ".join(text.split()) + "\n")
