# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_quarterdeck_global_optspecs
    string join \n h/help V/version
end

function __fish_quarterdeck_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_quarterdeck_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_quarterdeck_using_subcommand
    set -l cmd (__fish_quarterdeck_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c quarterdeck -n "__fish_quarterdeck_needs_command" -s h -l help -d 'Print help'
complete -c quarterdeck -n "__fish_quarterdeck_needs_command" -s V -l version -d 'Print version'
complete -c quarterdeck -n "__fish_quarterdeck_needs_command" -f -a "init" -d 'Be the container\'s init: run sessions and serve them'
complete -c quarterdeck -n "__fish_quarterdeck_needs_command" -f -a "ls" -d 'List the sessions'
complete -c quarterdeck -n "__fish_quarterdeck_needs_command" -f -a "new" -d 'Start a session'
complete -c quarterdeck -n "__fish_quarterdeck_needs_command" -f -a "attach" -d 'Be the terminal of a session, until it ends or you detach'
complete -c quarterdeck -n "__fish_quarterdeck_needs_command" -f -a "send" -d 'Type into a session'
complete -c quarterdeck -n "__fish_quarterdeck_needs_command" -f -a "kill" -d 'Send a signal to the processes of sessions'
complete -c quarterdeck -n "__fish_quarterdeck_needs_command" -f -a "rm" -d 'End sessions and forget them'
complete -c quarterdeck -n "__fish_quarterdeck_needs_command" -f -a "resume" -d 'Run the command of an ended session again'
complete -c quarterdeck -n "__fish_quarterdeck_needs_command" -f -a "notify" -d 'Say from inside a session what it needs of people'
complete -c quarterdeck -n "__fish_quarterdeck_needs_command" -f -a "top" -d 'Watch what the sessions use'
complete -c quarterdeck -n "__fish_quarterdeck_needs_command" -f -a "logs" -d 'Print the output of a session that is still kept'
complete -c quarterdeck -n "__fish_quarterdeck_needs_command" -f -a "token" -d 'Give others a way in that may do less, and take it back'
complete -c quarterdeck -n "__fish_quarterdeck_needs_command" -f -a "health" -d 'Ask the running quarterdeck whether it is healthy (exit 0 or 1)'
complete -c quarterdeck -n "__fish_quarterdeck_needs_command" -f -a "completions" -d 'Print a script that lets a shell complete this command line'
complete -c quarterdeck -n "__fish_quarterdeck_needs_command" -f -a "server" -d 'Internal: the API server that init starts'
complete -c quarterdeck -n "__fish_quarterdeck_needs_command" -f -a "workspace" -d 'Internal: looks at the workspace for the API server, with a session\'s rights'
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand init" -l listen -d 'Address of the HTTP API and the web page; port 0 takes a free one' -r
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand init" -l socket -d 'Unix socket for client commands [default: /run/quarterdeck/api.sock, else $XDG_RUNTIME_DIR, else the state dir]' -r -F
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand init" -l token -d 'Token that clients must show; better give it with --token-file [default: one is made and kept in the state dir]' -r
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand init" -l token-file -d 'File with the token; read again on SIGHUP' -r -F
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand init" -l no-auth -d 'Ask for no token: whoever reaches the address gets a shell; refused beyond loopback unless it is "i-know"' -r
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand init" -l allow-host -d 'Another name by which the API is reached, such as a reverse proxy\'s [repeatable; in the environment with commas]' -r
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand init" -l allow-origin -d 'Another page that may use the API, such as http://localhost:8080 [repeatable; in the environment with commas]' -r
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand init" -l max-sessions -d 'Most sessions at once' -r
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand init" -l max-connections -d 'Most connections to the address of the API, WebSockets included' -r
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand init" -l max-connections-per-client -d 'Most of them from one client address; behind a reverse proxy all come from one' -r
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand init" -l max-requests-per-second -d 'Most requests a second from one client address, twice as many at once; 0: any number' -r
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand init" -l session-command -d 'Program of a session that names none [default: claude if on PATH, else $SHELL, else /bin/sh]' -r
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand init" -l resume-command -d 'Runs when a session of the session command is resumed [default: claude with --continue; others as they are]' -r
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand init" -l session-user -d 'User of sessions, with its groups, HOME and SHELL, by name or number [default: the user of init]' -r
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand init" -l server-user -d 'User of the API server, by name or number [default: quarterdeck if there is one, else 64321; as an ordinary user, that one]' -r
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand init" -l workspace -d 'Where sessions start [default: /workspace if present, else the working directory]' -r -F
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand init" -l state-dir -d 'Private files that outlive the container, in a volume [default: /var/lib/quarterdeck as root, else $XDG_STATE_HOME/quarterdeck]' -r -F
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand init" -l log-dir -d 'Also write the API server\'s log as JSON files here, one a day, 7 kept' -r -F
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand init" -l log-level -d 'Least important log line that is written' -r -f -a "error\t''
warn\t''
info\t''
debug\t''"
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand init" -l log-format -d 'Form of log lines on stderr [default: text if stderr is a terminal, else json]' -r -f -a "json\t''
text\t''"
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand init" -l scrollback -d 'Output kept per session; rounded up to a power of two' -r
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand init" -l history -d 'Output kept on disk per session, in the state dir; outlives the container with it; 0 keeps none' -r
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand init" -l stop-grace -d 'How long a session may take from TERM to KILL' -r
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand init" -l shutdown-grace -d 'How long the whole shutdown may take; keep it below the container engine\'s own limit' -r
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand init" -l sweep-interval -d 'How often to look for processes that outlived their session' -r
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand init" -l memory-limit -d 'Memory that may be used, if the container\'s own limit is higher or cannot be found' -r
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand init" -l warn-percent -d 'Share of the memory limit from which to warn' -r
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand init" -l critical-percent -d 'Share of the memory limit from which no new session is taken' -r
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand init" -l monitor-interval -d 'How often to log and count everything; memory itself is looked at several times a second' -r
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand init" -l stuck-after -d 'A session that prints nothing for so long while it runs counts as stuck; 0s: none does' -r
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand init" -l session-memory-max -d 'Most memory of one session; needs cgroup v2 that init can write [default: none]' -r
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand init" -l session-pids-max -d 'Most processes and threads of one session; needs cgroup v2 that init can write [default: none]' -r
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand init" -s r -l rewrite-signal -d 'Pass signal TO on instead of FROM, names or numbers; 0 drops it [repeatable; in the environment with commas]' -r
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand init" -s e -l remap-exit -d 'End with 0 if COMMAND\'s exit code is CODE [repeatable; in the environment with commas]' -r
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand init" -s p -l parent-death-signal -d 'Get this signal, and so pass it on, when the process that started init ends' -r
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand init" -s g -l group -d 'Send signals to COMMAND\'s process group, not to it alone'
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand init" -s s -l subreaper -d 'Become child subreaper without a warning if not PID 1'
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand init" -s w -l warn-on-reap -d 'Log each process reaped that somebody left to init'
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand init" -l no-api -d 'Only be init for COMMAND: one process, no API, no sessions, nothing that listens'
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand init" -s h -l help -d 'Print help'
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand ls" -l socket -d 'Unix socket of the running quarterdeck' -r -F
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand ls" -l json -d 'Print the API\'s own answer, as JSON'
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand ls" -s q -l quiet -d 'Only the names, one a line'
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand ls" -s h -l help -d 'Print help'
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand new" -l socket -d 'Unix socket of the running quarterdeck' -r -F
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand new" -s n -l name -d 'Name of the session: up to 50 letters, digits and dashes [default: the lowest free session-N]' -r
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand new" -s b -l branch -d 'Work in a git worktree of its own, on this new branch' -r
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand new" -l cwd -d 'Directory to start in, from the workspace on [default: the workspace]' -r
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand new" -s e -l env -d 'A variable for its environment; NAME alone takes the value it has here [repeatable]' -r
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand new" -l detach-keys -d 'Keys that leave the session and let it go on, with commas between: one character each, or ctrl- and one' -r
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand new" -l json -d 'Print the API\'s own answer, as JSON'
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand new" -l existing-branch -d 'The branch exists already'
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand new" -s a -l attach -d 'Attach to it at once'
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand new" -s h -l help -d 'Print help'
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand attach" -l socket -d 'Unix socket of the running quarterdeck' -r -F
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand attach" -l detach-keys -d 'Keys that leave the session and let it go on, with commas between: one character each, or ctrl- and one' -r
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand attach" -l from -d 'Which output to show first' -r -f -a "recent\t'The last 256 KiB and the state of the terminal before: enough for any screen'
oldest\t'Everything that is kept'
live\t'Only what comes from now on'"
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand attach" -l read-only -d 'Only look: keys other than the detach keys do nothing, and the session keeps its size'
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand attach" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand send" -l socket -d 'Unix socket of the running quarterdeck' -r -F
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand send" -l json -d 'Print the API\'s own answer, as JSON'
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand send" -s e -l enter -d 'Press Enter behind the text'
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand send" -s h -l help -d 'Print help'
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand kill" -l socket -d 'Unix socket of the running quarterdeck' -r -F
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand kill" -s s -l signal -d 'Signal to send: a name or a number' -r
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand kill" -l json -d 'Print the API\'s own answer, as JSON'
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand kill" -s f -l foreground -d 'Only to what runs in the foreground of its terminal, as Ctrl-C does'
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand kill" -s h -l help -d 'Print help'
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand rm" -l socket -d 'Unix socket of the running quarterdeck' -r -F
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand rm" -l json -d 'Print the API\'s own answer, as JSON'
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand rm" -l delete-worktree -d 'Delete its git worktree too, unless that would lose work'
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand rm" -s f -l force -d 'With --delete-worktree: even if it holds work that is not committed'
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand rm" -s h -l help -d 'Print help'
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand resume" -l socket -d 'Unix socket of the running quarterdeck' -r -F
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand resume" -l detach-keys -d 'Keys that leave the session and let it go on, with commas between: one character each, or ctrl- and one' -r
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand resume" -l json -d 'Print the API\'s own answer, as JSON'
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand resume" -s a -l attach -d 'Attach to it at once'
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand resume" -s h -l help -d 'Print help'
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand notify" -l needs-input -d 'A person is needed, for this' -r
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand notify" -l status -d 'What the session does' -r -f -a "active\t'It works'
waiting\t'It waits for a person'"
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand notify" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand top" -l socket -d 'Unix socket of the running quarterdeck' -r -F
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand top" -l json -d 'Print the API\'s own answer, as JSON'
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand top" -s h -l help -d 'Print help'
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand logs" -l socket -d 'Unix socket of the running quarterdeck' -r -F
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand logs" -l json -d 'Print the API\'s own answer, as JSON'
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand logs" -s f -l follow -d 'Go on with what comes, until the session ends'
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand logs" -l raw -d 'Every byte as it is on a terminal too: also what would ring, notify and make it answer'
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand logs" -s h -l help -d 'Print help'
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand token; and not __fish_seen_subcommand_from new ls rm" -s h -l help -d 'Print help'
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand token; and not __fish_seen_subcommand_from new ls rm" -f -a "new" -d 'Make a token and print it; without a flag it may do all but make others'
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand token; and not __fish_seen_subcommand_from new ls rm" -f -a "ls" -d 'List the tokens there are, without what they admit by'
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand token; and not __fish_seen_subcommand_from new ls rm" -f -a "rm" -d 'Take tokens back; who uses one is cut off'
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand token; and __fish_seen_subcommand_from new" -l socket -d 'Unix socket of the running quarterdeck' -r -F
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand token; and __fish_seen_subcommand_from new" -l session -d 'For this session only: name or id' -r
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand token; and __fish_seen_subcommand_from new" -l ttl -d 'How long it is good [default: until it is removed]' -r
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand token; and __fish_seen_subcommand_from new" -l json -d 'Print the API\'s own answer, as JSON'
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand token; and __fish_seen_subcommand_from new" -l read-only -d 'For looking only: no input, no change of anything'
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand token; and __fish_seen_subcommand_from new" -s h -l help -d 'Print help'
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand token; and __fish_seen_subcommand_from ls" -l socket -d 'Unix socket of the running quarterdeck' -r -F
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand token; and __fish_seen_subcommand_from ls" -l json -d 'Print the API\'s own answer, as JSON'
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand token; and __fish_seen_subcommand_from ls" -s h -l help -d 'Print help'
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand token; and __fish_seen_subcommand_from rm" -l socket -d 'Unix socket of the running quarterdeck' -r -F
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand token; and __fish_seen_subcommand_from rm" -l json -d 'Print the API\'s own answer, as JSON'
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand token; and __fish_seen_subcommand_from rm" -s h -l help -d 'Print help'
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand health" -l socket -d 'Unix socket of the running quarterdeck' -r -F
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand health" -l json -d 'Print the API\'s own answer, as JSON'
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand health" -s h -l help -d 'Print help'
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand server" -s h -l help -d 'Print help'
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand workspace" -s h -l help -d 'Print help'
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand attach" -f -a "(quarterdeck ls --quiet 2>/dev/null)"
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand kill" -f -a "(quarterdeck ls --quiet 2>/dev/null)"
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand logs" -f -a "(quarterdeck ls --quiet 2>/dev/null)"
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand resume" -f -a "(quarterdeck ls --quiet 2>/dev/null)"
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand rm" -f -a "(quarterdeck ls --quiet 2>/dev/null)"
complete -c quarterdeck -n "__fish_quarterdeck_using_subcommand send" -f -a "(quarterdeck ls --quiet 2>/dev/null)"
