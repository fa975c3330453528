# Tab for gitbackup in fish: gitbackup completion fish | source
function __gitbackup_complete
    _GITBACKUP_COMPLETE=fish _GITBACKUP_LINE=(commandline -cp) gitbackup 2>/dev/null |
    while read -l -d \t kind value help
        switch $kind
            case file dir
                __fish_complete_path (commandline -ct)
            case '*'
                printf '%s\t%s\n' $value $help
        end
    end
end
complete -c gitbackup -f -a '(__gitbackup_complete)'
