//! The bill of materials against what cargo and npm say themselves.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::quarterdeck::output_of;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text() -> String {
    let output = output_of(Command::new(root().join("scripts/sbom")));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

fn bill() -> Value {
    serde_json::from_str(&text()).expect("JSON")
}

fn components(bill: &Value) -> &[Value] {
    bill["components"].as_array().expect("components")
}

/// Names with versions of those whose package URL begins so.
fn named(bill: &Value, kind: &str) -> BTreeSet<String> {
    let of_kind = |part: &&Value| part["purl"].as_str().is_some_and(|purl| purl.starts_with(kind));
    let name = |part: &Value| {
        let text = |field: &str| part[field].as_str().expect("text").to_owned();
        format!("{} {}", text("name"), text("version"))
    };
    components(bill).iter().filter(of_kind).map(name).collect()
}

#[test]
fn every_crate_that_is_linked_is_in_it_and_no_other() {
    let mut tree = Command::new(env!("CARGO"));
    tree.current_dir(root()).args(["tree", "--locked", "--prefix", "none", "--edges", "normal,no-proc-macro"]);
    let output = output_of(tree);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("text");
    let linked: BTreeSet<String> = text
        .lines()
        .filter_map(|line| line.split_once(" v"))
        .map(|(name, rest)| format!("{name} {}", rest.split(' ').next().unwrap_or_default()))
        .filter(|one| !one.starts_with("quarterdeck "))
        .collect();
    assert!(linked.len() > 50, "cargo tree: {text}");
    assert_eq!(named(&bill(), "pkg:cargo/"), linked);
}

#[test]
fn every_package_of_the_page_is_in_it_and_no_tool_that_builds_it() {
    let read = |name: &str| -> Value {
        let text = fs::read(root().join("src/web").join(name)).expect(name);
        serde_json::from_slice(&text).expect("JSON")
    };
    let (wanted, lock) = (read("package.json"), read("package-lock.json"));
    let bill = bill();
    let named = named(&bill, "pkg:npm/");
    for (name, version) in wanted["dependencies"].as_object().expect("dependencies") {
        let one = format!("{name} {}", version.as_str().expect("a version"));
        assert!(named.contains(&one), "{one} is not among {named:?}");
    }
    for one in &named {
        let name = one.split(' ').next().expect("a name");
        let entry = &lock["packages"][format!("node_modules/{name}")];
        assert!(entry["dev"] != true, "{one} is not part of the page");
        for needed in entry["dependencies"].as_object().into_iter().flat_map(serde_json::Map::keys) {
            assert!(named.iter().any(|other| other.starts_with(&format!("{needed} "))), "{one} needs {needed}");
        }
    }
}

#[test]
fn each_part_has_a_version_an_address_a_licence_and_a_digest() {
    let bill = bill();
    for part in components(&bill) {
        let (name, version) = (part["name"].as_str().expect("a name"), part["version"].as_str().expect("a version"));
        let address = format!("{}@{version}", name.replacen('@', "%40", 1));
        assert!(part["purl"].as_str().is_some_and(|purl| purl.ends_with(&format!("/{address}"))), "{part}");
        assert!(part["licenses"][0]["expression"].as_str().is_some_and(|text| !text.is_empty()), "{part}");
        let is_sum = |text: &str| [64, 128].contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        assert!(part["hashes"][0]["content"].as_str().is_some_and(is_sum), "{part}");
    }
    let refs: BTreeSet<&str> = components(&bill).iter().filter_map(|part| part["bom-ref"].as_str()).collect();
    let own = bill["metadata"]["component"]["bom-ref"].as_str().expect("our own");
    for relation in bill["dependencies"].as_array().expect("dependencies") {
        let needed = relation["dependsOn"].as_array().expect("a list");
        for one in needed.iter().chain([&relation["ref"]]) {
            assert!(one.as_str().is_some_and(|one| one == own || refs.contains(one)), "{one} is no part of it");
        }
    }
}

#[test]
fn the_same_sources_give_the_same_bytes() {
    let first = text();
    assert_eq!(first, text());
    assert!(!first.contains(&root().display().to_string()), "a path of this machine is in it");
}
