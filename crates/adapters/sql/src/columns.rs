//! Rows as one array for each column, for PostgreSQL's `unnest`: nothing is written as text and parsed again, and one
//! statement serves any number of rows.

use std::fmt::Write as _;

use sea_orm::{DatabaseBackend, DbErr, Statement, Value, sea_query::ArrayType};

use crate::statement::Table;

/// Stands for a null: the arrays that can be bound have none. Unicode keeps this character free for such uses, and a text
/// that is nothing but it becomes a replacement character, as a NUL does.
const NO_TEXT: &str = "\u{ffff}";
/// Stands for a null among numbers. It is refused as a value of its own.
const NO_NUMBER: i64 = i64::MIN;

/// Rows for a table, their values one after the other, and what follows them in the statement.
#[derive(Debug)]
pub(crate) struct Rows {
    pub(crate) table: Table,
    pub(crate) tail: &'static str,
    pub(crate) values: Vec<Value>,
    /// Whether one that is not written, because of `tail`, refuses all that is written with it.
    pub(crate) whole: bool,
}

/// Who sees to it that nothing stands where rows are missing that must be [whole](Rows::whole).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Guard {
    /// The caller, who counts, and rolls its transaction back.
    Caller,
    /// The statement, which is a transaction by itself: it ends in an error that says [`LACKING`].
    Statement,
}

/// What PostgreSQL cannot read as a number when rows are missing, and names in its error and its log (its code is 22P02).
pub(crate) const LACKING: &str = "something moved on or was already carried out";

/// What the same statement does once the rows are written, and answers.
#[derive(Debug)]
pub(crate) struct Behind {
    /// The text of its parts, given the number of the arrays before its own.
    pub(crate) parts: fn(usize) -> String,
    /// The part whose rows are the answer.
    pub(crate) answer: &'static str,
    /// Its arrays.
    pub(crate) arrays: Vec<Value>,
}

/// The statement that inserts these rows, whose values stand one after the other; `tail` follows them.
///
/// # Errors
/// [`DbErr::Type`] when a value is of a kind that rows are not made of, or of another than those above it.
pub(crate) fn insert(table: Table, tail: &str, values: Vec<Value>) -> Result<Statement, DbErr> {
    let mut arrays = Vec::new();
    let text = insertion(table, tail, values, &mut arrays)?;
    Ok(Statement::from_sql_and_values(DatabaseBackend::Postgres, text, arrays))
}

/// One statement that inserts into several tables, in this order, and answers how many rows went into each, as `rows0`,
/// `rows1`...: in one row, or in each row of what is done behind them.
///
/// # Errors
/// As [`insert`].
pub(crate) fn insert_each(each: Vec<Rows>, behind: Option<Behind>, guard: Guard) -> Result<Statement, DbErr> {
    let (mut inserts, mut counts, mut whole) = (String::new(), String::new(), String::new());
    let mut arrays = Vec::new();
    for (at, rows) in each.into_iter().enumerate() {
        let comma = if at == 0 { "" } else { ", " };
        if rows.whole && guard == Guard::Statement {
            let and = if whole.is_empty() { "" } else { " AND " };
            let _ = write!(whole, "{and}(SELECT COUNT(*) FROM into{at}) = cardinality(${})", arrays.len() + 1);
        }
        let insert = insertion(rows.table, rows.tail, rows.values, &mut arrays)?;
        let _ = write!(inserts, "{comma}into{at} AS ({insert} RETURNING 1)");
        // Read one after the other, and PostgreSQL does each insert when it is first read. It promises no order: in another,
        // two commits could deadlock, and one of them would be tried again.
        let _ = write!(counts, "{comma}(SELECT COUNT(*) FROM into{at}) AS rows{at}");
    }
    if !whole.is_empty() {
        let _ = write!(counts, ", CAST(CASE WHEN {whole} THEN '1' ELSE '{LACKING}' END AS INTEGER) AS whole");
    }
    let text = match behind {
        None => format!("WITH {inserts} SELECT {counts}"),
        Some(Behind { parts, answer, arrays: more }) => {
            let parts = parts(arrays.len());
            arrays.extend(more);
            if inserts.is_empty() {
                format!("WITH {parts} SELECT * FROM {answer}")
            } else {
                // The left side of a join without a condition is read before the right one, and so done before it.
                format!(
                    "WITH {inserts}, done AS MATERIALIZED (SELECT {counts}), {parts} \
                     SELECT * FROM done LEFT JOIN {answer} ON TRUE"
                )
            }
        }
    };
    Ok(Statement::from_sql_and_values(DatabaseBackend::Postgres, text, arrays))
}

