//! The forms in which SQL is spoken here: rows in few statements, keys in lists, typed columns.

use std::{fmt::Display, fmt::Write as _};

use ports::StoreError;
use sea_orm::{
    ConnectionTrait, DatabaseBackend, DbErr, QueryResult, RuntimeErr, SqlErr, Statement, Value, sea_query::ArrayType,
    sqlx,
};
use serde::Serialize;

use crate::{
    columns::{self, Behind, Guard, Rows},
    row::Row,
};

/// Most rows or keys in one statement. Far below the bind limits (SQLite 32,766; PostgreSQL 65,535) with the widest
/// table, and a power of two: batches are cut into powers of two, so that a handful of statement texts serves every
/// batch size and each connection keeps them prepared.
const LARGEST: usize = 256;

/// A table and the columns that an insert fills, in order.
#[derive(Debug, Clone, Copy)]
pub struct Table {
    /// Its name.
    pub name: &'static str,
    /// Its columns.
    pub columns: &'static [&'static str],
}

impl Table {
    /// `SELECT` of the columns by name. A statement that a connection keeps prepared and that says `*` fails there for as
    /// long as the connection lives, once a newer release has added a column.
    pub(crate) fn read(&self) -> String {
        format!("SELECT {} FROM {}", self.columns.join(", "), self.name)
    }

    /// The columns, of `alias`.
    pub(crate) fn columns_of(&self, alias: &str) -> String {
        let columns: Vec<String> = self.columns.iter().map(|column| format!("{alias}.{column}")).collect();
        columns.join(", ")
    }
}

/// Inserts rows (their values one after the other) in few statements. `tail` is what follows them, an `ON CONFLICT`
/// clause as a rule. Answers how many rows were written.
///
/// # Errors
/// [`DbErr`] of the first statement that failed.
pub async fn insert_rows<C: ConnectionTrait>(
    connection: &C,
    table: Table,
    tail: &str,
    values: Vec<Value>,
) -> Result<u64, DbErr> {
    let mut written = 0;
    for statement in inserts(connection.get_database_backend(), table, tail, values)? {
        written += connection.execute_raw(statement).await?.rows_affected();
    }
    Ok(written)
}

/// Inserts rows into several tables, in this order, and answers how many went into each. On PostgreSQL it is one statement
/// ([`insert_each_and`]).
pub(crate) async fn insert_each<C: ConnectionTrait>(connection: &C, each: Vec<Rows>) -> Result<Vec<u64>, DbErr> {
    if connection.get_database_backend() == DatabaseBackend::Postgres {
        return Ok(insert_each_and(connection, each, None, Guard::Caller).await?.0);
    }
    let mut written = vec![0; each.len()];
    for (count, rows) in written.iter_mut().zip(each).filter(|(_, rows)| !rows.values.is_empty()) {
        *count = insert_rows(connection, rows.table, rows.tail, rows.values).await?;
    }
    Ok(written)
}

/// [`insert_each`] on PostgreSQL with what is done behind the rows, in one statement: under load most of what a commit takes
/// is the way to the server and back. Answers the rows of what is behind, too.
pub(crate) async fn insert_each_and<C: ConnectionTrait>(
    connection: &C,
    each: Vec<Rows>,
    behind: Option<Behind>,
    guard: Guard,
) -> Result<(Vec<u64>, Vec<Row>), DbErr> {
    let mut written = vec![0; each.len()];
    let full = written.iter_mut().zip(each).filter(|(_, rows)| !rows.values.is_empty());
    let (counts, full): (Vec<_>, Vec<_>) = full.unzip();
    if full.is_empty() && behind.is_none() {
        return Ok((written, Vec::new()));
    }
    let rows = connection.query_all_raw(columns::insert_each(full, behind, guard)?).await?;
    let first = rows.first().ok_or_else(|| DbErr::RecordNotFound("how many rows were written".to_owned()))?;
    for (at, count) in counts.into_iter().enumerate() {
        *count = first.try_get::<i64>("", &format!("rows{at}"))?.unsigned_abs();
    }
    Ok((written, rows.into_iter().map(Row).collect()))
}

/// Like [`insert_rows`], with a `RETURNING` clause in `tail`: answers the returned rows.
pub(crate) async fn insert_returning<C: ConnectionTrait>(
    connection: &C,
    table: Table,
    tail: &str,
    values: Vec<Value>,
) -> Result<Vec<Row>, DbErr> {
    let mut returned = Vec::new();
    for statement in inserts(connection.get_database_backend(), table, tail, values)? {
        returned.extend(connection.query_all_raw(statement).await?.into_iter().map(Row));
    }
    Ok(returned)
}

