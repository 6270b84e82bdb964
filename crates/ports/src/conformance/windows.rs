//! The promises of [`crate::Windows`].

use std::{sync::Arc, time::Duration};

use super::samples::World;
use crate::Windows;

const KEEP: Duration = Duration::from_secs(48 * 3_600);

/// Now, to the second: a store may forget what is older than it was asked to keep.
fn at(n: i64) -> domain::Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    domain::Timestamp::from_secs(i64::try_from(since.as_secs()).unwrap() / 10_000 * 10_000 + n)
}

/// Late news does not shorten a window.
pub async fn a_window_only_moves_forward(windows: Arc<dyn Windows>) {
    let world = World::new();
    let thread = world.thread(1);
    let last = || async { windows.last(&[world.thread(1)]).await.unwrap() };
    assert_eq!(last().await, [None]);
    windows.note(&[(thread.clone(), at(5))], KEEP).await.unwrap();
    windows.note(&[(thread.clone(), at(3))], KEEP).await.unwrap();
    assert_eq!(last().await, [Some(at(5))]);
    windows.note(&[(thread.clone(), at(7)), (thread.clone(), at(9)), (thread, at(8))], KEEP).await.unwrap();
    assert_eq!(last().await, [Some(at(9))]);
    windows.note(&[], KEEP).await.unwrap();
}

/// One answer for each question, also for the same question twice.
pub async fn answers_come_in_the_order_asked(windows: Arc<dyn Windows>) {
    let (world, other) = (World::new(), World::new());
    let noted: Vec<_> = (1..=40).map(|n| (world.thread(n), at(i64::try_from(n).unwrap()))).collect();
    windows.note(&noted, KEEP).await.unwrap();
    let asked = [world.thread(7), other.thread(7), world.thread(3), world.thread(7)];
    assert_eq!(windows.last(&asked).await.unwrap(), [Some(at(7)), None, Some(at(3)), Some(at(7))]);
    assert_eq!(windows.last(&[]).await.unwrap(), []);
}
