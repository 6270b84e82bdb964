//! What the channel tells its peers over gRPC: its capabilities and its accounts, never a setting or a secret.

use std::sync::Arc;

use async_trait::async_trait;
use domain::{OrganizationId, Refusal};
use runtime::grpc::{AccountSummary, ChannelInfo, Description};

use crate::kit::Kit;

/// The channel's side of `afluente.channel.v1.Channel`.
pub(crate) struct Info(pub(crate) Arc<Kit>);

#[async_trait]
impl ChannelInfo for Info {
    async fn describe(&self) -> Result<Description, Refusal> {
        let capabilities = self.0.can.clone();
        Ok(Description { channel: self.0.channel.to_string(), digest: capabilities.digest(), capabilities })
    }

    async fn accounts(&self, organization: Option<OrganizationId>) -> Result<Vec<AccountSummary>, Refusal> {
        let mut all: Vec<_> = self
            .0
            .accounts
            .all()
            .into_iter()
            .filter(|live| organization.is_none_or(|asked| live.account.organization == asked))
            .map(|live| AccountSummary {
                id: live.account.id,
                organization: live.account.organization,
                name: live.account.name.clone(),
                label: live.account.label.clone(),
                active: live.account.active,
                problem: live.trouble().map(|failure| failure.reason.unwrap_or_else(|| failure.code.to_string())),
            })
            .collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(all)
    }
}
