//! The words of Afluente: ids, addresses, content, capabilities, outcomes, receipts, conversations, invariants.
//!
//! It is values and pure functions. It is not a place for I/O, clocks, randomness, async or generated code: the
//! architecture test keeps those out of this crate's whole dependency tree.
//!
//! Read [`Content`] and [`Inbound`] first, then [`Outcome`] and [`Delivery`], then [`Conversation`]. What moves these
//! values is `ports` (the obligations), `routing` and `sessions` (the decisions).

mod account;
mod address;
mod capabilities;
mod command;
mod consent;
mod content;
mod conversation;
mod delivery;
pub mod error;
mod event;
mod ids;
pub mod invariants;
mod message;
mod parked;
pub mod plan;
mod serde_millis;
mod template;
mod time;

pub use account::{Account, Distribution, Language, Organization, Presence, Queue, Role, Seat, Secret, User};
pub use address::{Address, Channel, InvalidChannel, Partition, Thread};
pub use capabilities::{Capabilities, ChoiceLimit, LengthUnit, MediaLimit, ReceiptSupport};
pub use command::{Command, Commanded, Done, Target};
pub use consent::ConsentEntry;
pub use content::{ChoiceOption, ContactCard, Content, Location, Media, MediaKind, MediaSource, TemplateCall};
pub use conversation::{
    Assignment, Author, CloseReason, Considered, Contact, Conversation, HeldReceipt, Message, Stage, Waiting,
};
pub use delivery::{Delivery, DeliveryState, Failure, Outcome, PartDelivery, Receipt};
pub use error::{Class, Code, Refusal};
pub use event::{DeskChange, DeskEvent, DeskPage};
pub use ids::{
    AccountId, ContactId, ConversationId, EventId, InvalidId, MessageId, OrganizationId, ParkedId, QueueId, UserId,
};
pub use message::{
    Attempted, ConsentChange, GateRefusal, Inbound, InboundBody, InboundMessage, MediaJob, MediaSettled, Permit,
    Permitted, Profile, SendRequest,
};
pub use parked::{Parked, ParkedDecision, ParkedEntry, ParkedMoved, Ruling};
pub use template::{
    LONGEST_BODY, Template, TemplateAction, TemplateButton, TemplateCategory, TemplateHeader, TemplateStatus,
    Unfillable, Unfilled,
};
pub use time::Timestamp;
