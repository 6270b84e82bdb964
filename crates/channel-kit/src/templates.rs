//! The provider's list of templates, at hand in the store: read at the start, from time to time, and as soon as the
//! provider says that something changed. The store remembers when it was read last, so replicas do not repeat each
//! other; a lease keeps two from reading at once.

use std::{panic::AssertUnwindSafe, time::Duration};

use domain::{Failure, Receipt, Template, TemplateStatus, Timestamp, error::codes};
use futures_util::FutureExt as _;
use ports::{StoreError, TemplateList};
use runtime::{
    names::{attribute, label, metric},
    trace,
};
use tracing::Instrument as _;

use crate::{
    accounts::Live,
    backoff::Backoff,
    contract::{Arrival, Arrived, Heard, TemplateNews, Templates},
    kit::Kit,
};

/// How long a list may take to read.
const LONGEST: Duration = Duration::from_secs(45);
/// Longer than that: whoever holds the lease is the only one who reads.
const LEASE: Duration = Duration::from_secs(60);

/// What one look at the list led to.
enum Looked {
    /// Nothing to do, or done: come back after this.
    Rest(Duration),
    /// It did not work: come back after the back-off.
    Failed,
}

/// Keeps the list of an account with templates as long as it is asked to.
pub(crate) async fn keep(kit: &Kit, live: &Live) {
    let Ok(open) = &live.open else { return };
    let Some(source) = &open.templates else { return };
    let mut backoff = Backoff::new(kit.config.first_pause, kit.config.templates);
    loop {
        let rest = match look(kit, live, source.as_ref()).await {
            Ok(Looked::Rest(rest)) => {
                backoff.reset();
                rest
            }
            Ok(Looked::Failed) => backoff.pause(),
            Err(error) => {
                tracing::warn!(%error, account = %live.account.id, "the list of templates waits for the store");
                backoff.pause()
            }
        };
        tokio::select! {
            () = tokio::time::sleep(rest) => {}
            () = live.stale_templates.notified() => {}
        }
    }
}

/// What a call says of templates: in so many words, or by refusing one that we took for good.
pub(crate) fn news_in(heard: &Heard) -> Vec<TemplateNews> {
    let refused = |arrival: &Arrival| match &arrival.what {
        Arrived::Receipt(Receipt { failure: Some(failure), .. }) => {
            [codes::TEMPLATE_UNAVAILABLE, codes::TEMPLATE_UNFILLED].contains(&failure.code)
        }
        _ => false,
    };
    let implied = heard.arrivals.iter().any(refused).then_some(TemplateNews::Changed);
    heard.templates.iter().cloned().chain(implied).collect()
}

/// Writes down what the provider told, and has the list read again. When the store is away the news are lost and the
/// next reading brings them: a call is never turned away for them.
pub(crate) async fn hear(kit: &Kit, live: &Live, news: &[TemplateNews]) {
    if news.is_empty() {
        return;
    }
    let states: Vec<(String, TemplateStatus)> = news
        .iter()
        .filter_map(|one| match one {
            TemplateNews::Status { id, status } => Some((id.clone(), *status)),
            TemplateNews::Changed => None,
        })
        .collect();
    let account = &live.account;
    if let Err(error) = kit.env.templates.changed(account.organization, account.id, &states, kit.now()).await {
        tracing::warn!(%error, account = %account.id, "news about templates are lost; the next reading brings them");
    }
    live.stale_templates.notify_one();
}

/// Reads the list if it is time to, and nobody else does.
async fn look(kit: &Kit, live: &Live, source: &dyn Templates) -> Result<Looked, StoreError> {
    let lease = format!("templates:{}", live.account.id);
    let (leases, replica) = (&kit.env.leases, &kit.env.replica);
    if !leases.claim(&lease, replica, kit.now(), LEASE).await? {
        return Ok(Looked::Rest(LEASE / 4));
    }
    let looked = async {
        let known = kit.env.templates.list(live.account.organization, live.account.id).await?;
        match fresh_for(&known, kit.now(), kit.config.templates) {
            Some(rest) => Ok(Looked::Rest(rest)),
            None => read(kit, live, source).await,
        }
    };
    let looked = looked.await;
    // Not to wait for: it runs out by itself.
    let _ = leases.claim(&lease, replica, kit.now(), Duration::ZERO).await;
    looked
}

