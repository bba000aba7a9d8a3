"""The command line: `sluice`, or `python -m pipelines`."""

from __future__ import annotations

import argparse
import importlib
import os
import sys

from pipelines import completion, lazy_imports, printable
from pipelines.command_line import parser

# Commands that write temporary files, or have others do so.
WORKING = ("check", "predict", "reproduce", "run", "search", "serve", "skew", "sweep", "versions")


def main(arguments: list[str] | None = None) -> int:
    """The exit status: 0 done, 1 failed, 2 wrong input, 3 rejected by the gate, 130 interrupted."""
    with printable.standard_streams():
        return _main(arguments)


def _main(arguments: list[str] | None) -> int:
    lazy_imports.install()
    words = parser()
    completion.offer(words)
    return obey(words.parse_args(arguments))


def obey(given: argparse.Namespace) -> int:
    """What `main` gives, for a command that has been read."""
    from pipelines import check_arguments
    from pipelines.local import alive
    from tasks import InputError, use_folder

    try:
        check_arguments.check_no_keys(given)
        if given.module in WORKING:
            alive.use_own_temporary_directory()
        use_folder(given.tasks, new=given.module == "new")
        status: int = importlib.import_module(f"pipelines.commands.{given.module}").main(given)
        sys.stdout.flush()
        return status
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return _complain("interrupted", 130)
    except InputError as error:
        return _complain(str(error), 2)
    except OSError as error:
        place = f" ({error.filename})" if error.filename else ""
        return _complain(f"{error.strerror or error}{place}", 1)
    except (ValueError, RuntimeError) as error:
        return _complain(str(error), 1)


def _complain(text: str, status: int) -> int:
    print(f"sluice: {text}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
