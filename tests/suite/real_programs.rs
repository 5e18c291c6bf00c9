//! Four sessions with what people really run.

use serde_json::json;

use crate::support::http::id_of;
use crate::support::payload::assert_same;
use crate::support::{Client, Form, Quarterdeck, heavy};

fn words(command: &[&str]) -> Vec<String> {
    command.iter().map(|word| (*word).to_owned()).collect()
}

/// Four at once, through one connection.
fn four_programs(quarterdeck: &Quarterdeck) {
    let api = quarterdeck.api();
    let mut client = quarterdeck.connect(Form::Json);
    let mut start = |command: &[&str]| {
        let id = id_of(&api.create(&json!({ "command": command, "cols": 100, "rows": 30 })));
        client.attach(&id);
        id
    };
    let bash = start(&["bash", "--norc", "-i"]);
    let vim = start(&["vim", "-u", "NONE", "-n", "notes.txt"]);
    let top = start(&["top", "-d", "1"]);
    let git = start(&[
        "bash",
        "-c",
        "git init -q -b trunk repo && cd repo && git -c user.name=a -c user.email=b@c commit -q --allow-empty -m 'first step' && git --no-pager log --format=%s",
    ]);

    client.input(&bash, "for i in 1 2 3; do echo line-$((i * 11)); done; exit 8\n");
    assert_eq!(client.wait_for_exit(&bash)["exitCode"], json!(8));
    let text = client.view.text(&bash);
    assert!(["line-11", "line-22", "line-33"].iter().all(|line| text.contains(line)), "{text}");

    assert_eq!(client.wait_for_exit(&git)["exitCode"], json!(0));
    assert_eq!(client.view.text(&git), "first step\r\n");

    edit(&mut client, &vim);
    assert_eq!(std::fs::read_to_string(quarterdeck.dir().join("notes.txt")).expect("the file"), "written in vim, ü\n");

    client.wait_until("top shows its table", |view| {
        view.text(&top).contains("PID") && view.text(&top).contains("COMMAND")
    });
    client.input(&top, "q");
    assert_eq!(client.wait_for_exit(&top)["exitCode"], json!(0));
}

fn edit(client: &mut Client, vim: &str) {
    // The alternate screen and the status line show that vim took the terminal.
    client.wait_until("vim is up", |view| {
        view.text(vim).contains("\u{1b}[?1049h") && view.text(vim).contains("notes.txt")
    });
    client.input(vim, "iwritten in vim, ü\u{1b}");
    client.input(vim, ":wq\r");
    assert_eq!(client.wait_for_exit(vim)["exitCode"], json!(0));
    assert!(client.view.text(vim).contains("\u{1b}[?1049l"), "vim did not give the terminal back");
}

#[test]
fn bash_vim_top_and_git_work_side_by_side() {
    four_programs(&Quarterdeck::start());
}

#[test]
fn bash_vim_top_and_git_work_side_by_side_under_pid_1() {
    four_programs(&Quarterdeck::as_pid1(&[]));
}

#[test]
fn two_million_numbers_arrive_in_order() {
    let _alone = heavy();
    let quarterdeck = Quarterdeck::as_pid1(&[]);
    // The gate lets the client attach before the flood; the terminal is left
    // as it is and makes CR LF of each newline.
    let id = quarterdeck.api().shell("printf R; read go; exec seq 1 2000000");
    let mut client = quarterdeck.connect(Form::Binary);
    client.attach(&id);
    client.wait_until("ready", |view| view.text(&id) == "R");
    client.input(&id, "\n");
    assert_eq!(client.wait_for_exit(&id)["exitCode"], json!(0));
    let mut expected = "R\r\n".to_owned();
    for n in 1..=2_000_000 {
        expected += &format!("{n}\r\n");
    }
    assert_same(client.view.bytes(&id), expected.as_bytes());
}

#[test]
fn cargo_builds_a_crate_in_a_session() {
    let _alone = heavy();
    let quarterdeck = Quarterdeck::start();
    let crate_dir = quarterdeck.dir().join("tiny");
    std::fs::create_dir_all(crate_dir.join("src")).expect("a directory");
    let manifest = "[package]\nname = \"tiny\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n[workspace]\n";
    std::fs::write(crate_dir.join("Cargo.toml"), manifest).expect("a manifest");
    std::fs::write(crate_dir.join("src/main.rs"), "fn main() { println!(\"tiny {}\", 6 * 7); }\n").expect("a source");
    // The toolchain lives where the tests' own user keeps it, not in the
    // session's empty home.
    let mut env = serde_json::Map::new();
    for (name, default) in [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")] {
        let home = std::env::var("HOME").unwrap_or_default();
        let value = std::env::var(name).unwrap_or_else(|_| format!("{home}/{default}"));
        env.insert(name.to_owned(), json!(value));
    }
    for name in ["RUSTUP_TOOLCHAIN", "PATH"] {
        if let Ok(value) = std::env::var(name) {
            env.insert(name.to_owned(), json!(value));
        }
    }
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let command = words(&[&cargo, "run", "--offline", "--color", "always"]);
    let id = id_of(&quarterdeck.api().create(&json!({ "command": command, "cwd": crate_dir, "env": env })));
    let mut client = quarterdeck.connect(Form::Acked);
    client.attach(&id);
    let exit = client.wait_for_exit(&id);
    let text = client.view.text(&id);
    assert_eq!(exit["exitCode"], json!(0), "{text}");
    // Colours and the progress bar: cargo saw a terminal.
    assert!(text.contains("Compiling") && text.contains("\u{1b}[") && text.contains("tiny 42\r\n"), "{text}");
}
