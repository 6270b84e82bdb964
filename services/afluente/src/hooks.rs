//! The way back to the channels' webhooks, for calls that were parked: the one place that knows the channels, their
//! accounts' secrets and our own address.

use std::sync::Arc;

use async_trait::async_trait;
use domain::{Account, Parked};
use ports::{Directory, apis::HookApi};
use runtime::{
    http::{Http, HttpBody, HttpPolicy, HttpRequest},
    metrics::Metrics,
};

use crate::{compose, exit::Problem, settings::Settings};

/// Posts a parked call to its account's hook, with the account's secret.
pub(crate) struct Hooks {
    directory: Arc<dyn Directory>,
    http: Http,
    public_url: String,
}

impl Hooks {
    /// With a client that may call our own address, wherever it is, and what the mesh may call.
    pub(crate) fn connect(
        settings: &Settings,
        public_url: &str,
        directory: Arc<dyn Directory>,
        metrics: Metrics,
    ) -> Result<Arc<dyn HookApi>, Problem> {
        let mut allow = settings.mesh.http_allow.clone();
        allow.push(public_url.to_owned());
        let http = Http::new(HttpPolicy { allow, ..HttpPolicy::default() }, metrics)?;
        Ok(Arc::new(Self { directory, http, public_url: public_url.to_owned() }))
    }

    /// The account, and the header and the secret that its hook asks for.
    async fn door(&self, channel: &str, name: &str) -> Result<(Account, &'static str, String), String> {
        let kind = compose::channel(channel).ok_or_else(|| format!("no channel '{channel}'"))?;
        let accounts =
            self.directory.accounts(channel.parse().ok().as_ref()).await.map_err(|error| error.to_string())?;
        let account = accounts
            .into_iter()
            .find(|account| account.channel.as_str() == channel && account.name == name)
            .ok_or_else(|| format!("no account '{name}' on {channel}"))?;
        let open = kind.open(&account).map_err(|problem| problem.to_string())?;
        let header = compose::secret_header(&open).ok_or_else(|| format!("the account '{name}' has no webhook now"))?;
        let secret = account.secrets.get("webhook_secret");
        let secret = secret.ok_or_else(|| format!("the account '{name}' has no webhook_secret"))?.expose().to_owned();
        Ok((account, header, secret))
    }
}

#[async_trait]
impl HookApi for Hooks {
    async fn post(&self, parked: &Parked) -> Result<String, String> {
        let (channel, name) = parked
            .route
            .strip_prefix("webhook:")
            .and_then(|rest| rest.split_once(':'))
            .ok_or_else(|| format!("the route '{}' leads nowhere", parked.route))?;
        let (account, header, secret) = self.door(channel, name).await?;
        let url = channel_kit::hook_url(&self.public_url, &account);
        let mut request = HttpRequest::new(http::Method::POST, url.clone(), "/hooks/{channel}/{account}");
        request.headers = vec![(header.to_owned(), secret)];
        request.headers.extend(parked.headers.iter().filter(|(name, _)| name == "content-type").cloned());
        request.body = HttpBody::Bytes(parked.body.clone().into());
        let answer = self.http.call(request).await.map_err(|problem| format!("{url}: {problem}"))?;
        if !(200..300).contains(&answer.status) {
            return Err(format!("{url} answered {}", answer.status));
        }
        Ok(format!("{url} answered {}", answer.status))
    }
}
