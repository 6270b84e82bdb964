//! The promises of [`crate::SignIns`].

use std::sync::Arc;

use super::samples::{World, at};
use crate::{SignIn, SignIns};

/// Found until it expires or is ended, and only by its hash.
pub async fn a_sign_in_lives_until_it_ends_or_expires(sign_ins: Arc<dyn SignIns>) {
    let world = World::new();
    let sign_in = |n: u64| SignIn {
        token_hash: format!("{}-{n}", world.organization),
        organization: world.organization,
        user: world.user(n),
        created_at: at(0),
        expires_at: at(100),
    };
    for n in [1, 2] {
        sign_ins.create(&sign_in(n)).await.unwrap();
    }
    let hash = sign_in(1).token_hash;
    assert_eq!(sign_ins.find(&hash, at(99)).await.unwrap(), Some(sign_in(1)));
    assert_eq!(sign_ins.find(&hash, at(100)).await.unwrap(), None, "expired");
    assert_eq!(sign_ins.find("no-such-hash", at(1)).await.unwrap(), None);
    sign_ins.end(&hash).await.unwrap();
    sign_ins.end(&hash).await.unwrap();
    assert_eq!(sign_ins.find(&hash, at(1)).await.unwrap(), None);
    assert_eq!(sign_ins.find(&sign_in(2).token_hash, at(1)).await.unwrap(), Some(sign_in(2)));
}
