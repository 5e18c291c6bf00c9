//! Who may use whom: reads the sources and holds the rules of the layout.

use std::fs;
use std::path::{Path, PathBuf};

/// Modules that may use only themselves and these of ours.
const ONLY: [(&str, &[&str]); 5] =
    [("model", &[]), ("cgroups", &[]), ("sys", &["model"]), ("ring", &["sys"]), ("link", &["model"])];

/// Modules that must never use these of ours.
const NEVER: [(&str, &[&str]); 4] = [
    ("init", &["server"]),
    ("server", &["init", "sys::spawn", "sys::reap"]),
    ("server::http", &["sys"]),
    ("server::http", &["ring"]),
];

/// Modules that must never name these crates.
const NO_CRATE: [(&str, &str); 1] = [("init", "tokio")];

/// What `source`, the file at `path` below src, does against the rules.
fn violations(path: &str, source: &str) -> Vec<String> {
    let here = module_of(path);
    let code = without_text(source);
    let mut found = Vec::new();
    for used in used_paths(&code, &here) {
        for (module, allowed) in ONLY {
            let fine = within(&used, module) || allowed.iter().any(|other| within(&used, other));
            if within(&here, module) && !fine {
                found.push(format!("{path} uses {used}, but {module} may use only {allowed:?}"));
            }
        }
        for (module, forbidden) in NEVER {
            if within(&here, module) && forbidden.iter().any(|other| within(&used, other)) {
                found.push(format!("{path} uses {used}, but {module} must not use any of {forbidden:?}"));
            }
        }
    }
    for (module, name) in NO_CRATE {
        if within(&here, module) && words(&code).any(|word| word == name) {
            found.push(format!("{path} names {name}, which {module} must not"));
        }
    }
    if !within(&here, "sys") && words(&code).any(|word| word == "unsafe") {
        found.push(format!("{path} holds unsafe code, which belongs in sys"));
    }
    found
}

/// `server::http::ws` of `server/http/ws.rs`.
fn module_of(path: &str) -> String {
    let path = path.trim_end_matches(".rs").trim_end_matches("/mod");
    path.replace('/', "::")
}

/// Whether `path` is `module` or something inside it.
fn within(path: &str, module: &str) -> bool {
    path.strip_prefix(module).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c| !is_word(c))
}

/// The code with comments and the insides of literals taken out.
fn without_text(source: &str) -> String {
    let mut code = String::new();
    let mut rest = source;
    while let Some(c) = rest.chars().next() {
        let hashes = rest.strip_prefix('r').map(|r| r.len() - r.trim_start_matches('#').len());
        let raw = hashes.filter(|n| rest[1 + n..].starts_with('"') && !code.ends_with(is_word));
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(hashes) = raw {
            let end = format!("\"{}", "#".repeat(hashes));
            let start = 2 + hashes;
            rest[start..].find(&end).map_or(rest.len(), |at| start + at + end.len())
        } else if c == '"' {
            quoted(rest)
        } else if c == '\'' {
            character(rest)
        } else {
            0
        };
        if skipped == 0 {
            code.push(c);
            rest = &rest[c.len_utf8()..];
        } else {
            code.push(' ');
            rest = &rest[skipped..];
        }
    }
    code
}

/// Length of the string literal at the start.
fn quoted(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Length of the character literal at the start; 0 if it is a lifetime.
fn character(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match chars.next() {
        Some((_, '\\')) => text[3..].find('\'').map_or(0, |end| 3 + end + 1),
        Some(_) => chars.next().filter(|(_, c)| *c == '\'').map_or(0, |(at, _)| at + 1),
        None => 0,
    }
}

/// Every path from the crate's root that the code names, in `use` lines and in
/// expressions alike.
fn used_paths(code: &str, here: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::").chain(code.match_indices("super::")) {
        if code[..at].ends_with(is_word) || code[..at].ends_with("::") {
            continue;
        }
        let mut base: Vec<&str> = here.split("::").collect();
        let mut rest = &code[at..];
        if let Some(tail) = rest.strip_prefix("crate::") {
            (base, rest) = (Vec::new(), tail);
        }
        while let Some(tail) = rest.strip_prefix("super::") {
            base.pop();
            rest = tail;
        }
        expand(rest, &base.join("::"), &mut found);
    }
    found
}

