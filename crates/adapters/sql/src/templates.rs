//! Templates, and how reading them stands.

use std::collections::BTreeMap;

use async_trait::async_trait;
use domain::{AccountId, Failure, OrganizationId, Template, TemplateStatus, Timestamp};
use ports::{StoreError, TemplateList, Templates};
use sea_orm::{ConnectionTrait, Value};

use crate::{
    SqlStore, Writing,
    row::Row,
    statement::{Table, failure, insert_rows, json, name, printed, statement, text},
};

const TEMPLATES: Table =
    Table { name: "templates", columns: &["account", "id", "name", "language", "status", "template"] };

fn template(row: &Row) -> Result<Template, StoreError> {
    // News may have changed the state since the list was read.
    let template: Template = row.json("template")?;
    Ok(Template { status: row.named("status")?, ..template })
}

/// Writes the account's row and holds it until the end of `writing`: readings and news of one account go one after the
/// other. The statement leaves an account of another organization alone.
async fn hold(writing: &Writing, text: &str, values: Vec<Value>) -> Result<(), StoreError> {
    let on = writing.connection();
    let held = on.execute_raw(statement(on, text, values)).await.map_err(failure)?.rows_affected();
    if held == 1 { Ok(()) } else { Err(StoreError::Refused("it belongs to another organization".to_owned())) }
}

#[async_trait]
impl Templates for SqlStore {
    async fn replace(
        &self,
        organization: OrganizationId,
        account: AccountId,
        templates: &[Template],
        at: Timestamp,
    ) -> Result<(), StoreError> {
        // One statement may touch a row only once.
        let by_id: BTreeMap<&str, &Template> = templates.iter().map(|one| (one.id.as_str(), one)).collect();
        let mut values = Vec::with_capacity(by_id.len() * TEMPLATES.columns.len());
        for one in by_id.values() {
            let status = name(&one.status)?.into();
            values.extend([printed(account), text(&one.id), text(&one.name), text(&one.language), status, json(one)?]);
        }
        let writing = self.begin().await?;
        let list = "INSERT INTO template_lists (account, organization, read_at) VALUES ($1, $2, $3)
                    ON CONFLICT (account) DO UPDATE SET
                    failed_at = CASE WHEN $3 < template_lists.read_at THEN template_lists.failed_at END,
                    failure = CASE WHEN $3 < template_lists.read_at THEN template_lists.failure END,
                    read_at = CASE WHEN $3 < template_lists.read_at THEN template_lists.read_at ELSE $3 END
                    WHERE template_lists.organization = excluded.organization";
        hold(&writing, list, vec![printed(account), printed(organization), at.millis().into()]).await?;
        let on = writing.connection();
        let kept = "SELECT read_at FROM template_lists WHERE account = $1";
        let row = on.query_one_raw(statement(on, kept, vec![printed(account)])).await.map_err(failure)?;
        if row.map(|row| Row(row).optional_time("read_at")).transpose()?.flatten() != Some(at) {
            // A newer reading is there; on SQLite it may not stand yet, and this waits for it.
            return writing.commit().await.map_err(failure);
        }
        let former = statement(on, "DELETE FROM templates WHERE account = $1", vec![printed(account)]);
        on.execute_raw(former).await.map_err(failure)?;
        insert_rows(on, TEMPLATES, "", values).await.map_err(failure)?;
        writing.commit().await.map_err(failure)
    }

    async fn failed(
        &self,
        organization: OrganizationId,
        account: AccountId,
        why: &Failure,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let writing = self.begin().await?;
        let list = "INSERT INTO template_lists (account, organization, failed_at, failure) VALUES ($1, $2, $3, $4)
                    ON CONFLICT (account) DO UPDATE SET failed_at = excluded.failed_at, failure = excluded.failure
                    WHERE template_lists.organization = excluded.organization";
        hold(&writing, list, vec![printed(account), printed(organization), at.millis().into(), json(why)?]).await?;
        writing.commit().await.map_err(failure)
    }

    async fn changed(
        &self,
        organization: OrganizationId,
        account: AccountId,
        states: &[(String, TemplateStatus)],
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let writing = self.begin().await?;
        let list = "INSERT INTO template_lists (account, organization, changed_at) VALUES ($1, $2, $3)
                    ON CONFLICT (account) DO UPDATE SET changed_at =
                    CASE WHEN template_lists.changed_at > $3 THEN template_lists.changed_at ELSE $3 END
                    WHERE template_lists.organization = excluded.organization";
        hold(&writing, list, vec![printed(account), printed(organization), at.millis().into()]).await?;
        let on = writing.connection();
        for (id, status) in states {
            let values = vec![printed(account), text(id), name(status)?.into()];
            let state = "UPDATE templates SET status = $3 WHERE account = $1 AND id = $2";
            on.execute_raw(statement(on, state, values)).await.map_err(failure)?;
        }
        writing.commit().await.map_err(failure)
    }

    async fn list(&self, organization: OrganizationId, account: AccountId) -> Result<TemplateList, StoreError> {
        let list = "SELECT * FROM template_lists WHERE account = $1 AND organization = $2";
        let Some(row) = self.read_one(list, vec![printed(account), printed(organization)]).await? else {
            return Ok(TemplateList::default());
        };
        let all = "SELECT status, template FROM templates WHERE account = $1 ORDER BY name, language, id";
        let rows = self.read(all, vec![printed(account)]).await?;
        let failed = match row.optional_time("failed_at")? {
            Some(at) => Some((at, row.json("failure")?)),
            None => None,
        };
        Ok(TemplateList {
            templates: rows.iter().map(template).collect::<Result<_, _>>()?,
            read_at: row.optional_time("read_at")?,
            changed_at: row.optional_time("changed_at")?,
            failed,
        })
    }
}
