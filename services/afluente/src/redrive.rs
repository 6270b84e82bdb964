//! Sends parked messages on their way again.
//!
//! What belongs to the broker is only asked for: the router does it, in this process's store or on servers, so the
//! command line needs no broker. A webhook is posted to its channel again, as the provider would.

use std::time::Duration;

use domain::{Account, Parked, ParkedId, Timestamp};
use ports::{Clock as _, topology::Topic};
use runtime::{
    clock::SystemClock,
    http::{Http, HttpBody, HttpPolicy, HttpRequest},
    metrics::Metrics,
};

use crate::{compose, exit::Problem, settings::Settings};

/// How long the router is given before the operator is told that it has not answered yet.
const PATIENCE: Duration = Duration::from_secs(5);

/// What became of one message.
pub(crate) enum Outcome {
    /// It is on its way.
    Sent(String),
    /// It will be when a router runs.
    Asked,
    /// It cannot be, and why.
    Failed(String),
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sent(how) => write!(f, "on its way: {how}"),
            Self::Asked => f.write_str("requested; the router sends it as soon as it runs"),
            Self::Failed(why) => write!(f, "not redriven: {why}"),
        }
    }
}

/// Does it. Answers what became of each message, in the order given.
pub(crate) async fn redrive(
    settings: &Settings,
    stores: &bootstrap::Stores,
    chosen: &[Parked],
) -> Result<Vec<(ParkedId, Outcome)>, Problem> {
    let http = http(settings)?;
    let is_asked = |parked: &&Parked| parked.redriven_at.is_none() && Topic::from_route(&parked.route).is_some();
    let asked: Vec<ParkedId> = chosen.iter().filter(is_asked).map(|parked| parked.id).collect();
    stores.parking.request_redrive(&asked, SystemClock.now()).await?;
    let mut outcomes = Vec::new();
    for parked in chosen {
        let outcome = if asked.contains(&parked.id) {
            Outcome::Asked
        } else if parked.redriven_at.is_some() {
            Outcome::Failed("it was sent on its way before, and has not been parked again".to_owned())
        } else {
            match post(settings, stores, &http, parked).await {
                Ok(how) => Outcome::Sent(how),
                Err(why) => Outcome::Failed(why.line),
            }
        };
        outcomes.push((parked.id, outcome));
    }
    hear(stores, chosen, &mut outcomes).await?;
    Ok(outcomes)
}

/// Waits a moment for the router's answers.
async fn hear(
    stores: &bootstrap::Stores,
    chosen: &[Parked],
    outcomes: &mut [(ParkedId, Outcome)],
) -> Result<(), Problem> {
    let until = tokio::time::Instant::now() + PATIENCE;
    loop {
        let waiting: Vec<ParkedId> =
            stores.parking.redrive_requested(u32::MAX).await?.iter().map(|parked| parked.id).collect();
        let mut open = 0;
        for (parked, (id, outcome)) in chosen.iter().zip(outcomes.iter_mut()) {
            if !matches!(outcome, Outcome::Asked) {
                continue;
            }
            if waiting.contains(id) {
                open += 1;
                continue;
            }
            let now = stores.parking.show(*id).await?;
            *outcome = match now {
                Some(Parked { redriven_at: None, reason, at, .. }) if at > parked.at => {
                    Outcome::Failed(format!("it was, and is parked again: {reason}"))
                }
                Some(Parked { redriven_at: None, reason, .. }) => Outcome::Failed(reason),
                _ => Outcome::Sent("the router has carried it out".to_owned()),
            };
        }
        if open == 0 || tokio::time::Instant::now() >= until {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// A client that may call our own address, wherever it is, and what the mesh may call.
fn http(settings: &Settings) -> Result<Http, Problem> {
    let mut allow = settings.mesh.http_allow.clone();
    allow.push(settings.public_url());
    Ok(Http::new(HttpPolicy { allow, ..HttpPolicy::default() }, Metrics::new())?)
}

/// Posts a webhook's body to its account's hook, with the account's secret.
async fn post(
    settings: &Settings,
    stores: &bootstrap::Stores,
    http: &Http,
    parked: &Parked,
) -> Result<String, Problem> {
    let Some((channel, name)) = parked.route.strip_prefix("webhook:").and_then(|rest| rest.split_once(':')) else {
        return Err(Problem::failed(format!("the route '{}' leads nowhere", parked.route)));
    };
    let (account, header, secret) = door(stores, channel, name).await?;
    let url = channel_kit::hook_url(&settings.public_url(), &account);
    let mut request = HttpRequest::new(http::Method::POST, url.clone(), "/hooks/{channel}/{account}");
    request.headers = vec![(header.to_owned(), secret)];
    request.headers.extend(parked.headers.iter().filter(|(name, _)| name == "content-type").cloned());
    request.body = HttpBody::Bytes(parked.body.clone().into());
    // From before the post, so that one that is parked again stays listed, even in the same millisecond.
    let before = Timestamp::from_millis(SystemClock.now().millis() - 1).max(parked.at);
    let answer = http.call(request).await.map_err(|problem| Problem::failed(format!("{url}: {problem}")))?;
    if !(200..300).contains(&answer.status) {
        return Err(Problem::failed(format!("{url} answered {}", answer.status)));
    }
    stores.parking.redriven(parked.id, before).await?;
    Ok(format!("{url} answered {}; what still cannot be read is parked again", answer.status))
}

/// The account, and the header and the secret that its hook asks for.
async fn door(
    stores: &bootstrap::Stores,
    channel: &str,
    name: &str,
) -> Result<(Account, &'static str, String), Problem> {
    let kind = compose::channel(channel).ok_or_else(|| Problem::failed(format!("no channel '{channel}'")))?;
    let accounts = stores.directory.accounts(channel.parse().ok().as_ref()).await?;
    let account = accounts
        .into_iter()
        .find(|account| account.channel.as_str() == channel && account.name == name)
        .ok_or_else(|| Problem::failed(format!("no account '{name}' on {channel}")))?;
    let open = kind.open(&account)?;
    let header = compose::secret_header(&open)
        .ok_or_else(|| Problem::failed(format!("the account '{name}' has no webhook now")))?;
    let secret = account
        .secrets
        .get("webhook_secret")
        .ok_or_else(|| Problem::failed(format!("the account '{name}' has no webhook_secret")))?
        .expose()
        .to_owned();
    Ok((account, header, secret))
}
