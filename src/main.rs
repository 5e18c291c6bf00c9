//! Picks the role and maps its end to an exit code.

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use quarterdeck::cli::{self, Cli, Command, Parsed};
use quarterdeck::config::InitConfig;
use quarterdeck::exit::Exit;
use quarterdeck::sys::arguments;
use quarterdeck::{client, dropin, init, logging, server, workspace};

fn main() -> ExitCode {
    let words: Vec<OsString> = std::env::args_os().collect();
    if let Some((program, rest)) = words.split_first()
        && let Some(name) = dropin::Name::of(program)
    {
        return dropin::run(name, rest).into();
    }
    let parsed = cli::parse(words);
    // /proc shows both to whoever may see this process.
    arguments::hide("--token", "QUARTERDECK_TOKEN");
    match parsed {
        Parsed::Run(cli) => run(cli).into(),
        Parsed::Print(text) => {
            print(&text);
            Exit::Success.into()
        }
        Parsed::Wrong(line) => {
            complain(&line);
            Exit::Usage.into()
        }
    }
}

fn run(cli: Cli) -> Exit {
    match cli.command {
        Command::Init(args) => match InitConfig::decide(*args, logging::unix_millis()) {
            Ok(InitConfig::Whole(config)) => init::run(*config),
            Ok(InitConfig::Alone(config)) => init::run_alone(*config),
            Err(error) => {
                complain(&error.to_string());
                Exit::Usage
            }
        },
        Command::Client(command) => client::run(command).unwrap_or_else(|failure| {
            if !failure.is_silent() {
                complain(&failure.to_string());
            }
            Exit::Failure
        }),
        Command::Completions(args) => {
            print(args.shell.script());
            Exit::Success
        }
        Command::Server => server::run(),
        Command::Workspace(args) => workspace::run(&args.words),
    }
}

/// Nobody can be told that standard error is full or gone.
fn complain(line: &str) {
    let _ = writeln!(std::io::stderr(), "quarterdeck: {line}");
}

fn print(text: &str) {
    let _ = write!(std::io::stdout(), "{text}");
}
