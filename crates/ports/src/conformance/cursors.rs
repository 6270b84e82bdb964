//! The promises of [`crate::Cursors`].

use std::sync::Arc;

use super::samples::World;
use crate::Cursors;

/// The last place of each key.
pub async fn the_last_place_is_kept(cursors: Arc<dyn Cursors>) {
    let (one, two) = (World::new().account.to_string(), World::new().account.to_string());
    assert_eq!(cursors.get(&one).await.unwrap(), None);
    cursors.set(&one, "17").await.unwrap();
    cursors.set(&two, "99").await.unwrap();
    cursors.set(&one, "18").await.unwrap();
    assert_eq!(cursors.get(&one).await.unwrap().as_deref(), Some("18"));
    assert_eq!(cursors.get(&two).await.unwrap().as_deref(), Some("99"));
}
