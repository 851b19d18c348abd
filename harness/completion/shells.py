"""The shells' side: functions that ask ``harness completion --line`` what may stand where the cursor is."""

from __future__ import annotations

from harness.errors import ConfigurationError

BASH = r"""_harness() {
    local IFS=$'\n' line="${COMP_LINE:0:COMP_POINT}"
    local current="${line##* }"
    COMPREPLY=($(harness completion --line "$line" 2>/dev/null))
    # readline takes a new word to begin behind = and :
    local cut="${current%"${current##*[=:]}"}"
    COMPREPLY=("${COMPREPLY[@]#"$cut"}")
}
complete -o default -o nospace -F _harness harness
"""
ZSH = r"""_harness() {
    local -a found
    found=("${(@f)$(harness completion --line "$LBUFFER" 2>/dev/null)}")
    found=(${found:#})
    if (( $#found )); then
        compadd -Q -S '' -- ${found:#* }
        compadd -Q -S ' ' -- ${${(M)found:#* }% }
    else
        _files
    fi
}
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
compdef _harness harness
"""
SCRIPTS = {"bash": BASH, "zsh": ZSH}


def script(shell: str) -> str:
    """What a shell is to evaluate when it starts.

    Raises:
        ConfigurationError: There is none for this shell.
    """
    if shell not in SCRIPTS:
        raise ConfigurationError(
            f"harness completion {shell}: there is none for this shell.", f"Allowed: {', '.join(SCRIPTS)}."
        )
    return SCRIPTS[shell]
