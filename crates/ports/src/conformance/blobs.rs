//! The promises of [`crate::Blobs`].

use std::sync::Arc;

use bytes::Bytes;

use super::samples::World;
use crate::{Blobs, StoreError};

/// Whatever the bytes.
pub async fn bytes_come_back_with_their_type(blobs: Arc<dyn Blobs>) {
    let key = format!("{}/media/photo-1.jpg", World::new().organization);
    assert_eq!(blobs.get(&key).await.unwrap(), None);
    let bytes = Bytes::from((0..=255u8).cycle().take(300_000).collect::<Vec<_>>());
    blobs.put(&key, "image/jpeg", bytes.clone()).await.unwrap();
    assert_eq!(blobs.get(&key).await.unwrap(), Some(("image/jpeg".to_owned(), bytes)));
    let empty = format!("{}/media/empty", World::new().organization);
    blobs.put(&empty, "text/plain", Bytes::new()).await.unwrap();
    assert_eq!(blobs.get(&empty).await.unwrap(), Some(("text/plain".to_owned(), Bytes::new())));
}

/// Writing twice is no error.
pub async fn the_last_writing_stands(blobs: Arc<dyn Blobs>) {
    let key = format!("{}/a", World::new().organization);
    for words in ["first, and longer", "second"] {
        blobs.put(&key, "text/plain", Bytes::from_static(words.as_bytes())).await.unwrap();
    }
    assert_eq!(blobs.get(&key).await.unwrap(), Some(("text/plain".to_owned(), Bytes::from_static(b"second"))));
}

/// Keys are made from what came from outside now and then.
pub async fn a_key_cannot_leave_the_store(blobs: Arc<dyn Blobs>) {
    for key in ["", "/etc/passwd", "../up", "a/../../b", "a//b", "a\0b", ".", "a/.."] {
        let put = blobs.put(key, "text/plain", Bytes::from_static(b"x")).await;
        assert!(matches!(put, Err(StoreError::Refused(_))), "{key:?}: {put:?}");
        assert!(matches!(blobs.get(key).await, Err(StoreError::Refused(_)) | Ok(None)), "{key:?}");
    }
}
