//! The document is that of the code, and says what the documentation says.
//!
//! `QUARTERDECK_REGENERATE=1 cargo test --lib openapi::` writes it anew.

use std::collections::BTreeSet;

use serde_json::Value;

use super::operations::document;
use crate::server::http::routes::Routes;

const PROTOCOL: &str = include_str!("../../../../docs/protocol.md");
const WORKTREES: &str = include_str!("../../../../docs/worktrees.md");

fn made() -> Value {
    document().finish()
}

/// Short, as it is part of the program, and with lines that changes show in.
fn written(value: &Value, depth: usize) -> String {
    match value {
        Value::Object(fields) if depth > 0 => {
            let lines =
                fields.iter().map(|(name, value)| format!("{}:{}", Value::from(&**name), written(value, depth - 1)));
            format!("{{\n{}\n}}", lines.collect::<Vec<_>>().join(",\n"))
        }
        _ => value.to_string(),
    }
}

#[test]
fn the_file_is_up_to_date() {
    let text = written(&made(), 3);
    if std::env::var_os("QUARTERDECK_REGENERATE").is_some() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/src/server/http/openapi.json");
        std::fs::write(file, &text).unwrap();
        return;
    }
    assert!(text == super::DOCUMENT, "src/server/http/openapi.json is out of date: see the head of {}", file!());
}

#[test]
fn every_route_is_described_and_nothing_else() {
    let described: Vec<_> = document().operations.iter().map(|operation| (operation.method, operation.path)).collect();
    let unique: BTreeSet<_> = described.iter().copied().collect();
    assert_eq!(unique.len(), described.len(), "described twice");
    assert_eq!(unique, Routes::all().list.into_iter().collect());
}

#[test]
fn operations_can_be_told_apart() {
    let document = made();
    let operations =
        document["paths"].as_object().unwrap().values().flat_map(|path| path.as_object().unwrap().values());
    let ids: Vec<_> = operations.map(|operation| operation["operationId"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
}

#[test]
fn every_reference_leads_somewhere() {
    let document = made();
    let mut open = vec![&document];
    while let Some(value) = open.pop() {
        match value {
            Value::Object(fields) => {
                if let Some(reference) = fields.get("$ref") {
                    let pointer = reference.as_str().unwrap().trim_start_matches('#');
                    assert!(document.pointer(pointer).is_some(), "{pointer}");
                }
                open.extend(fields.values());
            }
            Value::Array(values) => open.extend(values),
            _ => {}
        }
    }
}

/// Status and code of each error in the tables of the documentation.
fn documented_errors() -> BTreeSet<(u16, String)> {
    let mut found = BTreeSet::new();
    for row in PROTOCOL.lines().chain(WORKTREES.lines()).filter(|line| line.starts_with("| ")) {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let [_, statuses, codes, ..] = cells[..] else { continue };
        let statuses: Vec<u16> = statuses.split(", ").filter_map(|status| status.parse().ok()).collect();
        let codes = codes.split('`').skip(1).step_by(2).filter(|code| !code.contains('…'));
        for code in codes {
            found.extend(statuses.iter().map(|status| (*status, code.to_owned())));
        }
    }
    found
}

#[test]
fn errors_are_those_of_the_documentation() {
    let document = made();
    let mut described = BTreeSet::new();
    for operation in document["paths"].as_object().unwrap().values().flat_map(|path| path.as_object().unwrap().values())
    {
        for (status, answer) in operation["responses"].as_object().unwrap() {
            let shared = answer["$ref"].as_str().and_then(|name| document.pointer(name.trim_start_matches('#')));
            let answer = shared.unwrap_or(answer);
            let schema = &answer["content"]["application/json"]["schema"];
            let schemas = schema["anyOf"].as_array().map_or_else(|| vec![schema], |all| all.iter().collect());
            let codes = schemas.into_iter().filter_map(|schema| schema["properties"]["code"]["enum"].as_array());
            for code in codes.flatten() {
                described.insert((status.parse().unwrap(), code.as_str().unwrap().to_owned()));
            }
        }
    }
    let elsewhere = |error: &(u16, String)| {
        // Of no route: a method or a path that is none, and the Unix socket.
        ["METHOD_NOT_ALLOWED", "PEER_NOT_ALLOWED"].contains(&error.1.as_str())
    };
    let documented: BTreeSet<_> = documented_errors().into_iter().filter(|error| !elsewhere(error)).collect();
    assert_eq!(
        described.difference(&documented).collect::<Vec<_>>(),
        [] as [&(u16, String); 0],
        "not in the documentation"
    );
    assert_eq!(documented.difference(&described).collect::<Vec<_>>(), [] as [&(u16, String); 0], "not in the document");
}

/// Routes in the tables of the documentation: method and path.
#[test]
fn routes_are_those_of_the_documentation() {
    let rows = PROTOCOL.lines().filter(|line| line.starts_with("| `"));
    let told: BTreeSet<(String, String)> = rows
        .filter_map(|row| row.split('`').nth(1)?.split_once(' '))
        .filter(|(method, _)| ["GET", "POST", "DELETE"].contains(method))
        .map(|(method, path)| (method.to_owned(), path.split(['?', '[']).next().unwrap_or(path).to_owned()))
        .collect();
    let all: BTreeSet<(String, String)> =
        Routes::all().list.into_iter().map(|(method, path)| (method.to_owned(), path.to_owned())).collect();
    assert!(told.is_subset(&all), "only in the documentation: {:?}", told.difference(&all).collect::<Vec<_>>());
    // Told in the same row as another: "also", "or".
    let beside = ["/api/sessions/{id}/status", "/api/sessions/{id}/cleanup", "/"];
    let missing: Vec<_> = all.difference(&told).filter(|(_, path)| !beside.contains(&path.as_str())).collect();
    assert!(missing.is_empty(), "not in the documentation: {missing:?}");
}
