//! Templates as the provider last listed them.

use async_trait::async_trait;
use domain::{AccountId, Failure, OrganizationId, Template, TemplateStatus, Timestamp};

use crate::StoreError;

/// What is known of an account's templates.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TemplateList {
    /// By name, then language.
    pub templates: Vec<Template>,
    /// When the reading that brought them began; none when there was none yet.
    pub read_at: Option<Timestamp>,
    /// Since when the provider is known to have changed something; newer than `read_at`, the list is to be read again.
    pub changed_at: Option<Timestamp>,
    /// When reading it failed, and why, unless it has worked since.
    pub failed: Option<(Timestamp, Failure)>,
}

/// The templates of every account. The provider has the truth: a list is read whole, and takes the place of the former.
#[async_trait]
pub trait Templates: Send + Sync + 'static {
    /// Takes the place of the account's list. `at` is when the reading began, so that a change that came meanwhile
    /// still asks for another reading. A reading that began earlier than the kept one changes nothing.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away; the former list stays then.
    async fn replace(
        &self,
        organization: OrganizationId,
        account: AccountId,
        templates: &[Template],
        at: Timestamp,
    ) -> Result<(), StoreError>;

    /// Notes that reading the list failed. The list stays.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    async fn failed(
        &self,
        organization: OrganizationId,
        account: AccountId,
        failure: &Failure,
        at: Timestamp,
    ) -> Result<(), StoreError>;

    /// Notes that the provider has changed something, and the state of these templates at once. One that is not in the
    /// list comes with the next reading.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    async fn changed(
        &self,
        organization: OrganizationId,
        account: AccountId,
        states: &[(String, TemplateStatus)],
        at: Timestamp,
    ) -> Result<(), StoreError>;

    /// What is known; empty for an account of another organization.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    async fn list(&self, organization: OrganizationId, account: AccountId) -> Result<TemplateList, StoreError>;
}