/// How long the list is still good; none when it is to be read now.
fn fresh_for(known: &TemplateList, now: Timestamp, every: Duration) -> Option<Duration> {
    let read_at = known.read_at?;
    if known.changed_at.is_some_and(|changed| changed >= read_at) {
        return None;
    }
    let due = (read_at + every).millis();
    let left = Duration::from_millis(u64::try_from(due.saturating_sub(now.millis())).unwrap_or(0));
    (!left.is_zero()).then_some(left)
}

async fn read(kit: &Kit, live: &Live, source: &dyn Templates) -> Result<Looked, StoreError> {
    let account = &live.account;
    let span = tracing::info_span!("read templates", otel.kind = "internal");
    let began = kit.now();
    let reading = async {
        trace::note(attribute::CHANNEL, kit.channel.to_string());
        trace::note(attribute::ORGANIZATION, account.organization.to_string());
        let listing = AssertUnwindSafe(source.list(&live.http)).catch_unwind();
        tokio::time::timeout(LONGEST, listing).await
    };
    let failed = |code, reason: &str| Failure { reason: Some(reason.to_owned()), ..Failure::of(code) };
    let failure = match reading.instrument(span.clone()).await {
        Ok(Ok(Ok(templates))) => return keep_list(kit, live, &templates, began).await,
        Ok(Ok(Err(failure))) => live.redactor.failure(failure),
        Ok(Err(_)) => failed(codes::INTERNAL, "the channel panicked"),
        Err(_) => failed(codes::PROVIDER_UNAVAILABLE, "the list took too long"),
    };
    trace::fail(&span, failure.code.as_str());
    kit.count(metric::TEMPLATE_READINGS, &[(label::OUTCOME, "failed")]);
    tracing::warn!(
        account = %account.id,
        channel = %kit.channel,
        code = %failure.code,
        reason = failure.reason.as_deref().unwrap_or(""),
        "the templates could not be read; the former list stays"
    );
    kit.env.templates.failed(account.organization, account.id, &failure, kit.now()).await?;
    Ok(Looked::Failed)
}

async fn keep_list(kit: &Kit, live: &Live, list: &[Template], began: Timestamp) -> Result<Looked, StoreError> {
    kit.env.templates.replace(live.account.organization, live.account.id, list, began).await?;
    kit.count(metric::TEMPLATE_READINGS, &[(label::OUTCOME, "read")]);
    tracing::debug!(account = %live.account.id, channel = %kit.channel, count = list.len(), "templates read");
    Ok(Looked::Rest(kit.config.templates))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ses_8_a_refused_template_is_news_too() {
        let failed = |code| Arrival {
            key: "receipt:1:failed".to_owned(),
            address: domain::Address::new("55119"),
            at: None,
            what: Arrived::Receipt(Receipt {
                provider_ids: vec!["1".to_owned()],
                state: domain::DeliveryState::Failed,
                at: Timestamp::from_secs(1),
                failure: Some(Failure::of(code)),
            }),
        };
        assert_eq!(news_in(&vec![failed(codes::TEMPLATE_UNAVAILABLE)].into()), [TemplateNews::Changed]);
        assert_eq!(news_in(&vec![failed(codes::UNREACHABLE)].into()), []);
    }

    #[test]
    fn ses_8_a_list_is_read_at_first_when_it_is_old_and_when_something_changed() {
        let every = Duration::from_secs(60);
        let at = Timestamp::from_secs;
        let known = |read, changed: Option<i64>| TemplateList {
            read_at: Some(at(read)),
            changed_at: changed.map(at),
            ..TemplateList::default()
        };
        assert_eq!(fresh_for(&TemplateList::default(), at(0), every), None);
        assert_eq!(fresh_for(&known(100, None), at(130), every), Some(Duration::from_secs(30)));
        assert_eq!(fresh_for(&known(100, None), at(160), every), None);
        assert_eq!(fresh_for(&known(100, Some(99)), at(130), every), Some(Duration::from_secs(30)));
        assert_eq!(fresh_for(&known(100, Some(100)), at(101), every), None, "the reading may have missed it");
    }
}
