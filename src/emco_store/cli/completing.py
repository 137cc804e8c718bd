"""The verb ``completion``: scripts with which a shell completes verbs, options and their values."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping

from emco_store.cli.arguments import VERBS, Options
from emco_store.cli.exits import Exit
from emco_store.cli.screen import Screen

_BASH = """\
# Completion of emco-store for bash: source <(emco-store completion bash)
_emco_store() {{
    local current="${{COMP_WORDS[COMP_CWORD]}}" before="${{COMP_WORDS[COMP_CWORD-1]}}" words=""
    local verb="${{COMP_WORDS[1]}}"
    if [ "$COMP_CWORD" -eq 1 ]; then
        words="{verbs}"
    else
        case "$verb $before" in
{values}
            *) case "$verb" in
{options}
            esac ;;
        esac
    fi
    COMPREPLY=($(compgen -W "$words" -- "$current"))
}}
complete -o default -F _emco_store emco-store
"""
_ZSH = """\
#compdef emco-store
# Completion of emco-store for zsh, after compinit: source <(emco-store completion zsh)
_emco_store() {{
    if (( CURRENT == 2 )); then
        compadd -- {verbs}
        return
    fi
    case "$words[2] $words[CURRENT-1]" in
{values}
    esac
    case "$words[2]" in
{options}
    esac
    _files
}}
compdef _emco_store emco-store
"""


def completion(options: Options, screen: Screen) -> Exit:
    """Write the script of a shell."""
    screen.write(_SCRIPTS[options.shell]())
    return Exit.OK


def _bash() -> str:
    values = [f'            {cases}) words="{words}" ;;' for cases, words in _values()]
    options = [f'                {name}) words="{words}" ;;' for name, words in _words()]
    return _BASH.format(verbs=" ".join(VERBS), values="\n".join(values), options="\n".join(options))


def _zsh() -> str:
    values = [f"        {cases}) compadd -- {words}; return ;;" for cases, words in _values()]
    options = [f"        {name}) compadd -- {words} ;;" for name, words in _words()]
    return _ZSH.format(verbs=" ".join(VERBS), values="\n".join(values), options="\n".join(options))


def _values() -> Iterator[tuple[str, str]]:
    """Yield what may stand before a value in a command, as the cases of a shell, and the values."""
    for name, actions in _actions().items():
        for action in actions:
            if action.option_strings and action.choices is not None:
                yield "|".join(f'"{name} {option}"' for option in action.option_strings), " ".join(_choices(action))


def _words() -> Iterator[tuple[str, str]]:
    """Yield each verb, with its options and the values of its arguments."""
    for name, actions in _actions().items():
        options = [one for action in actions for one in action.option_strings if one.startswith("--")]
        values = [one for action in actions if not action.option_strings for one in _choices(action)]
        yield name, " ".join([*options, *values])


def _fish() -> str:
    lines: list[str] = ["# Completion of emco-store for fish: emco-store completion fish | source"]
    for name, verb in VERBS.items():
        lines.append(
            f"complete -c emco-store -n __fish_use_subcommand -f --arguments {name} -d {_quoted(verb.summary)}"
        )
    for name, actions in _actions().items():
        begin = f"complete -c emco-store -n '__fish_seen_subcommand_from {name}'"
        for action in actions:
            words = "" if action.choices is None else _quoted(" ".join(_choices(action)))
            if not action.option_strings:
                lines += [f"{begin} -f --arguments {words}"] if words else []
                continue
            flags = " ".join(
                f"-{'l' if one.startswith('--') else 's'} {one.lstrip('-')}" for one in action.option_strings
            )
            needs = "" if action.nargs == 0 else f" -x --arguments {words}" if words else " -r"
            lines.append(f"{begin} {flags}{needs} -d {_quoted(action.help or '')}")
    return "\n".join(lines) + "\n"


_SCRIPTS: Mapping[str, Callable[[], str]] = {"bash": _bash, "zsh": _zsh, "fish": _fish}


def _actions() -> dict[str, list[argparse.Action]]:
    """Return the arguments of each verb."""
    found: dict[str, list[argparse.Action]] = {}
    for name, verb in VERBS.items():
        parser = argparse.ArgumentParser()
        verb.fill(parser)
        found[name] = parser._actions  # noqa: SLF001 - argparse has no other way to look at a parser
    return found


def _choices(action: argparse.Action) -> list[str]:
    return [str(one) for one in action.choices or ()]


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'").replace("%%", "%") + "'"