/// The statements that insert these rows. PostgreSQL gets an array for each column: with a placeholder for each value it
/// spends more on the placeholders than on the rows. SQLite gets placeholders, in as few statements as the rows' number
/// has powers of two.
fn inserts(
    backend: DatabaseBackend,
    table: Table,
    tail: &str,
    mut values: Vec<Value>,
) -> Result<Vec<Statement>, DbErr> {
    if backend == DatabaseBackend::Postgres {
        return if values.is_empty() { Ok(Vec::new()) } else { Ok(vec![columns::insert(table, tail, values)?]) };
    }
    let width = table.columns.len().max(1);
    let mut statements = Vec::new();
    while !values.is_empty() {
        let rows = largest_chunk(values.len() / width);
        let rest = values.split_off((rows * width).min(values.len()));
        statements.push(Statement::from_sql_and_values(backend, insert_text(table, rows, tail), values));
        values = rest;
    }
    Ok(statements)
}

/// The largest power of two that is not more than `count` nor [`LARGEST`].
fn largest_chunk(count: usize) -> usize {
    let mut chunk = LARGEST;
    while chunk > count.max(1) {
        chunk /= 2;
    }
    chunk.max(1)
}

/// SQLite takes `$1` for a name, and looks names up one by one, at every binding of every execution: thousands of them
/// cost more than the insert. A bare `?` has none.
fn insert_text(table: Table, rows: usize, tail: &str) -> String {
    let row = format!("({})", vec!["?"; table.columns.len()].join(", "));
    format!("INSERT INTO {} ({}) VALUES {} {tail}", table.name, table.columns.join(", "), vec![row; rows].join(", "))
}

/// Runs `text`, in which `IN ({in})` stands for a list of keys, for all keys, and answers the rows. `fixed` are the values
/// of `$1`... before the list.
///
/// # Errors
/// [`DbErr`] of the first statement that failed.
pub async fn select_in<C: ConnectionTrait>(
    connection: &C,
    text: &str,
    fixed: &[Value],
    keys: impl IntoIterator<Item = Value>,
) -> Result<Vec<QueryResult>, DbErr> {
    let mut found = Vec::new();
    for statement in lists(connection.get_database_backend(), text, fixed, keys) {
        found.extend(connection.query_all_raw(statement).await?);
    }
    Ok(found)
}

/// Like [`select_in`] for a statement without an answer. Answers how many rows it touched.
///
/// # Errors
/// [`DbErr`] of the first statement that failed.
pub async fn execute_in<C: ConnectionTrait>(
    connection: &C,
    text: &str,
    fixed: &[Value],
    keys: impl IntoIterator<Item = Value>,
) -> Result<u64, DbErr> {
    let mut touched = 0;
    for statement in lists(connection.get_database_backend(), text, fixed, keys) {
        touched += connection.execute_raw(statement).await?.rows_affected();
    }
    Ok(touched)
}

/// The statements that ask for these keys. PostgreSQL gets them all as one array: one text for every length, one value to
/// bind, and a plan that looks the keys up by their index however many there are; few keys are filled up, too
/// ([`PLANNED`]). SQLite gets lists of a power of two;
/// the last is filled up with its last key, which changes no answer.
fn lists(
    backend: DatabaseBackend,
    text: &str,
    fixed: &[Value],
    keys: impl IntoIterator<Item = Value>,
) -> Vec<Statement> {
    let keys: Vec<Value> = keys.into_iter().collect();
    if backend == DatabaseBackend::Postgres {
        return array(text, fixed, keys).into_iter().collect();
    }
    let mut statements = Vec::new();
    for chunk in keys.chunks(LARGEST) {
        let Some(last) = chunk.last() else { continue };
        let length = chunk.len().next_power_of_two();
        let mut list = String::with_capacity(length * 5);
        for at in 0..length {
            let _ = write!(list, "{}${}", if at == 0 { "" } else { ", " }, fixed.len() + at + 1);
        }
        let mut values = fixed.to_vec();
        values.extend_from_slice(chunk);
        values.resize(fixed.len() + length, last.clone());
        statements.push(Statement::from_sql_and_values(backend, text.replace("{in}", &list), values));
    }
    statements
}

/// PostgreSQL takes an array that it does not see yet for one of ten keys, and makes a plan anew for every shorter one,
/// which seems cheaper to it and costs more than looking the keys up. A key that is there twice is looked up once.
const PLANNED: usize = 16;

