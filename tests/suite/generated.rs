//! What is made from the command line: man pages and shell completions.
//!
//! They are files of the repository. A change of the command line makes them
//! anew with
//! `QUARTERDECK_REGENERATE=1 cargo test --test suite generated::`

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::CommandFactory;
use clap_complete::{Generator, Shell};
use quarterdeck::cli::Cli;
use serde_json::json;

use crate::support::Quarterdeck;
use crate::support::quarterdeck::{output_of, run};

/// Prints the names of the sessions, whatever else is wrong.
const NAMES: &str = "quarterdeck ls --quiet 2>/dev/null";

/// Commands whose arguments are names of sessions.
const NAMING: [&str; 6] = ["attach", "kill", "logs", "resume", "rm", "send"];

fn completions(shell: Shell) -> String {
    let mut bytes = Vec::new();
    let mut command = Cli::command();
    command.set_bin_name("quarterdeck");
    command.build();
    shell.generate(&command, &mut bytes);
    let script = String::from_utf8(bytes).expect("a script in UTF-8");
    // Session names are what one wants to complete most, and only the running
    // quarterdeck knows them.
    let script = match shell {
        Shell::Bash => NAMING.iter().fold(script, |script, name| with_names_in_bash(&script, name)),
        Shell::Zsh => {
            let sessions = format!(
                "(( $+functions[_quarterdeck_sessions] )) ||\n_quarterdeck_sessions() {{\n    local names; \
                 names=(\"${{(@f)$({NAMES})}}\")\n    _describe -t sessions 'session' names\n}}\n\n"
            );
            let named =
                ["Name or id of the session", "Names or ids of sessions"].iter().fold(script, |script, help| {
                    script.replace(&format!("{help}:_default"), &format!("{help}:_quarterdeck_sessions"))
                });
            let at = named.find("(( $+functions[").expect("the first function of its own");
            format!("{}{sessions}{}", &named[..at], &named[at..])
        }
        _ => NAMING.iter().fold(script, |script, name| {
            let given = "__fish_quarterdeck_using_subcommand";
            script + &format!("complete -c quarterdeck -n \"{given} {name}\" -f -a \"({NAMES})\"\n")
        }),
    };
    script.lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

/// Where no flag is begun, a command that takes names is offered those.
fn with_names_in_bash(script: &str, name: &str) -> String {
    let (before, section) = script.split_once(&format!("__{name})\n            opts=")).expect("a section for each");
    let (flags, rest) = section.split_once('\n').expect("a line");
    format!(
        "{before}__{name})\n            opts={flags}\n            if [[ ${{cur}} != -* ]] ; then\n                \
         opts=\"$({NAMES})\"\n            fi\n{rest}"
    )
}

/// Every file that is generated, by its path below the repository.
fn files() -> BTreeMap<PathBuf, String> {
    let mut files = BTreeMap::new();
    for (shell, name) in
        [(Shell::Bash, "quarterdeck.bash"), (Shell::Zsh, "_quarterdeck"), (Shell::Fish, "quarterdeck.fish")]
    {
        files.insert(Path::new("src/cli/completions").join(name), completions(shell));
    }
    let mut whole = Cli::command();
    whole.build();
    let shown =
        |of: &clap::Command| of.get_subcommands().filter(|command| !command.is_hide_set()).cloned().collect::<Vec<_>>();
    let nested = shown(&whole).into_iter().flat_map(|command| [vec![command.clone()], shown(&command)].concat());
    for command in nested.chain([whole.clone()]) {
        let page = clap_mangen::Man::new(command).source(concat!("quarterdeck ", env!("CARGO_PKG_VERSION")));
        let mut text = Vec::new();
        page.render(&mut text).expect("a page");
        let text = String::from_utf8(text).expect("a page in UTF-8");
        files.insert(Path::new("docs/man").join(page.get_filename()), text);
    }
    files
}

#[test]
fn the_files_are_those_of_the_command_line() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = files();
    let anew = std::env::var_os("QUARTERDECK_REGENERATE").is_some();
    if anew {
        let _ = fs::remove_dir_all(root.join("docs/man"));
        fs::create_dir_all(root.join("docs/man")).expect("a directory");
    }
    for (path, text) in &files {
        if anew {
            fs::write(root.join(path), text).expect("a file of the repository");
        }
        let kept = fs::read_to_string(root.join(path)).unwrap_or_default();
        assert!(kept == *text, "{} is out of date: see the head of tests/suite/generated.rs", path.display());
    }
    for entry in fs::read_dir(root.join("docs/man")).expect("the pages") {
        let path = Path::new("docs/man").join(entry.expect("a page").file_name());
        assert!(files.contains_key(&path), "{} describes nothing that is there", path.display());
    }
}

#[test]
fn each_shell_gets_its_script() {
    for shell in ["bash", "zsh", "fish"] {
        let output = run(["completions", shell]);
        let script = String::from_utf8(output.stdout).expect("a script in UTF-8");
        assert!(output.status.success() && script.contains("ls --quiet"), "{shell}: {script}");
    }
}

#[test]
fn bash_completes_commands_flags_and_names() {
    let quarterdeck = Quarterdeck::start();
    for name in ["one", "other", "third"] {
        quarterdeck.api().create(&json!({ "name": name, "command": ["sleep", "1000"] }));
    }
    let complete = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let script = format!(
            "PATH={}:$PATH; eval \"$(quarterdeck completions bash)\"; COMP_WORDS=({}); \
             COMP_CWORD={}; _quarterdeck quarterdeck {:?} ''; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            Path::new(crate::support::quarterdeck::BINARY).parent().expect("a directory").display(),
            words.iter().map(|word| format!("'{word}' ")).collect::<String>(),
            words.len() - 1,
            words.last().expect("a word"),
        );
        let mut bash = Command::new("bash");
        bash.args(["--norc", "-c", &script]).env("QUARTERDECK_SOCKET", quarterdeck.dir().join("api.sock"));
        let output = output_of(bash);
        assert!(output.stderr.is_empty(), "{output:?}");
        String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(complete("quarterdeck res"), ["resume"]);
    assert_eq!(complete("quarterdeck attach o"), ["one", "other"]);
    assert_eq!(complete("quarterdeck logs --fo"), ["--follow"]);
}
