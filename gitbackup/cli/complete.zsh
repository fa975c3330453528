#compdef gitbackup
# Tab for gitbackup in zsh: eval "$(gitbackup completion zsh)"
_gitbackup() {
    local kind value help line="${(j: :)words[1,CURRENT-1]} $QIPREFIX$PREFIX"
    local -a values shown parts
    while IFS=$'\t' read -r kind value help; do
        case $kind in
            file | dir) _files; return ;;
            part) parts+=("$value") ;;
            *) values+=("$value"); shown+=("$value${help:+  -- $help}") ;;
        esac
    done < <(_GITBACKUP_COMPLETE=zsh _GITBACKUP_LINE="$line" "${words[1]}" 2>/dev/null)
    compadd -V gitbackup -S '' -a parts
    compadd -V gitbackup -l -d shown -a values
}
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit -u; }
compdef _gitbackup gitbackup
