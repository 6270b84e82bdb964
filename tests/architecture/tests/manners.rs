//! Manners: sizes, openings, unfinished work, the doors past verification, and a page for each code.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)]

use std::{collections::BTreeSet, fs};

use afluente_architecture::{Graph, Source, root, sources};
use domain::error::codes;

/// The most lines of a source file, and the number from which one is named in the test's output.
const HARD: usize = 500;
const SOFT: usize = 300;
/// The most lines of a channel crate, tests and fixtures apart.
const CHANNEL: usize = 400;
const CHANNELS: &[&str] = &["whatsapp", "telegram", "webchat"];

/// The places that take a webhook without verifying it, each with its reason in the code. None today.
const TRUSTED_UNSIGNED: &[&str] = &[];

#[test]
fn files_are_short() {
    let mut long = Vec::new();
    let written = |path: &str| !path.ends_with(".gen.ts");
    for source in sources(&[".rs", ".ts", ".tsx"]).into_iter().filter(|source| written(&source.path)) {
        let lines = source.text.lines().count();
        if lines > HARD {
            long.push(format!("{lines} {}", source.path));
        } else if lines > SOFT {
            eprintln!("{lines} lines, soon too long: {}", source.path);
        }
    }
    assert!(long.is_empty(), "longer than {HARD} lines:\n{}", long.join("\n"));
}

#[test]
fn a_channel_crate_is_small() {
    for channel in CHANNELS {
        let folder = format!("services/{channel}/src/");
        let files: Vec<_> = sources(&[".rs"]).into_iter().filter(|source| source.path.starts_with(&folder)).collect();
        let lines: usize = files.iter().map(|source| source.text.lines().count()).sum();
        assert!(lines > 0, "{folder} has no code");
        assert!(lines < CHANNEL, "{channel} has {lines} lines; what is not translation belongs in the kit");
    }
}

#[test]
fn every_library_says_what_it_is() {
    for package in Graph::read().members.values() {
        let path = root().join(&package.folder).join("src/lib.rs");
        if let Ok(text) = fs::read_to_string(&path) {
            assert!(text.starts_with("//! "), "{} must open with what it is", path.display());
        }
    }
}

#[test]
fn nothing_is_left_unfinished() {
    // Split, so that this file does not find itself.
    let unfinished = [concat!("to", "do!("), concat!("unimple", "mented!("), concat!("TO", "DO"), concat!("FIX", "ME")];
    let mut found = Vec::new();
    for source in sources(&[".rs", ".ts", ".tsx", ".sh"]) {
        for (number, line) in source.text.lines().enumerate() {
            if unfinished.iter().any(|mark| line.contains(mark)) {
                found.push(format!("{}:{}: {}", source.path, number + 1, line.trim()));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// The text of a log line is its field `message`: a field of that name takes its place.
#[test]
fn no_log_line_loses_its_words() {
    let fields =
        [concat!("message", " = %"), concat!("message", " = ?"), concat!("%", "message"), concat!("?", "message,")];
    let mut found = Vec::new();
    for source in sources(&[".rs"]) {
        let lines = source.code_lines().filter(|line| fields.iter().any(|field| line.contains(field)));
        found.extend(lines.map(|line| format!("{}: {line}", source.path)));
    }
    assert!(found.is_empty(), "name the field otherwise:\n{}", found.join("\n"));
}

#[test]
fn every_webhook_is_verified() {
    let call = concat!("trust_", "unsigned(");
    let uses = |source: &Source| source.code_lines().any(|line| line.contains(call) && !line.contains("fn trust_"));
    let found: BTreeSet<String> = sources(&[".rs"]).into_iter().filter(uses).map(|source| source.path).collect();
    let allowed: BTreeSet<String> = TRUSTED_UNSIGNED.iter().map(|path| (*path).to_owned()).collect();
    assert_eq!(found, allowed, "webhooks without verification");
}

#[test]
fn every_code_has_its_page() {
    let folder = root().join("docs/errors");
    let index = fs::read_to_string(folder.join("README.md")).expect("docs/errors/README.md");
    let mut wrong = Vec::new();
    for code in codes::ALL {
        let page = fs::read_to_string(folder.join(format!("{code}.md"))).unwrap_or_default();
        if !page.starts_with(&format!("# `{code}`: ")) || !page.contains("**What to do.**") {
            wrong.push(format!("docs/errors/{code}.md is missing, or does not say what to do"));
        }
        if !index.contains(&format!("({code}.md)")) {
            wrong.push(format!("docs/errors/README.md does not list {code}"));
        }
    }
    for entry in fs::read_dir(&folder).unwrap().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let code = name.trim_end_matches(".md");
        if code != "README" && !codes::ALL.contains(&code) {
            wrong.push(format!("docs/errors/{name} is the page of no code"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn deny_toml_mirrors_the_doors() {
    let deny = fs::read_to_string(root().join("deny.toml")).expect("deny.toml");
    for library in ["prost", "lapin", "redis", "sea-orm", "reqwest", "openssl"] {
        assert!(deny.contains(&format!("crate = \"{library}\"")), "deny.toml says nothing about {library}");
    }
}

/// The one crate that writes its own lints, since it needs what the workspace forbids (ADR 13).
const OWN_LINTS: &str = "crates/pages";

#[test]
fn unsafe_code_runs_nowhere_but_in_one_place() {
    let workspace = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    assert!(workspace.contains("unsafe_code = \"forbid\""));
    let graph = Graph::read();
    let own: Vec<_> = graph
        .members
        .values()
        .filter(|package| !package.folder.starts_with("tests/"))
        .filter(|package| {
            let manifest = fs::read_to_string(root().join(&package.folder).join("Cargo.toml")).unwrap();
            !manifest.contains("[lints]\nworkspace = true")
        })
        .map(|package| package.folder.as_str())
        .collect();
    assert_eq!(own, [OWN_LINTS]);
    let blocks = |source: &Source| source.text.matches("unsafe {").count();
    let found: usize = sources(&[".rs"]).iter().filter(|source| source.path.starts_with(OWN_LINTS)).map(blocks).sum();
    assert_eq!(found, 1, "unsafe blocks in {OWN_LINTS}");
}
