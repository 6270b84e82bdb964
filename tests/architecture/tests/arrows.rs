//! Layers: the arrows of the design as tables. A crate that is not in a table fails, so a new one is a decision.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;

use afluente_architecture::{Graph, Kind, Package};

/// Every crate and the crates of this workspace that it may be built from. Names without `afluente-`.
const ARROWS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("routing", &["domain"]),
    ("sessions", &["domain"]),
    ("ports", &["domain"]),
    ("wire", &["domain"]),
    // The one place for `unsafe`; only who composes processes uses it.
    ("pages", &[]),
    ("runtime", &["domain", "ports", "wire"]),
    ("channel-kit", &["domain", "ports", "wire", "runtime"]),
    ("provider-gupshup", &["domain", "channel-kit", "provider-meta"]),
    ("provider-meta", &["domain", "channel-kit"]),
    ("provider-telegram", &["domain", "channel-kit"]),
    ("adapter-sql", &["domain", "ports"]),
    ("adapter-embedded", &["domain", "ports", "adapter-sql"]),
    ("adapter-rabbitmq", &["domain", "ports"]),
    ("adapter-redis", &["domain", "ports"]),
    (
        "bootstrap",
        &["domain", "ports", "runtime", "adapter-sql", "adapter-embedded", "adapter-rabbitmq", "adapter-redis"],
    ),
    // The router knows by the same words as the gate what bears on consent, and tells the session service.
    ("router", &["domain", "ports", "wire", "runtime", "routing", "sessions"]),
    ("session", &["domain", "ports", "wire", "runtime", "sessions"]),
    // The desk shows the window's countdown by the same policy table as the gate.
    ("desk", &["domain", "ports", "wire", "runtime", "sessions"]),
    ("simulator", &["domain", "ports", "wire", "runtime"]),
    ("whatsapp", &["domain", "channel-kit", "provider-gupshup", "provider-meta"]),
    ("telegram", &["domain", "channel-kit", "provider-telegram"]),
    ("webchat", &["domain", "channel-kit"]),
    (
        "afluente",
        &[
            "domain",
            "ports",
            "pages",
            "wire",
            "runtime",
            "bootstrap",
            "channel-kit",
            "router",
            "session",
            "desk",
            "simulator",
            "whatsapp",
            "telegram",
            "webchat",
        ],
    ),
    // Tests and tools, nothing that runs in production.
    ("architecture", &[]),
    ("chaos", &[]),
    ("load", &["domain", "ports", "adapter-embedded", "adapter-rabbitmq"]),
    ("sim", &["domain", "ports", "wire", "runtime", "routing", "channel-kit", "router", "session"]),
];

/// Edges that exist only behind a feature which no service turns on.
const TESTING_ONLY: &[(&str, &[&str])] = &[
    // The reliability battery runs a channel on the real embedded bus.
    ("channel-kit", &["adapter-embedded"]),
];

/// Libraries with a single door: who may name them directly, for building or running.
const DOORS: &[(&[&str], &[&str])] = &[
    (&["prost", "prost-types", "tonic-prost", "tonic-prost-build", "protox"], &["wire"]),
    (&["lapin", "amq-protocol"], &["adapter-rabbitmq"]),
    (&["redis"], &["adapter-redis"]),
    (&["sea-orm", "sea-orm-migration", "sea-query", "sqlx", "rusqlite"], &["adapter-sql", "adapter-embedded"]),
    (&["reqwest", "hyper", "hyper-util"], &["runtime"]),
    (&["opentelemetry-otlp", "opentelemetry_sdk", "prometheus", "tracing-subscriber"], &["runtime"]),
    (&["argon2"], &["desk", "bootstrap", "afluente"]),
];

/// What the pure crates must not have anywhere below them. `getrandom` is not in the list: other crates of the workspace
/// ask `uuid` for random ids, and cargo builds it once for all.
const IMPURE: &[&str] = &[
    "tokio",
    "tokio-util",
    "async-trait",
    "futures-util",
    "prost",
    "tonic",
    "sea-orm",
    "sqlx",
    "lapin",
    "redis",
    "axum",
    "hyper",
    "reqwest",
    "chrono",
    "time",
    "rand",
    "tracing",
    "figment",
];

/// Small pure crates that a channel may use beside `domain`, the kit and its provider's crate.
const CHANNEL_MAY: &[&str] =
    &["async-trait", "base64", "bytes", "hex", "http", "percent-encoding", "serde", "serde_json", "thiserror", "url"];

