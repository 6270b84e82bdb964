//! Compiles the project's protos, in Rust all the way: no `protoc` is needed.

use std::{env, error::Error, fs, path::PathBuf};

use prost::Message as _;

const FILES: &[&str] = &[
    "afluente/common/v1/thread.proto",
    "afluente/common/v1/content.proto",
    "afluente/common/v1/delivery.proto",
    "afluente/common/v1/conversation.proto",
    "afluente/common/v1/parked.proto",
    "afluente/common/v1/bundle.proto",
    "afluente/common/v1/problem.proto",
    "afluente/channel/v1/inbound.proto",
    "afluente/channel/v1/outbound.proto",
    "afluente/channel/v1/channel.proto",
    "afluente/router/v1/router.proto",
    "afluente/router/v1/events.proto",
    "afluente/session/v1/gate.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    let root = "../../proto";
    println!("cargo:rerun-if-changed={root}");
    println!("cargo:rerun-if-changed=build.rs");
    let descriptors = protox::compile(FILES, [root])?;
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    fs::write(out.join("descriptors.bin"), descriptors.encode_to_vec())?;
    // A bundle's bodies are slices of the bundle, both ways.
    tonic_prost_build::configure()
        .bytes(".afluente.common.v1.Bundled.body")
        .include_file("afluente.rs")
        .compile_fds(descriptors)?;
    Ok(())
}