/// The statement for PostgreSQL; none without keys. All keys are of the first one's kind.
fn array(text: &str, fixed: &[Value], mut keys: Vec<Value>) -> Option<Statement> {
    let kind = match keys.first()? {
        Value::BigInt(_) => ArrayType::BigInt,
        _ => ArrayType::String,
    };
    if let Some(last) = keys.last().cloned()
        && keys.len() < PLANNED
    {
        keys.resize(PLANNED, last);
    }
    let text = text.replace("IN ({in})", &format!("= ANY(${})", fixed.len() + 1));
    let mut values = fixed.to_vec();
    values.push(Value::Array(kind, Some(Box::new(keys))));
    Some(Statement::from_sql_and_values(DatabaseBackend::Postgres, text, values))
}

/// A statement for this connection's database.
pub(crate) fn statement<C: ConnectionTrait>(connection: &C, text: impl Into<String>, values: Vec<Value>) -> Statement {
    Statement::from_sql_and_values(connection.get_database_backend(), text, values)
}

/// SQL that is put together piece by piece, with its values.
#[derive(Debug, Default)]
pub(crate) struct Sql {
    text: String,
    values: Vec<Value>,
}

impl Sql {
    pub(crate) fn new(text: &str) -> Self {
        Self { text: text.to_owned(), values: Vec::new() }
    }

    /// Adds text as it is: never anything that came from outside.
    pub(crate) fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// Adds a placeholder and its value.
    pub(crate) fn bind(&mut self, value: impl Into<Value>) -> &mut Self {
        self.values.push(value.into());
        let _ = write!(self.text, "${}", self.values.len());
        self
    }

    /// Adds `($n, $n+1, ...)`; a list without members becomes one that nothing is in.
    pub(crate) fn bind_list(&mut self, values: impl IntoIterator<Item = Value>) -> &mut Self {
        let mut values = values.into_iter();
        let Some(first) = values.next() else { return self.push("(NULL)") };
        self.push("(").bind(first);
        for value in values {
            self.push(", ").bind(value);
        }
        self.push(")")
    }

    pub(crate) fn into_statement(self, backend: DatabaseBackend) -> Statement {
        Statement::from_sql_and_values(backend, self.text, self.values)
    }
}

/// Text as both databases can keep it: PostgreSQL knows no NUL inside a text, and a message with one must not be
/// refused for ever.
pub(crate) fn text(text: &str) -> Value {
    clean(text.to_owned()).into()
}

/// See [`text`].
pub(crate) fn clean(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}

/// [`text`] of what may be absent.
pub(crate) fn optional_text(value: Option<&str>) -> Value {
    value.map_or(Value::String(None), text)
}

/// The printed form of an id, a channel...
pub(crate) fn printed(value: impl Display) -> Value {
    value.to_string().into()
}

/// [`printed`] of what may be absent.
pub(crate) fn optional_printed(value: Option<impl Display>) -> Value {
    Value::String(value.map(|value| value.to_string()))
}

/// A count or a place as the database keeps it.
pub(crate) fn number(value: u64) -> Value {
    i64::try_from(value).unwrap_or(i64::MAX).into()
}

/// JSON, without NUL as [`text`] is: PostgreSQL keeps `\u0000`, and then refuses to look into the value.
pub(crate) fn json(value: &impl Serialize) -> Result<Value, StoreError> {
    let unwritable = |error| StoreError::Refused(format!("a value cannot be written as JSON: {error}"));
    let written = serde_json::to_string(value).map_err(unwritable)?;
    if !written.contains("\\u0000") {
        return Ok(written.into());
    }
    let cleaned = without_nul(serde_json::from_str(&written).map_err(unwritable)?);
    Ok(cleaned.to_string().into())
}

fn without_nul(value: serde_json::Value) -> serde_json::Value {
    use serde_json::Value as Json;
    match value {
        Json::String(text) => Json::String(clean(text)),
        Json::Array(items) => Json::Array(items.into_iter().map(without_nul).collect()),
        Json::Object(fields) => {
            Json::Object(fields.into_iter().map(|(name, value)| (clean(name), without_nul(value))).collect())
        }
        other => other,
    }
}

/// The serde name of an enum without fields (`waiting`, `pt-BR`...).
pub(crate) fn name(value: &impl Serialize) -> Result<String, StoreError> {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => Ok(name),
        _ => Err(StoreError::Refused("a name was expected".to_owned())),
    }
}

/// What a database error means to a caller: away, or refused.
pub fn failure(error: DbErr) -> StoreError {
    let away = match &error {
        DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => true,
        DbErr::Exec(RuntimeErr::SqlxError(cause)) | DbErr::Query(RuntimeErr::SqlxError(cause)) => match &**cause {
            sqlx::Error::Database(database) => database.code().is_some_and(|code| passes(&code)),
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => true,
            _ => false,
        },
        _ => false,
    };
    if away { StoreError::Unavailable(error.to_string()) } else { StoreError::Refused(error.to_string()) }
}

