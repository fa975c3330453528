# Tab for gitbackup in bash: eval "$(gitbackup completion bash)"
_gitbackup_complete() {
    local kind value help
    COMPREPLY=()
    while IFS=$'\t' read -r kind value help; do
        case $kind in
            file | dir) compopt -o default; COMPREPLY=(); return ;;
            part) compopt -o nospace ;;
        esac
        COMPREPLY+=("$value")
    done < <(_GITBACKUP_COMPLETE=bash _GITBACKUP_LINE="${COMP_LINE:0:COMP_POINT}" \
        _GITBACKUP_WORD="$2" "$1" 2>/dev/null)
}
complete -o nosort -F _gitbackup_complete gitbackup 2>/dev/null ||
    complete -F _gitbackup_complete gitbackup