/// Reads one path or one group in braces; returns what follows it.
fn expand<'a>(text: &'a str, base: &str, found: &mut Vec<String>) -> &'a str {
    let join = |name: &str| if base.is_empty() { name.to_owned() } else { format!("{base}::{name}") };
    let text = text.trim_start();
    if let Some(mut rest) = text.strip_prefix('{') {
        loop {
            rest = expand(rest, base, found).trim_start();
            match rest.strip_prefix(',') {
                Some(more) => rest = more,
                None => return rest.strip_prefix('}').unwrap_or(rest),
            }
        }
    }
    let end = text.find(|c| !is_word(c)).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let path = join(name);
    if let Some(more) = rest.strip_prefix("::")
        && more.starts_with(|c| is_word(c) || c == '{' || c == '*')
    {
        return expand(more, &path, found);
    }
    if !name.is_empty() || text.starts_with('*') {
        found.push(path.trim_end_matches("::").to_owned());
    }
    // The rest of `name as other` or of `*` up to the next item of a group.
    let stop = rest.find([',', '}', ';', '(', ')', '\n']).unwrap_or(rest.len());
    &rest[stop..]
}

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("a source folder") {
        let path = entry.expect("a source file").path();
        if path.is_dir() && !path.ends_with("src/web") {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn every_module_uses_only_what_it_may() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let mut found = Vec::new();
    let mut modules = Vec::new();
    for file in files {
        let path = file.strip_prefix(&root).expect("a path below src").display().to_string();
        found.extend(violations(&path, &fs::read_to_string(&file).expect("a source file")));
        modules.push(module_of(&path));
    }
    // A rule about a module that was renamed would hold for ever.
    for module in ONLY.iter().chain(&NEVER).map(|(module, _)| module) {
        assert!(modules.iter().any(|path| within(path, module)), "there is no module {module}");
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_checker_catches_each_kind_of_violation() {
    let caught = [
        ("model/id.rs", "use crate::sys::process::Pid;"),
        ("sys/spawn.rs", "use crate::link::message;"),
        ("ring/reader.rs", "use crate::{sys::memfd, model::id};"),
        ("cgroups/place.rs", "use crate::model::resources::Source;"),
        ("link/codec.rs", "fn f() { crate::sys::seqpacket::send(); }"),
        ("init/event_loop.rs", "use crate::{link::{codec, message}, server::run as go};"),
        ("init/mod.rs", "use tokio::time;"),
        ("init/deep/er.rs", "use super::super::super::server::x;"),
        ("server/link.rs", "use crate::init::table;"),
        ("server/link.rs", "use crate::sys::{\n    memfd,\n    spawn,\n};"),
        ("server/mod.rs", "use crate::sys::reap::reap;"),
        ("server/http/ws.rs", "use crate::ring::reader::Reader;"),
        ("server/http/mod.rs", "use crate::sys::*;"),
        ("server/http/mod.rs", "use super::super::ring;"),
        ("ring/writer.rs", "fn f() { unsafe { g() } }"),
        ("lib.rs", "let quote = '\"'; unsafe {} // \""),
    ];
    for (path, source) in caught {
        assert_ne!(violations(path, source), Vec::<String>::new(), "{path}: {source}");
    }
}

#[test]
fn the_checker_lets_pass_what_is_allowed() {
    let allowed = [
        ("sys/spawn.rs", "use crate::model::spec::SpawnStage; fn f() { unsafe { g() } }"),
        ("ring/reader.rs", "use crate::sys::memfd; use super::layout; use crate::ring::counters;"),
        ("init/table.rs", "// crate::server says \"tokio\"\nuse crate::{link, model, ring, sys::spawn};"),
        ("server/session.rs", "use crate::sys::memfd; use crate::ring::reader; use tokio::sync::watch;"),
        ("server/http/ws.rs", "use super::super::registry; use crate::server::registry::Registry;"),
        ("model/id.rs", "const A: &str = \"use crate::server::x; unsafe\"; const B: &str = r#\"\" unsafe \"#;"),
        ("lib.rs", "#[allow(unsafe_code)]\npub mod sys; fn f<'a>(unsafely: &'a str) {}"),
    ];
    for (path, source) in allowed {
        assert_eq!(violations(path, source), Vec::<String>::new(), "{path}: {source}");
    }
}
