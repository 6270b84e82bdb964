//! Mailboxes of link channels: dense places, each id once.

use async_trait::async_trait;
use domain::{AccountId, Address, Timestamp};
use ports::{MailboxItem, Mailboxes, StoreError};
use sea_orm::ConnectionTrait;

use crate::{
    SqlStore,
    row::Row,
    statement::{failure, number, printed, statement, text},
};

#[async_trait]
impl Mailboxes for SqlStore {
    async fn put(
        &self,
        account: AccountId,
        address: &Address,
        id: &str,
        body: &str,
        at: Timestamp,
    ) -> Result<u64, StoreError> {
        self.in_time(async {
            let writing = self.begin().await?;
            let on = writing.connection();
            let mailbox = || vec![printed(account), text(address.as_str())];
            // The mailbox's row is the lock: whoever puts into the same mailbox waits here, so places stay dense.
            let next = "INSERT INTO mailboxes (account, address, last_sequence) VALUES ($1, $2, 1)
                        ON CONFLICT (account, address) DO UPDATE SET last_sequence = mailboxes.last_sequence + 1
                        RETURNING last_sequence";
            let row = on.query_one_raw(statement(on, next, mailbox())).await.map_err(failure)?;
            let place: u64 = match row {
                Some(row) => Row(row).number("last_sequence")?,
                None => return Err(StoreError::Refused("a mailbox gave no place".to_owned())),
            };
            let mut key = mailbox();
            key.push(text(id));
            let known = "SELECT sequence FROM mailbox_items WHERE account = $1 AND address = $2 AND id = $3";
            if let Some(row) = on.query_one_raw(statement(on, known, key.clone())).await.map_err(failure)? {
                let sequence = Row(row).number("sequence")?;
                let back = "UPDATE mailboxes SET last_sequence = last_sequence - 1 WHERE account = $1 AND address = $2";
                on.execute_raw(statement(on, back, mailbox())).await.map_err(failure)?;
                // Committed although nothing changed: on SQLite the one that was found may not stand yet, and this waits
                // for it.
                writing.commit().await.map_err(failure)?;
                return Ok(sequence);
            }
            key.extend([text(body), at.millis().into(), number(place)]);
            let put =
                "INSERT INTO mailbox_items (account, address, id, body, at, sequence) VALUES ($1, $2, $3, $4, $5, $6)";
            on.execute_raw(statement(on, put, key)).await.map_err(failure)?;
            writing.commit().await.map_err(failure)?;
            Ok(place)
        })
        .await
    }

    async fn since(
        &self,
        account: AccountId,
        address: &Address,
        after: u64,
        limit: u32,
    ) -> Result<Vec<MailboxItem>, StoreError> {
        let values = vec![printed(account), text(address.as_str()), number(after), i64::from(limit).into()];
        let rows = self
            .read(
                "SELECT sequence, id, body FROM mailbox_items WHERE account = $1 AND address = $2 AND sequence > $3
                 ORDER BY sequence LIMIT $4",
                values,
            )
            .await?;
        rows.iter()
            .map(|row| {
                Ok(MailboxItem { sequence: row.number("sequence")?, id: row.text("id")?, body: row.text("body")? })
            })
            .collect()
    }
}
