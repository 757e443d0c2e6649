"""``archspec``: runs the command, and turns every end into a message and an exit status.

0: all is well. 1: a spec is at fault, or does not meet what it expects. 2: wrong usage. 3: the environment. 70: a
defect of archspec. 130: an interrupt. Each command is imported only when it is called, to start fast.
"""

from __future__ import annotations

import gc
import importlib
import os
import signal
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from .clash import clash
from .interrupts import advice_of
from .render import Terminal
from .signals import Ended, listen, status
from .start import leave_out_current_folder
from .streams import discard, say

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

USAGE, ENVIRONMENT, DEFECT, INTERRUPTED = 2, 3, 70, 130

COMMANDS = {
    "check": "Check that specs are valid and meet what they expect. Does not need torch.",
    "analyze": "Show what a network costs, and count the paths through it. Does not need torch.",
    "signal": "Predict activations and gradients at initialization. Does not need torch.",
    "build": "Build a network and compare every shape with torch's, or write it as code, weights, ONNX and others.",
    "draw": "Draw a network as a paper prints it: SVG, PNG, PDF, Graphviz or Mermaid. Does not need torch.",
    "test": "Test what specs expect, and that torch builds and runs what they describe.",
    "verify": "Compare a network with a reference: keys, graph and outputs.",
    "train": "Train a network on labeled images, and save its weights.",
    "lab": "Run an experiment on networks: degradation, ablations, random depth. Trains, and needs the extra `lab`.",
    "diff": "Show the differences between two specs: keys, stages, costs and weights.",
    "list": "List specs, blocks, shortcuts, fragments, operations, namings and targets.",
    "show": "Show a spec after `extends` and `--set`, with the origin of each value.",
    "schema": "Print the JSON Schema of a spec, for editors.",
    "explain": "Explain the code of a diagnostic, with an example and its correction.",
    "completion": "Print the script that completes archspec in a shell.",
}
"""What each command does, so that `--help` does not import it."""


class Commands(click.Group):
    """The group of commands. Each command is imported when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f".{cmd_name}", __package__)
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name not in COMMANDS and (name == "-" or not name.startswith("-")) and not ctx.resilient_parsing:
            raise click.UsageError(_unknown(name), ctx)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except Ended as error:  # click would report an interrupt
            if advice_of(error):
                _say_interrupted("ended by a signal", error)
            raise SystemExit(error.status) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem  # only for completion

        commands = [CompletionItem(name, help=COMMANDS[name]) for name in COMMANDS if name.startswith(incomplete)]
        return [*commands, *click.Command.shell_complete(self, ctx, incomplete)]


def _unknown(name: str) -> str:
    from archspec.diagnostics import cut, did_you_mean  # `--help` does not need them
    from archspec.language.text.locate import SUFFIXES, zoo_names  # `--help` does not need them

    hint = did_you_mean(name, COMMANDS)
    if name in zoo_names() or name.endswith(SUFFIXES) or name == "-":
        hint = f"did you mean `archspec check {cut(name)}` or `archspec build {cut(name)}`?"
    return f"there is no command `{cut(name)}`; {hint or 'the commands are ' + ', '.join(COMMANDS)}"


def _version(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    if not value or ctx.resilient_parsing:
        return
    from archspec import __version__  # `--help` does not need the compiler

    told, _ = clash()
    click.echo(f"archspec {__version__}" + (f"\n{told}" if told else ""))
    ctx.exit()


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_version, help="Print the version."
)
def commands() -> None:
    """Compile short YAML specs of convolutional networks.

    A SPEC is a path, the name of a spec that ships with archspec, or `-` for standard input.

    \b
    Examples:
      archspec list
      archspec check resnet50
      archspec build my_net.yaml -o my_net.safetensors

    The exit status is 0 for success, 1 if a spec is at fault or does not meet what it expects, 2 for wrong usage,
    3 if the environment lacks something, and 70 for a bug in archspec. `archspec COMMAND --help` describes a command.
    """


def run(arguments: list[str]) -> int:
    """Run a call with these arguments. Returns its exit status, and raises only the end that a signal asks for."""
    try:
        found = int(commands.main(arguments, prog_name="archspec", standalone_mode=False) or 0)
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()
        return found
    except click.ClickException as error:
        _say_usage(error)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt) as error:
        if status():
            return status()
        _say_interrupted("interrupted", error)
        return INTERRUPTED
    except MemoryError:
        say("archspec: out of memory")
        return ENVIRONMENT
    except OSError as error:
        return _output_lost(error)
    except Exception as error:
        return status() or _defect(error)


def _say_interrupted(what: str, error: BaseException) -> None:
    """Say that the command was stopped, and on a second line how to go on, if the command knows."""
    say(f"archspec: {what}")
    if advice := advice_of(error):
        say(Terminal.of(sys.stderr).safe(f"Next: {advice}"))


def _say_usage(error: click.ClickException) -> None:
    if isinstance(error, getattr(click.exceptions, "NoArgsIsHelpError", ())):  # its message is the help text
        say(error.format_message())
        return
    safe = Terminal.of(sys.stderr).safe
    context = getattr(error, "ctx", None)
    if context is not None:
        command = f"archspec {context.info_name}" if context.parent else "archspec"
        say(f"{context.get_usage()}\nTry '{command} --help' for help.\n")
    say(f"Error: {safe(error.format_message())}")


def _output_lost(error: OSError) -> int:
    """Report that standard output has lost its reader, or that its disk is full. Any other such error is a defect."""
    raised_by_stream = error.filename is None and sys.stdout is not None
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        raised_by_stream = True
    if not raised_by_stream:
        return _defect(error)
    discard(sys.stdout)
    if isinstance(error, BrokenPipeError):
        return 0
    from archspec.wording import reason_of  # only for this error

    say(f"archspec: the output cannot be written: {reason_of(error)}")
    return ENVIRONMENT


def _defect(error: Exception) -> int:
    """Report an error that archspec should have reported as a fault."""
    if os.environ.get("ARCHSPEC_DEBUG"):
        import traceback  # only for a defect

        say("".join(traceback.format_exception(error)).rstrip())
    text = Terminal.of(sys.stderr).safe(str(error)[:300])
    say(f"archspec: internal error: {type(error).__name__}: {text}")
    say("This is a bug in archspec. Please report it with the spec. ARCHSPEC_DEBUG=1 shows where it happened.")
    return DEFECT


def main() -> int:
    """Run the call that this process is for, and return its exit status."""
    leave_out_current_folder()
    _prepare()
    try:
        return run(sys.argv[1:])
    except SystemExit as error:  # from shell completion or a signal
        return error.code if isinstance(error.code, int) else 1
    except KeyboardInterrupt:
        return status() or INTERRUPTED
    finally:
        gc.freeze()  # the process ends: looking for garbage among a million objects would only take time


def _prepare() -> None:
    """Prepare what a process inherits: streams that are closed or cannot show a character, signals, the collector."""
    sys.set_int_max_str_digits(sys.int_info.default_max_str_digits)  # results must not depend on the environment
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:  # otherwise the next open file would become a standard stream
            os.open(os.devnull, os.O_RDWR)
    for stream in (sys.stdout, sys.stderr):
        reconfigure: Callable[..., Any] | None = getattr(stream, "reconfigure", None)
        if reconfigure:
            reconfigure(errors="backslashreplace")
    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # `archspec ... | head -1` ends quietly, like other tools
    listen()
    # A command makes many small objects that live until it ends. Collecting them often would waste time.
    gc.set_threshold(100_000, 50, 100)
