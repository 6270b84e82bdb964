//! The obligations between the mesh and the world: few traits, each with a conformance suite that every adapter passes.
//!
//! It is traits and the values they speak of. It is not an implementation: those are in `crates/adapters`, and only
//! `bootstrap` sees them. Read [`bus`] first, then [`journal`].

pub mod apis;
pub mod bus;
mod clock;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod conservation;
pub mod journal;
mod ledger;
mod parking;
mod shelves;
mod stores;
mod templates;
pub mod topology;

pub use bus::Bus;
pub use clock::{Clock, ManualClock};
pub use journal::Journal;
pub use ledger::{Begun, Claim, Ledger};
pub use parking::{Asked, ParkedFilter, ParkedGroup, Parking, Settled, Standing};
pub use shelves::{Laden, Put, Shelf, ShelfError, Shelved, Shelves, Turn};
pub use stores::{
    AuditCounts, Blobs, Buckets, Consents, ConversationFilter, Cursors, Directory, Leases, MailboxItem, Mailboxes,
    SignIn, SignIns, StageCount, StoreError, Unaccounted, Views, Windows,
};
pub use templates::{TemplateList, Templates};
