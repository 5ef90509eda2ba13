# bash completion for deploy
_deploy() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    COMPREPLY=()
    case $previous in
    -f | --file | --agent)
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        return
        ;;
    --timings)
        mapfile -t COMPREPLY < <(
            compgen -f -X '!*.html' -- "$current"
            compgen -d -- "$current"
        )
        return
        ;;
    -r | --result-path | --log-dir | --temp-path)
        mapfile -t COMPREPLY < <(compgen -d -- "$current")
        return
        ;;
    --interactive-sudo | --fast-connection | --auto-rollback | --magic-rollback | --rollback-succeeded)
        mapfile -t COMPREPLY < <(compgen -W "true false" -- "$current")
        return
        ;;
    --on-partial-failure)
        mapfile -t COMPREPLY < <(compgen -W "rollback warn" -- "$current")
        return
        ;;
    --ssh-transport)
        mapfile -t COMPREPLY < <(compgen -W "automatic libssh2 openssh" -- "$current")
        return
        ;;
    --compress)
        mapfile -t COMPREPLY < <(compgen -W "auto on off" -- "$current")
        return
        ;;
    --hostname)
        mapfile -t COMPREPLY < <(compgen -A hostname -- "$current")
        return
        ;;
    --ssh-user | --profile-user)
        mapfile -t COMPREPLY < <(compgen -u -- "$current")
        return
        ;;
    --ssh-opts | --sudo | --confirm-timeout | --activation-timeout | --health-timeout | --parallel | --max-copies | \
        --max-activations | --max-jobs-eval | --wait-lock | --history) return ;;
    esac
    if [[ $current == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "--targets -f --file -i --interactive -s --skip-checks --dry-activate --boot
            --force --remote-build -k --keep-result -r --result-path -c --checksigs --parallel --max-copies --max-activations
            --max-jobs-eval --no-barrier --rollback-succeeded --agent --ssh-transport --compress -d --debug-logs
            --log-dir --timings --json -h --help -V --version --hostname --ssh-user --ssh-opts --profile-user
            --sudo --interactive-sudo --fast-connection --auto-rollback --magic-rollback --confirm-timeout
            --activation-timeout --temp-path --local --on-partial-failure --wait-lock --history
            --health-timeout --skip-health-checks" -- "$current")
    else
        mapfile -t COMPREPLY < <(compgen -d -- "$current")
        if ((COMP_CWORD == 1)) && [[ status == "$current"* ]]; then COMPREPLY+=(status); fi
    fi
}
complete -F _deploy deploy