/// The text of an insert. Its arrays are added to those that are there, and numbered after them.
fn insertion(table: Table, tail: &str, values: Vec<Value>, arrays: &mut Vec<Value>) -> Result<String, DbErr> {
    let rows = values.len() / table.columns.len().max(1);
    let mut columns: Vec<Column> = table
        .columns
        .iter()
        .zip(&values)
        .map(|(name, first)| Column::of(first, rows).map_err(|kind| refused(table, name, &kind)))
        .collect::<Result<_, _>>()?;
    let mut values = values.into_iter();
    while values.len() > 0 {
        for ((column, name), value) in columns.iter_mut().zip(table.columns).zip(values.by_ref()) {
            column.push(value).map_err(|kind| refused(table, name, &kind))?;
        }
    }
    let text = text(table, &columns, tail, arrays.len());
    arrays.extend(columns.into_iter().map(|column| Value::Array(column.kind, Some(Box::new(column.values)))));
    Ok(text)
}

fn refused(table: Table, column: &str, kind: &str) -> DbErr {
    DbErr::Type(format!("{}.{column}: {kind}", table.name))
}

/// The same for every number of rows, so that it stays prepared.
fn text(table: Table, columns: &[Column], tail: &str, before: usize) -> String {
    let names = table.columns.join(", ");
    let (mut read, mut arrays) = (String::new(), String::new());
    for (at, (name, column)) in table.columns.iter().zip(columns).enumerate() {
        let comma = if at == 0 { "" } else { ", " };
        let kind = match column.kind {
            ArrayType::BigInt => {
                let _ = write!(read, "{comma}NULLIF({name}, {NO_NUMBER})");
                "bigint"
            }
            ArrayType::Bytes => {
                let _ = write!(read, "{comma}{name}");
                "bytea"
            }
            _ => {
                let _ = write!(read, "{comma}NULLIF({name}, '{NO_TEXT}')");
                "text"
            }
        };
        let _ = write!(arrays, "{comma}${}::{kind}[]", before + at + 1);
    }
    format!("INSERT INTO {} ({names}) SELECT {read} FROM unnest({arrays}) AS given ({names}) {tail}", table.name)
}

struct Column {
    kind: ArrayType,
    values: Vec<Value>,
}

impl Column {
    /// Empty, for values of the kind of `first`.
    fn of(first: &Value, rows: usize) -> Result<Self, String> {
        let kind = match first {
            Value::BigInt(_) => ArrayType::BigInt,
            Value::String(_) => ArrayType::String,
            Value::Bytes(Some(_)) => ArrayType::Bytes,
            other => return Err(format!("rows are not made of {:?}", other.as_null())),
        };
        Ok(Self { kind, values: Vec::with_capacity(rows) })
    }

