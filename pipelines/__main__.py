"""The command line: `sluice`, or `python -m pipelines`."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from pipelines import printable

if TYPE_CHECKING:
    import argparse

# Commands that write temporary files, or have others do so.
WORKING = ("check", "predict", "reproduce", "run", "search", "serve", "skew", "sweep", "versions")


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit status: 0 done, 1 failed, 2 wrong input, 3 rejected by the gate, 130 interrupted."""
    words = sys.argv[1:] if arguments is None else [*arguments]
    with printable.standard_streams():
        status = _complaining(lambda: _elsewhere(words)) if words[:1] == ["predict"] else None
        return _main(words) if status is None else status


def _elsewhere(words: list[str]) -> int | None:
    """A command that would do little but import, by a process that has imported already, if there is one."""
    from pipelines.local import forked_command

    return None if "_ARGCOMPLETE" in os.environ else forked_command.elsewhere(words)


def _main(words: list[str]) -> int:
    from pipelines import lazy_imports

    lazy_imports.install()
    from pipelines import completion
    from pipelines.command_line import parser

    known = parser()
    completion.offer(known)
    given = known.parse_args(words)
    status = _complaining(lambda: _obeyed(given))
    assert status is not None
    return status


def _obeyed(given: argparse.Namespace) -> int:
    from pipelines import check_arguments
    from pipelines.local import alive
    from tasks import use_folder

    check_arguments.check_no_keys(given)
    if given.module in WORKING:
        alive.use_own_temporary_directory()
    use_folder(given.tasks, new=given.module == "new")
    status: int = importlib.import_module(f"pipelines.commands.{given.module}").main(given)
    sys.stdout.flush()
    return status


def _complaining(act: Callable[[], int | None]) -> int | None:
    """The act's own exit status, or one sentence and the status of what went wrong."""
    try:
        return act()
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return _complain("interrupted", 130)
    except OSError as error:
        place = f" ({error.filename})" if error.filename else ""
        return _complain(f"{error.strerror or error}{place}", 1)
    except (ValueError, RuntimeError) as error:
        from tasks import InputError

        return _complain(str(error), 2 if isinstance(error, InputError) else 1)


def _complain(text: str, status: int) -> int:
    print(f"sluice: {text}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
