//! Who is at the far end: an address of our making, and a token that proves it.

use domain::{Address, Timestamp};

use crate::{accounts::Live, signed::Signer};

/// Signs and reads the tokens of one account's visitors, with its secret `link_secret`.
pub(super) struct Identity {
    visitors: Signer,
    uploads: Signer,
}

/// A file that a visitor uploaded and may now refer to.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Upload {
    /// Whose it is.
    pub(super) visitor: String,
    pub(super) key: String,
    pub(super) sha256: String,
    pub(super) mime: String,
    pub(super) size: u64,
    pub(super) name: Option<String>,
}

impl Identity {
    /// None when the account has no `link_secret`.
    pub(super) fn of(live: &Live) -> Option<Self> {
        let secret = live.account.secrets.get("link_secret")?.expose();
        let signer = |purpose: &str| Signer::new(secret.as_bytes(), format!("{purpose}:{}", live.account.id));
        (!secret.is_empty()).then(|| Self { visitors: signer("visitor"), uploads: signer("upload") })
    }

    /// A visitor that nobody has seen before: 128 random bits.
    pub(super) fn stranger() -> Address {
        Address::new(format!("v{:032x}", rand::random::<u128>()))
    }

    pub(super) fn token(&self, visitor: &Address) -> String {
        self.visitors.seal(&visitor.as_str(), None)
    }

    pub(super) fn read(&self, token: &str, now: Timestamp) -> Option<Address> {
        self.visitors.open::<String>(token, now).map(Address::new)
    }

    pub(super) fn ticket(&self, upload: &Upload, until: Timestamp) -> String {
        self.uploads.seal(upload, Some(until))
    }

    /// The upload behind a ticket, if it is this visitor's.
    pub(super) fn upload(&self, ticket: &str, visitor: &Address, now: Timestamp) -> Option<Upload> {
        self.uploads.open::<Upload>(ticket, now).filter(|upload| upload.visitor == visitor.as_str())
    }
}
