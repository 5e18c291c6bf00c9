//! Embeds the built web page, if there is one.
//!
//! `scripts/build-web` fills src/web/dist; without it the crate builds all the
//! same and serves a plain page that says how to build the real one. A file
//! `x.gz` beside `x` is its compressed form.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let dist = Path::new("src/web/dist");
    println!("cargo::rerun-if-changed=src/build.rs");
    println!("cargo::rerun-if-changed={}", if dist.is_dir() { "src/web/dist" } else { "src/web" });
    let mut files = Vec::new();
    if dist.is_dir() {
        collect(dist, &mut files)?;
    }
    files.sort();
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR").unwrap_or_default());
    let mut code = String::from("&[\n");
    for file in files.iter().filter(|f| f.extension().is_none_or(|e| e != "gz")) {
        let name = file.strip_prefix(dist).unwrap_or(file).display();
        let gz = PathBuf::from(format!("{}.gz", file.display()));
        let packed = if gz.is_file() { format!("Some(include_bytes!({:?}))", root.join(gz)) } else { "None".into() };
        let whole = root.join(file);
        let _ = writeln!(
            code,
            "    Asset {{ path: {:?}, bytes: include_bytes!({whole:?}), gzip: {packed} }},",
            format!("/{name}")
        );
    }
    code.push(']');
    let out = PathBuf::from(env::var("OUT_DIR").unwrap_or_default()).join("assets.rs");
    fs::write(out, code)
}

fn collect(dir: &Path, into: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, into)?;
        } else {
            into.push(path);
        }
    }
    Ok(())
}
