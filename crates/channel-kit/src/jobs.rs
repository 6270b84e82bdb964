//! What runs for each account: its preparation, then its poll if it has one; and beside them the reading of its templates. One supervisor starts and ends them as
//! accounts come and go.

use std::{collections::HashMap, panic::AssertUnwindSafe, sync::Arc};

use domain::{AccountId, Failure, error::codes};
use futures_util::FutureExt as _;
use runtime::service::Drain;
use tokio::task::JoinSet;

use crate::{accounts::Live, backoff::Backoff, contract::Ingress, kit::Kit, poll, templates};

/// Reads the directory again and again.
pub(crate) async fn reload(kit: Arc<Kit>, drain: Drain) -> Result<(), String> {
    while !drain.has_begun() {
        if let Err(error) = kit.accounts.reload(kit.env.directory.as_ref()).await {
            tracing::warn!(%error, channel = %kit.channel, "the accounts could not be read; the known ones go on");
        }
        kit.gauge(runtime::names::metric::ACCOUNTS_QUARANTINED, kit.accounts.troubled());
        tokio::select! {
            () = tokio::time::sleep(kit.config.reload) => {}
            () = drain.begun() => {}
        }
    }
    Ok(())
}

/// Keeps one job for each version of each account.
pub(crate) async fn supervise(kit: Arc<Kit>, drain: Drain) -> Result<(), String> {
    let mut changes = kit.accounts.changes();
    let mut started: HashMap<AccountId, Arc<Live>> = HashMap::new();
    let mut jobs = JoinSet::new();
    loop {
        for live in kit.accounts.all() {
            let known = started.get(&live.account.id).is_some_and(|former| Arc::ptr_eq(former, &live));
            if !known {
                started.insert(live.account.id, Arc::clone(&live));
                jobs.spawn(account(Arc::clone(&kit), live, drain.clone()));
            }
        }
        tokio::select! {
            changed = changes.changed() => if changed.is_err() { break },
            Some(ended) = jobs.join_next() => if let Err(error) = ended {
                tracing::error!(%error, channel = %kit.channel, "the job of an account ended; the others go on");
            },
            () = drain.begun() => break,
        }
    }
    while jobs.join_next().await.is_some() {}
    Ok(())
}

async fn account(kit: Arc<Kit>, live: Arc<Live>, drain: Drain) {
    let traffic = async {
        prepare(&kit, &live).await;
        if let Ok(open) = &live.open
            && let Ingress::Poll(source) = &open.ingress
        {
            poll::run(&kit, &live, source.as_ref(), &drain).await;
        }
    };
    let work = futures_util::future::join(traffic, templates::keep(&kit, &live));
    tokio::select! {
        _ = work => {}
        () = live.replaced.cancelled() => {}
        () = drain.begun() => {}
    }
    if live.open.as_ref().is_ok_and(|open| matches!(open.ingress, Ingress::Poll(_))) {
        poll::release(&kit, &live).await;
    }
}

/// Prepares an account until it worked.
async fn prepare(kit: &Kit, live: &Live) {
    let Ok(open) = &live.open else { return };
    let Some(prepare) = &open.prepare else { return };
    let hook = matches!(open.ingress, Ingress::Webhook(_)).then(|| kit.hook_url(&live.account));
    let mut backoff = Backoff::new(kit.config.first_pause, kit.config.longest_pause);
    loop {
        let preparing = AssertUnwindSafe(prepare.prepare(hook.as_deref(), &live.http)).catch_unwind();
        let failure = match preparing.await {
            Ok(Ok(())) => break,
            Ok(Err(failure)) => live.redactor.failure(failure),
            Err(_) => Failure { reason: Some("the channel panicked".to_owned()), ..Failure::of(codes::INTERNAL) },
        };
        tracing::warn!(
            account = %live.account.id,
            channel = %kit.channel,
            code = %failure.code,
            reason = failure.reason.as_deref().unwrap_or(""),
            "the account could not be prepared; tried again"
        );
        tokio::time::sleep(backoff.pause()).await;
    }
    tracing::info!(account = %live.account.id, channel = %kit.channel, "account prepared");
}
