//! Tells the store how far this channel has come with what it accepted, for `afluente audit`.

use std::{sync::Arc, time::Duration};

use runtime::Drain;

use crate::kit::Kit;

/// How often. What a process that is killed accepted since is known only once it was heard of.
const EVERY: Duration = Duration::from_secs(5);

/// Tells until the drain begins, and once more when the calls in work have ended.
pub(crate) async fn run(kit: Arc<Kit>, drain: Drain) -> Result<(), String> {
    loop {
        tell(&kit).await;
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = drain.begun() => break,
        }
    }
    let slots = u32::try_from(kit.config.webhooks_in_flight).unwrap_or(u32::MAX);
    let _ = tokio::time::timeout(kit.config.drain, kit.calls.acquire_many(slots)).await;
    tell(&kit).await;
    Ok(())
}

async fn tell(kit: &Kit) {
    let news = kit.intake.stamps.news(kit.now());
    if let Err(error) = kit.env.journal.accepted(&news).await {
        tracing::debug!(%error, "how far this channel has come is told later");
        kit.intake.stamps.again(news);
    }
}
