//! Templates as the providers listed them.

use async_trait::async_trait;
use domain::{AccountId, Failure, OrganizationId, Template, TemplateStatus, Timestamp};
use ports::{StoreError, TemplateList, Templates};

use super::{Store, tables::Tables};

impl Tables {
    /// The account's list; whoever writes to it first decides whose it is.
    fn templates_of(
        &mut self,
        organization: OrganizationId,
        account: AccountId,
    ) -> Result<&mut TemplateList, StoreError> {
        let (owner, list) = self.templates.entry(account).or_insert_with(|| (organization, TemplateList::default()));
        if *owner == organization {
            Ok(list)
        } else {
            Err(StoreError::Refused("the account belongs to another organization".to_owned()))
        }
    }
}

#[async_trait]
impl Templates for Store {
    async fn replace(
        &self,
        organization: OrganizationId,
        account: AccountId,
        templates: &[Template],
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.ask(|tables| {
            let list = tables.templates_of(organization, account)?;
            if list.read_at.is_none_or(|read| read <= at) {
                list.templates = templates.to_vec();
                list.templates.sort_by(|a, b| (&a.name, &a.language, &a.id).cmp(&(&b.name, &b.language, &b.id)));
                (list.read_at, list.failed) = (Some(at), None);
            }
            Ok(())
        })
        .await?
    }

    async fn failed(
        &self,
        organization: OrganizationId,
        account: AccountId,
        failure: &Failure,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.ask(|tables| {
            tables.templates_of(organization, account)?.failed = Some((at, failure.clone()));
            Ok(())
        })
        .await?
    }

    async fn changed(
        &self,
        organization: OrganizationId,
        account: AccountId,
        states: &[(String, TemplateStatus)],
        at: Timestamp,
    ) -> Result<(), StoreError> {
        self.ask(|tables| {
            let list = tables.templates_of(organization, account)?;
            list.changed_at = list.changed_at.max(Some(at));
            for (id, status) in states {
                for template in list.templates.iter_mut().filter(|template| template.id == *id) {
                    template.status = *status;
                }
            }
            Ok(())
        })
        .await?
    }

    async fn list(&self, organization: OrganizationId, account: AccountId) -> Result<TemplateList, StoreError> {
        self.ask(|tables| {
            let known = tables.templates.get(&account).filter(|(owner, _)| *owner == organization);
            known.map(|(_, list)| list.clone()).unwrap_or_default()
        })
        .await
    }
}
