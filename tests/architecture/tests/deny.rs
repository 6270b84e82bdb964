//! `deny.toml`, held without its tool: bans, licences and sources are read from it and compared with what cargo resolves
//! for all features. Advisories need a database from the network and are left to `cargo deny`.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

struct Deny {
    rules: toml::Table,
    metadata: Value,
}

impl Deny {
    fn read() -> Self {
        let text = std::fs::read_to_string(afluente_architecture::root().join("deny.toml")).unwrap();
        Self { rules: text.parse().unwrap(), metadata: afluente_architecture::metadata(&["--all-features"]) }
    }

    fn packages(&self) -> impl Iterator<Item = &Value> {
        self.metadata["packages"].as_array().unwrap().iter()
    }

    fn texts(list: &toml::Value) -> BTreeSet<&str> {
        list.as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect()
    }

    /// Who names each crate directly, for whatever purpose.
    fn dependents(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let names: BTreeMap<&str, &str> =
            self.packages().map(|one| (one["id"].as_str().unwrap(), one["name"].as_str().unwrap())).collect();
        let mut dependents: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for node in self.metadata["resolve"]["nodes"].as_array().unwrap() {
            for dependency in node["deps"].as_array().unwrap() {
                let of = names[dependency["pkg"].as_str().unwrap()];
                dependents.entry(of).or_default().insert(names[node["id"].as_str().unwrap()]);
            }
        }
        dependents
    }
}

#[test]
fn what_is_banned_is_not_built_or_only_behind_its_wrappers() {
    let deny = Deny::read();
    let dependents = deny.dependents();
    let known: BTreeSet<&str> = deny.packages().map(|one| one["name"].as_str().unwrap()).collect();
    let mut wrong = Vec::new();
    for ban in deny.rules["bans"]["deny"].as_array().unwrap() {
        let name = ban["crate"].as_str().unwrap();
        let wrappers = ban.get("wrappers").map(Deny::texts).unwrap_or_default();
        let by = dependents.get(name).cloned().unwrap_or_default();
        wrong.extend(by.difference(&wrappers).map(|who| format!("{who} names {name}")));
        // A wrapper that is gone or misspelt lets nobody through, and nobody would notice.
        wrong.extend(
            wrappers.difference(&by).map(|who| format!("{who} does not name {name}: take it out of deny.toml")),
        );
        if by.is_empty() && known.contains(name) {
            wrong.push(format!("{name} is built"));
        }
    }
    assert!(wrong.is_empty(), "against deny.toml:\n{}", wrong.join("\n"));
}

/// Whether an SPDX expression can be met with these licences. `/` is the old way to write OR.
fn allowed(expression: &str, licences: &BTreeSet<&str>) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ").replace(" WITH ", "\u{1}");
    let words: Vec<String> = spaced.split_whitespace().map(|word| word.replace('\u{1}', " WITH ")).collect();
    let mut rest = words.iter().map(String::as_str).peekable();
    any(&mut rest, licences) && rest.peek().is_none()
}

fn any<'a, I: Iterator<Item = &'a str>>(rest: &mut std::iter::Peekable<I>, licences: &BTreeSet<&str>) -> bool {
    let mut met = all(rest, licences);
    while rest.next_if_eq(&"OR").is_some() {
        met |= all(rest, licences);
    }
    met
}

fn all<'a, I: Iterator<Item = &'a str>>(rest: &mut std::iter::Peekable<I>, licences: &BTreeSet<&str>) -> bool {
    let mut met = one(rest, licences);
    while rest.next_if_eq(&"AND").is_some() {
        met &= one(rest, licences);
    }
    met
}

fn one<'a, I: Iterator<Item = &'a str>>(rest: &mut std::iter::Peekable<I>, licences: &BTreeSet<&str>) -> bool {
    match rest.next() {
        Some("(") => {
            let met = any(rest, licences);
            rest.next_if_eq(&")").is_some() && met
        }
        Some(licence) => licences.contains(licence),
        None => false,
    }
}

#[test]
fn every_licence_is_allowed_and_every_source_is_known() {
    let deny = Deny::read();
    let licences = Deny::texts(&deny.rules["licenses"]["allow"]);
    let mut wrong = Vec::new();
    for package in deny.packages() {
        // The workspace's own crates have no source.
        let Some(source) = package["source"].as_str() else { continue };
        let name = package["name"].as_str().unwrap();
        if source != "registry+https://github.com/rust-lang/crates.io-index" {
            wrong.push(format!("{name} comes from {source}"));
        }
        let expression = package["license"].as_str().unwrap_or("none");
        if !allowed(expression, &licences) {
            wrong.push(format!("{name} is under {expression}"));
        }
    }
    assert!(wrong.is_empty(), "against deny.toml:\n{}", wrong.join("\n"));
}

#[test]
fn an_expression_is_read_as_spdx_means_it() {
    let licences = BTreeSet::from(["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"]);
    for good in [
        "MIT",
        "GPL-3.0 OR MIT",
        "GPL-3.0/MIT",
        "MIT AND ISC",
        "(GPL-3.0 OR MIT) AND ISC",
        "Apache-2.0 WITH LLVM-exception",
    ] {
        assert!(allowed(good, &licences), "{good}");
    }
    for bad in ["", "GPL-3.0", "MIT AND GPL-3.0", "MIT AND (GPL-3.0 OR BSD)", "Apache-2.0", "MIT ISC", "(MIT"] {
        assert!(!allowed(bad, &licences), "{bad}");
    }
}

#[test]
fn every_package_of_the_pages_has_its_digest() {
    for folder in ["services/desk/web", "tests/browser"] {
        let path = afluente_architecture::root().join(folder).join("package-lock.json");
        let lock: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let packages = lock["packages"].as_object().unwrap();
        let bare = packages.iter().filter(|(name, one)| !name.is_empty() && one["integrity"].is_null());
        let bare: Vec<&String> = bare.map(|(name, _)| name).collect();
        assert!(bare.is_empty(), "{folder}: without a digest npm takes what comes: {bare:?}");
    }
}