const CHANNELS: &[&str] = &["whatsapp", "telegram", "webchat"];

fn short(name: &str) -> Option<&str> {
    // The binary's package has the project's own name.
    if name == "afluente" { Some(name) } else { name.strip_prefix("afluente-") }
}

fn row<'a>(table: &'a [(&str, &'a [&'a str])], name: &str) -> Option<BTreeSet<&'a str>> {
    table.iter().find(|(found, _)| *found == name).map(|(_, allowed)| allowed.iter().copied().collect())
}

fn house(package: &Package, kind: Kind, optional: bool) -> BTreeSet<&str> {
    package
        .dependencies
        .iter()
        .filter(|(_, found, may)| *found == kind && *may == optional)
        .filter_map(|(name, ..)| short(name))
        .collect()
}

#[test]
fn every_arrow_points_down() {
    let graph = Graph::read();
    let mut wrong = Vec::new();
    for package in graph.members.values() {
        let name = short(&package.name).expect("packages are called afluente-*");
        let Some(allowed) = row(ARROWS, name) else {
            wrong.push(format!("{name} is in no table: say in tests/arrows.rs what it may depend on"));
            continue;
        };
        let behind_features = row(TESTING_ONLY, name).unwrap_or_default();
        for (kind, optional) in [(Kind::Normal, false), (Kind::Build, false), (Kind::Normal, true)] {
            for target in house(package, kind, optional) {
                if !(allowed.contains(target) || optional && behind_features.contains(target)) {
                    wrong.push(format!("{name} -> {target}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "arrows that should not be there:\n{}", wrong.join("\n"));
}

#[test]
fn each_library_has_one_door() {
    let graph = Graph::read();
    let mut wrong = Vec::new();
    for (libraries, allowed) in DOORS {
        for package in graph.members.values() {
            let name = short(&package.name).unwrap_or(&package.name);
            // What is for tests and measuring may speak to the far end directly.
            if allowed.contains(&name) || package.folder.starts_with("tests/") {
                continue;
            }
            let for_tests = row(TESTING_ONLY, name).is_some();
            for (library, kind, optional) in &package.dependencies {
                if *kind != Kind::Dev && !(*optional && for_tests) && libraries.contains(&library.as_str()) {
                    wrong.push(format!("{name} names {library}; only {} may", allowed.join(", ")));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn invariant_7_the_core_is_pure() {
    let graph = Graph::read();
    for name in ["domain", "routing", "sessions"] {
        let below = graph.closure(&format!("afluente-{name}"));
        let found: Vec<_> = IMPURE.iter().filter(|impure| below.contains(*impure)).collect();
        assert!(below.len() > 1, "{name} was not found");
        assert!(found.is_empty(), "{name} is built from {found:?}");
    }
}

#[test]
fn adapters_need_no_protobuf() {
    let graph = Graph::read();
    for name in ["adapter-sql", "adapter-embedded", "adapter-rabbitmq", "adapter-redis"] {
        let below = graph.closure(&format!("afluente-{name}"));
        for library in ["prost", "tonic", "axum", "afluente-wire"] {
            assert!(!below.contains(library), "{name} is built from {library}");
        }
    }
}

#[test]
fn invariant_9_a_channel_only_translates() {
    let graph = Graph::read();
    for name in CHANNELS {
        let package = &graph.members[&format!("afluente-{name}")];
        let allowed = row(ARROWS, name).unwrap();
        for library in package.direct(Kind::Normal) {
            let ok = short(library).map_or_else(|| CHANNEL_MAY.contains(&library), |house| allowed.contains(house));
            assert!(ok, "{name} names {library}: a channel has no bus, store, ack, clock or client");
        }
    }
}

#[test]
fn no_service_turns_the_testing_features_on() {
    for manifest in afluente_architecture::sources(&["Cargo.toml"]) {
        let wrong = manifest
            .text
            .split("\n[")
            .filter(|section| section.starts_with("dependencies]") || section.starts_with("build-dependencies]"))
            .flat_map(str::lines)
            .find(|line| {
                let features = line.split_once("features").map_or("", |(_, features)| features);
                features.contains("\"testing\"") || features.contains("\"conformance\"")
            });
        assert_eq!(wrong, None, "in {}", manifest.path);
    }
}
