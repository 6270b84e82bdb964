//! The house rules as tests: who may depend on whom, what stays pure, how long a file may be, and that each code has its
//! page.
//!
//! It reads `cargo metadata` and the sources, and nothing else; it is not a linter for style, which is clippy's and
//! rustfmt's work. Read `tests/arrows.rs` for the layers and `tests/manners.rs` for the rest. A rule that must change is
//! changed in its table there, in the same commit as the code that needs it.

mod graph;
mod sources;

pub use graph::{Graph, Kind, Package, metadata};
pub use sources::{Source, root, sources};
