//! Invariant 4, gated: nothing reaches a provider without the session service's signature over exactly this.

use domain::{Permitted, Timestamp};
use ring::signature::{ED25519, UnparsedPublicKey};

use crate::{codec, kit::Kit};

/// Whether the permit is the gate's and is for this message, this organization, this account and this content.
///
/// # Errors
/// What does not fit.
pub(super) fn genuine(kit: &Kit, permitted: &Permitted) -> Result<(), &'static str> {
    let (permit, request) = (&permitted.permit, &permitted.request);
    if permit.message != request.message {
        return Err("the permit is for another message");
    }
    if permit.organization != request.thread.organization {
        return Err("the permit is for another organization");
    }
    if permit.account != request.thread.account {
        return Err("the permit is for another account");
    }
    if request.channel != kit.channel {
        return Err("the message is for another channel");
    }
    let key = UnparsedPublicKey::new(&ED25519, kit.config.permit_public_key);
    key.verify(&codec::permit_bytes(permitted), &permit.signature).map_err(|_| "the permit's signature does not hold")
}

/// Whether the permit is still good.
pub(super) fn in_time(permitted: &Permitted, now: Timestamp) -> bool {
    now < permitted.permit.expires_at
}
