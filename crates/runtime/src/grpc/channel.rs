//! What every channel service answers over gRPC.

use std::sync::Arc;

use async_trait::async_trait;
use domain::{AccountId, Capabilities, OrganizationId, Refusal};
use tonic::{Request, Response, Status, transport};
use wire::pb::channel::v1::{
    AccountInfo, DescribeRequest, DescribeResponse, ListAccountsRequest, ListAccountsResponse,
    channel_client::ChannelClient as Generated,
    channel_server::{Channel, ChannelServer},
};

use super::{InvalidAddress, MeshPass, connect, make_call, nonsense, pass::Caller, serve_call, undecodable};
use crate::metrics::Metrics;

const DESCRIBE: &str = "afluente.channel.v1.Channel/Describe";
const LIST_ACCOUNTS: &str = "afluente.channel.v1.Channel/ListAccounts";

/// What a channel can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// The channel's name.
    pub channel: String,
    /// Its capabilities.
    pub capabilities: Capabilities,
    /// Their digest: peers read them again only when it differs.
    pub digest: String,
}

/// An account as others may see it: no settings, no secrets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountSummary {
    /// Its id.
    pub id: AccountId,
    /// The tenant.
    pub organization: OrganizationId,
    /// Its name.
    pub name: String,
    /// What agents read.
    pub label: String,
    /// Whether it is in use.
    pub active: bool,
    /// Why it cannot work, when it is quarantined.
    pub problem: Option<String>,
}

/// A channel, for its peers.
#[async_trait]
pub trait ChannelInfo: Send + Sync + 'static {
    /// What it can do.
    ///
    /// # Errors
    /// [`Refusal`] when it cannot tell.
    async fn describe(&self) -> Result<Description, Refusal>;

    /// The accounts that it serves, of one organization or of all.
    ///
    /// # Errors
    /// [`Refusal`] when the store is away.
    async fn accounts(&self, organization: Option<OrganizationId>) -> Result<Vec<AccountSummary>, Refusal>;
}

struct Server {
    info: Arc<dyn ChannelInfo>,
    metrics: Metrics,
}

/// A channel's gRPC service, for [`crate::Service::grpc`].
pub fn channel_server(info: Arc<dyn ChannelInfo>, metrics: Metrics) -> axum::Router {
    tonic::service::Routes::new(ChannelServer::new(Server { info, metrics })).into_axum_router()
}

#[async_trait]
impl Channel for Server {
    async fn describe(&self, request: Request<DescribeRequest>) -> Result<Response<DescribeResponse>, Status> {
        let info = Arc::clone(&self.info);
        serve_call(DESCRIBE, request.metadata(), &self.metrics, async move {
            let description = info.describe().await?;
            Ok(DescribeResponse {
                channel: description.channel,
                capabilities: Some((&description.capabilities).into()),
                digest: description.digest,
            })
        })
        .await
    }

    async fn list_accounts(
        &self,
        request: Request<ListAccountsRequest>,
    ) -> Result<Response<ListAccountsResponse>, Status> {
        let (metadata, _, body) = request.into_parts();
        let info = Arc::clone(&self.info);
        serve_call(LIST_ACCOUNTS, &metadata, &self.metrics, async move {
            let organization = body.organization.map(|text| text.parse()).transpose();
            let organization = organization.map_err(|_| undecodable(&wire::DecodeError::Invalid("organization")))?;
            let accounts = info.accounts(organization).await?;
            Ok(ListAccountsResponse { accounts: accounts.into_iter().map(summary_out).collect() })
        })
        .await
    }
}

fn summary_out(account: AccountSummary) -> AccountInfo {
    AccountInfo {
        id: account.id.to_string(),
        organization: account.organization.to_string(),
        name: account.name,
        label: account.label,
        active: account.active,
        problem: account.problem,
    }
}

fn summary_in(account: AccountInfo) -> Result<AccountSummary, wire::DecodeError> {
    Ok(AccountSummary {
        id: account.id.parse().map_err(|_| wire::DecodeError::Invalid("id"))?,
        organization: account.organization.parse().map_err(|_| wire::DecodeError::Invalid("organization"))?,
        name: account.name,
        label: account.label,
        active: account.active,
        problem: account.problem,
    })
}

/// The channel at the other end of a connection.
#[derive(Clone)]
pub struct ChannelClient {
    inner: Generated<transport::Channel>,
    caller: Caller,
}

impl ChannelClient {
    /// A client for `http://host:port`; see [`super::RouterClient::connect`].
    ///
    /// # Errors
    /// When the address is not a URL.
    pub fn connect(address: &str, metrics: Metrics) -> Result<Self, InvalidAddress> {
        Ok(Self { inner: Generated::new(connect(address)?), caller: Caller::new(metrics) })
    }

    /// The same client, showing the mesh's pass with every call.
    #[must_use]
    pub fn with_pass(mut self, pass: &MeshPass) -> Self {
        self.caller.carry(pass);
        self
    }
}

#[async_trait]
impl ChannelInfo for ChannelClient {
    async fn describe(&self) -> Result<Description, Refusal> {
        let mut client = self.inner.clone();
        let call = |request| async move { client.describe(request).await };
        let answer = make_call(DESCRIBE, &self.caller, DescribeRequest {}, call).await?;
        let missing = wire::DecodeError::Missing("capabilities");
        let capabilities = answer.capabilities.ok_or(missing).and_then(Capabilities::try_from);
        Ok(Description {
            channel: answer.channel,
            capabilities: capabilities.map_err(|error| nonsense(&error))?,
            digest: answer.digest,
        })
    }

    async fn accounts(&self, organization: Option<OrganizationId>) -> Result<Vec<AccountSummary>, Refusal> {
        let mut client = self.inner.clone();
        let question = ListAccountsRequest { organization: organization.map(|id| id.to_string()) };
        let call = |request| async move { client.list_accounts(request).await };
        let answer = make_call(LIST_ACCOUNTS, &self.caller, question, call).await?;
        let accounts = answer.accounts.into_iter().map(summary_in).collect::<Result<_, _>>();
        accounts.map_err(|error| nonsense(&error))
    }
}
