//! Exports `getrandom` from the program, so that crates that look it up by name find the one in `src/entropy.rs`.
#![allow(clippy::print_stdout)]

fn main() {
    println!("cargo:rustc-link-arg=-Wl,--export-dynamic-symbol=getrandom");
    println!("cargo:rerun-if-changed=build.rs");
}