    fn push(&mut self, value: Value) -> Result<(), String> {
        let present = match (&self.kind, value) {
            (ArrayType::BigInt, Value::BigInt(Some(NO_NUMBER))) => {
                return Err("the least of all numbers stands for none".to_owned());
            }
            (ArrayType::BigInt, Value::BigInt(None)) => NO_NUMBER.into(),
            (ArrayType::String, Value::String(None)) => NO_TEXT.into(),
            (ArrayType::String, Value::String(Some(text))) if text == NO_TEXT => "\u{fffd}".into(),
            (ArrayType::BigInt, value @ Value::BigInt(_))
            | (ArrayType::String, value @ Value::String(_))
            | (ArrayType::Bytes, value @ Value::Bytes(Some(_))) => value,
            (kind, other) => return Err(format!("{:?} among values of {kind:?}", other.as_null())),
        };
        self.values.push(present);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    const TABLE: Table = Table { name: "t", columns: &["a", "b", "c"] };

    fn array(kind: ArrayType, values: Vec<Value>) -> Value {
        Value::Array(kind, Some(Box::new(values)))
    }

    #[test]
    fn rows_become_columns() {
        let rows = vec![
            7i64.into(),
            "a \"word\"\nand é".into(),
            vec![0u8, 255].into(),
            Value::BigInt(None),
            Value::String(None),
            vec![1u8].into(),
        ];
        let made = insert(TABLE, "ON CONFLICT DO NOTHING", rows).unwrap();
        assert_eq!(
            made.sql,
            "INSERT INTO t (a, b, c) SELECT NULLIF(a, -9223372036854775808), NULLIF(b, '\u{ffff}'), c \
             FROM unnest($1::bigint[], $2::text[], $3::bytea[]) AS given (a, b, c) ON CONFLICT DO NOTHING"
        );
        let values = made.values.unwrap().0;
        assert_eq!(values[0], array(ArrayType::BigInt, vec![7i64.into(), i64::MIN.into()]));
        assert_eq!(values[1], array(ArrayType::String, vec!["a \"word\"\nand é".into(), "\u{ffff}".into()]));
        assert_eq!(values[2], array(ArrayType::Bytes, vec![vec![0u8, 255].into(), vec![1u8].into()]));
    }

    #[test]
    fn several_tables_are_one_statement_with_arrays_of_its_own() {
        let rows = |columns, value: Value| Rows {
            table: Table { name: "t", columns },
            tail: "TAIL",
            values: vec![value],
            whole: true,
        };
        let made =
            insert_each(vec![rows(&["a"], vec![1u8].into()), rows(&["b"], vec![2u8].into())], None, Guard::Caller)
                .unwrap();
        assert_eq!(
            made.sql,
            "WITH into0 AS (INSERT INTO t (a) SELECT a FROM unnest($1::bytea[]) AS given (a) TAIL RETURNING 1), \
             into1 AS (INSERT INTO t (b) SELECT b FROM unnest($2::bytea[]) AS given (b) TAIL RETURNING 1) \
             SELECT (SELECT COUNT(*) FROM into0) AS rows0, (SELECT COUNT(*) FROM into1) AS rows1"
        );
        assert_eq!(made.values.unwrap().0.len(), 2);
    }

    #[test]
    fn what_comes_behind_the_rows_is_read_after_them() {
        let rows = || {
            vec![Rows {
                table: Table { name: "t", columns: &["a"] },
                tail: "",
                values: vec![vec![1u8].into()],
                whole: true,
            }]
        };
        let behind = || {
            let parts = |before| format!("u AS (SELECT ${})", before + 1);
            Some(Behind { parts, answer: "u", arrays: vec![array(ArrayType::BigInt, vec![1i64.into()])] })
        };
        let made = insert_each(rows(), behind(), Guard::Statement).unwrap();
        assert_eq!(
            made.sql,
            "WITH into0 AS (INSERT INTO t (a) SELECT a FROM unnest($1::bytea[]) AS given (a)  RETURNING 1), \
             done AS MATERIALIZED (SELECT (SELECT COUNT(*) FROM into0) AS rows0, \
             CAST(CASE WHEN (SELECT COUNT(*) FROM into0) = cardinality($1) THEN '1' ELSE \
             'something moved on or was already carried out' END AS INTEGER) AS whole), u AS (SELECT $2) \
             SELECT * FROM done LEFT JOIN u ON TRUE"
        );
        assert_eq!(made.values.unwrap().0.len(), 2);
        assert_eq!(
            insert_each(Vec::new(), behind(), Guard::Statement).unwrap().sql,
            "WITH u AS (SELECT $1) SELECT * FROM u"
        );
    }

    #[test]
    fn what_stands_for_a_null_is_never_taken_for_one() {
        let two = Table { name: "t", columns: &["a"] };
        let made = insert(two, "", vec!["\u{ffff}".into(), "x\u{ffff}".into()]).unwrap();
        let kept = array(ArrayType::String, vec!["\u{fffd}".into(), "x\u{ffff}".into()]);
        assert_eq!(made.values.unwrap().0[0], kept);
        assert!(insert(two, "", vec![i64::MIN.into()]).is_err());
    }

    #[test]
    fn a_kind_that_rows_are_not_made_of_is_an_error_and_names_its_column() {
        let two = Table { name: "t", columns: &["a", "b"] };
        let error = insert(two, "", vec![1i64.into(), 1.5f64.into()]).unwrap_err().to_string();
        assert!(error.contains("t.b: rows are not made of Double"), "{error}");
        let error = insert(two, "", vec![1i64.into(), "x".into(), "y".into(), "z".into()]).unwrap_err().to_string();
        assert!(error.contains("t.a: String(None) among values of BigInt"), "{error}");
    }
}
