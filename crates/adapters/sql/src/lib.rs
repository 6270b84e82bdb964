//! The SQL store: one adapter for PostgreSQL and SQLite, from the same statements and migrations.
//!
//! It implements every port that keeps the truth ([`ports::Journal`], [`ports::Views`], [`ports::Ledger`],
//! [`ports::Consents`], [`ports::Cursors`], [`ports::Leases`], [`ports::Mailboxes`], [`ports::Directory`],
//! [`ports::SignIns`], [`ports::Parking`], [`ports::Templates`], [`ports::Shelves`]) and, for the embedded mesh, [`ports::Windows`]. It is not a broker, and it
//! decides nothing: constraints and versions in the tables guard what callers rely on.
//!
//! Read `schema.rs` first, then `journal/commit.rs`. `statement.rs` has the few forms in which SQL is spoken here.

mod audit;
mod columns;
mod consents;
mod conservation;
mod directory;
mod gate;
mod journal;
mod keeping;
mod ledger;
mod mailboxes;
mod migrate;
mod open;
mod parking;
mod partitions;
mod patience;
mod private;
mod pulse;
mod relay;
mod row;
mod rows;
mod schema;
mod shelves;
mod small;
mod statement;
mod survey;
mod templates;
mod views;

pub use migrate::SCHEMA_VERSION;
pub use open::{OpenError, SqlStore, SqliteOptions, Synchronous, Writing};
pub use partitions::partitions_at;
pub use private::{private_file, private_folder};
pub use statement::{Table, execute_in, failure, insert_rows, select_in};