/// Whether an error of this code passes by itself. PostgreSQL: connection, resources, operator intervention, locks, and
/// the state of a transaction, which is that of a server too: read only after a failover, or ended for being idle.
/// SQLite (fewer digits; the primary code is in the low byte): busy, locked, I/O, full, cannot open.
fn passes(code: &str) -> bool {
    if code.len() == 5 {
        return ["08", "25", "53", "57", "58", "40", "55"].iter().any(|class| code.starts_with(class));
    }
    matches!(code.parse::<u32>().map(|code| code & 0xff), Ok(5 | 6 | 10 | 13 | 14))
}

/// Whether the commit came too late: a unique key is taken, or PostgreSQL chose it as the victim of a deadlock.
pub(crate) fn is_conflict(error: &DbErr) -> bool {
    if matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))) {
        return true;
    }
    has_code(error, &["40001", "40P01"])
}

/// Whether a statement that guards itself ([`Guard::Statement`]) found rows missing.
pub(crate) fn lacks_rows(error: &DbErr) -> bool {
    has_code(error, &["22P02"]) && error.to_string().contains(columns::LACKING)
}

/// Whether PostgreSQL gave up waiting for a lock.
pub(crate) fn is_locked_out(error: &DbErr) -> bool {
    has_code(error, &["55P03"])
}

fn has_code(error: &DbErr, codes: &[&str]) -> bool {
    match error {
        DbErr::Exec(RuntimeErr::SqlxError(cause)) | DbErr::Query(RuntimeErr::SqlxError(cause)) => {
            matches!(&**cause, sqlx::Error::Database(database)
                if database.code().is_some_and(|code| codes.contains(&&*code)))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_cut_into_few_sizes() {
        let sizes = |mut count: usize| {
            let mut sizes = Vec::new();
            while count > 0 {
                let chunk = largest_chunk(count);
                sizes.push(chunk);
                count -= chunk;
            }
            sizes
        };
        assert_eq!(sizes(1), [1]);
        assert_eq!(sizes(7), [4, 2, 1]);
        assert_eq!(sizes(300), [256, 32, 8, 4]);
    }

    #[test]
    fn json_is_kept_without_nul_and_words_that_look_like_one_stay() {
        let plain = ["a", "b\\u0000"];
        assert_eq!(json(&plain), Ok(r#"["a","b\\u0000"]"#.into()));
        let hostile = serde_json::json!({ "reason": "b\0d", "more": ["\\u0000", "\0"] });
        assert_eq!(json(&hostile), Ok("{\"more\":[\"\\\\u0000\",\"\u{fffd}\"],\"reason\":\"b\u{fffd}d\"}".into()));
    }

    #[test]
    fn lists_are_filled_up_with_their_last_key() {
        let made = lists(DatabaseBackend::Sqlite, "x IN ({in})", &[1i64.into()], ["a", "b", "c"].map(Value::from));
        assert_eq!(made.len(), 1);
        assert_eq!(made[0].sql, "x IN ($2, $3, $4, $5)");
        assert_eq!(made[0].values.as_ref().map(|values| values.0[4].clone()), Some(Value::from("c")));
    }

    #[test]
    fn postgresql_gets_its_keys_in_one_array() {
        let made = lists(DatabaseBackend::Postgres, "x IN ({in})", &[1i64.into()], ["a", "b", "c"].map(Value::from));
        assert_eq!(made.len(), 1);
        assert_eq!(made[0].sql, "x = ANY($2)");
        let keys = made[0].values.as_ref().map(|values| values.0[1].clone());
        let Some(Value::Array(ArrayType::String, Some(keys))) = keys else { panic!("{keys:?}") };
        assert_eq!((keys.len(), keys[..3].to_vec()), (PLANNED, ["a", "b", "c"].map(Value::from).to_vec()));
        assert!(keys[3..].iter().all(|key| *key == Value::from("c")));
        let none = lists(DatabaseBackend::Postgres, "x IN ({in})", &[], []);
        assert!(none.is_empty());
    }

    #[test]
    fn codes_of_both_databases_are_told_apart() {
        for away in ["08006", "25006", "25P03", "53300", "57P01", "40P01", "5", "517", "13", "10"] {
            assert!(passes(away), "{away}");
        }
        for refused in ["23505", "42P01", "22021", "19", "2067", "1555", "1"] {
            assert!(!passes(refused), "{refused}");
        }
    }
}
