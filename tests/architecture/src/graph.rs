//! What cargo knows about who depends on whom.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
};

use serde_json::Value;

/// Dependencies of other platforms (a browser's, for one) are not built, and do not count.
const PLATFORM: &str = "x86_64-unknown-linux-gnu";

/// What a dependency is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Part of what runs.
    Normal,
    /// Runs while building.
    Build,
    /// For tests only.
    Dev,
}

/// A crate of the workspace.
#[derive(Debug)]
pub struct Package {
    /// Its package name.
    pub name: String,
    /// Its direct dependencies: package name, kind, and whether it is optional.
    pub dependencies: Vec<(String, Kind, bool)>,
    /// The folder of its manifest, from the workspace's root.
    pub folder: String,
}

impl Package {
    /// The names of its direct dependencies of one kind.
    pub fn direct(&self, kind: Kind) -> BTreeSet<&str> {
        self.dependencies.iter().filter(|(_, found, _)| *found == kind).map(|(name, ..)| name.as_str()).collect()
    }
}

/// The workspace and everything below it.
#[derive(Debug)]
pub struct Graph {
    /// The crates of the workspace, by name.
    pub members: BTreeMap<String, Package>,
    /// Resolved edges of kind normal, by package id.
    edges: BTreeMap<String, BTreeSet<String>>,
    names: BTreeMap<String, String>,
}

impl Graph {
    /// Asks cargo.
    ///
    /// # Panics
    /// When cargo does not answer: there is nothing to test then.
    pub fn read() -> Self {
        Self::from_metadata(&metadata(&[]))
    }

    fn from_metadata(metadata: &Value) -> Self {
        let ids: BTreeSet<_> = texts(&metadata["workspace_members"]).collect();
        let mut names = BTreeMap::new();
        let mut members = BTreeMap::new();
        for package in list(&metadata["packages"]) {
            let (id, name) = (text(&package["id"]), text(&package["name"]));
            if ids.contains(&id) {
                members.insert(name.clone(), member(package, name.clone()));
            }
            names.insert(id, name);
        }
        let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for node in list(&metadata["resolve"]["nodes"]) {
            let normal = list(&node["deps"])
                .filter(|dependency| list(&dependency["dep_kinds"]).any(|kind| kind["kind"].is_null()))
                .map(|dependency| text(&dependency["pkg"]));
            edges.insert(text(&node["id"]), normal.collect());
        }
        Self { members, edges, names }
    }

    /// The names of everything that the member `name` is built from, itself included.
    pub fn closure(&self, name: &str) -> BTreeSet<&str> {
        let mut open: Vec<&String> = self.names.iter().filter(|(_, found)| *found == name).map(|(id, _)| id).collect();
        let mut seen = BTreeSet::new();
        while let Some(id) = open.pop() {
            if seen.insert(id) {
                open.extend(self.edges.get(id).into_iter().flatten());
            }
        }
        seen.into_iter().filter_map(|id| self.names.get(id)).map(String::as_str).collect()
    }
}

/// What `cargo metadata` says of this platform, with more arguments.
///
/// # Panics
/// When cargo does not answer: there is nothing to test then.
#[expect(clippy::disallowed_methods, reason = "cargo tells its tests by the environment where it is")]
pub fn metadata(more: &[&str]) -> Value {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--offline", "--filter-platform", PLATFORM])
        .args(more)
        .current_dir(super::root())
        .output();
    let Ok(output) = output else { panic!("cargo metadata did not run") };
    assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    let Ok(metadata) = serde_json::from_slice::<Value>(&output.stdout) else { panic!("cargo metadata is not JSON") };
    metadata
}

fn member(package: &Value, name: String) -> Package {
    let dependencies = list(&package["dependencies"]).map(|dependency| {
        let kind = match dependency["kind"].as_str() {
            Some("dev") => Kind::Dev,
            Some("build") => Kind::Build,
            _ => Kind::Normal,
        };
        (text(&dependency["name"]), kind, dependency["optional"].as_bool().unwrap_or(false))
    });
    let manifest = text(&package["manifest_path"]);
    let root = format!("{}/", super::root().display());
    let folder = manifest.trim_start_matches(&root).trim_end_matches("/Cargo.toml").to_owned();
    Package { name, dependencies: dependencies.collect(), folder }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn texts(value: &Value) -> impl Iterator<Item = String> {
    list(value).map(text)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
