"""``archspec completion``: the script that completes commands, options, spec names and codes in a shell."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from .options import Word
from .streams import put

INSTALL = {
    "bash": "archspec completion bash > ~/.local/share/bash-completion/completions/archspec",
    "zsh": "archspec completion zsh > ~/.zfunc/_archspec, with `fpath+=~/.zfunc` before `compinit` in ~/.zshrc",
    "fish": "archspec completion fish > ~/.config/fish/completions/archspec.fish",
}
TRY = {
    "bash": 'eval "$(archspec completion bash)"',
    "zsh": 'eval "$(archspec completion zsh)"',
    "fish": "archspec completion fish | source",
}

SPLIT = ('string split ","', 'string split --max 1 ","')
"""What click's script for fish does with a line, which cuts a description at its first comma; and what it must do."""


@click.command("completion")
@click.argument("shell", metavar="bash|zsh|fish", type=Word("shell", INSTALL))
@click.pass_context
def command(ctx: click.Context, shell: str) -> int:
    """Print the script that completes archspec in a shell. Its first lines say how to install it.

    \b
    Examples:
      eval "$(archspec completion bash)"
      archspec completion fish | source
    """
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"the installed click has no completion for {shell}", ctx)
    completion = kind(ctx.find_root().command, {}, "archspec", "_ARCHSPEC_COMPLETE")
    template = completion.source_template.replace(*SPLIT) if shell == "fish" else completion.source_template
    script = template % completion.source_vars()  # `source()` would run the shell to get its version
    first, _, rest = script.lstrip("\n").partition("\n")
    comments = f"# For this shell only: {TRY[shell]}\n# For all shells: {INSTALL[shell]}"
    # zsh wants its `#compdef` line first.
    put(f"{first}\n{comments}\n{rest}" if first.startswith("#compdef") else f"{comments}\n{first}\n{rest}")
    return 0
