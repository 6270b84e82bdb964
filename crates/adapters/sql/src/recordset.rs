//! Rows as one JSON value, for PostgreSQL's `json_populate_recordset`: it reads each column by the table's own type.

use std::fmt::Write as _;

use sea_orm::{DbErr, Value};
use serde::Serialize;

use crate::statement::Table;

/// `[{"column": value, ...}, ...]` of rows whose values stand one after the other.
///
/// # Errors
/// [`DbErr::Type`] when a value is of a kind that rows are not made of: it must not be lost as a null.
pub(crate) fn written(table: Table, values: &[Value]) -> Result<String, DbErr> {
    let mut text = String::with_capacity(values.len() * 48);
    text.push('[');
    for (at, row) in values.chunks(table.columns.len().max(1)).enumerate() {
        text.push_str(if at == 0 { "{" } else { ",{" });
        for (at, (column, value)) in table.columns.iter().zip(row).enumerate() {
            let comma = if at == 0 { "" } else { "," };
            let _ = write!(text, "{comma}\"{column}\":");
            put(&mut text, value).map_err(|kind| DbErr::Type(format!("{}.{column}: {kind}", table.name)))?;
        }
        text.push('}');
    }
    text.push(']');
    Ok(text)
}

/// The kinds of value that rows here are made of; see `rows.rs`. Fails with the kind of any other.
fn put(text: &mut String, value: &Value) -> Result<(), String> {
    match value {
        Value::BigInt(Some(number)) => drop(write!(text, "{number}")),
        Value::String(Some(words)) => put_json(text, words),
        // The input form of `bytea`.
        Value::Bytes(Some(bytes)) => {
            text.push_str("\"\\\\x");
            for byte in bytes {
                let _ = write!(text, "{byte:02x}");
            }
            text.push('"');
        }
        other if *other == other.as_null() => text.push_str("null"),
        other => return Err(format!("rows are not made of {:?}", other.as_null())),
    }
    Ok(())
}

fn put_json(text: &mut String, words: &impl Serialize) {
    // A string always becomes JSON.
    text.push_str(&serde_json::to_string(words).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_value_is_written_as_postgresql_reads_it() {
        let table = Table { name: "t", columns: &["a", "b"] };
        let values: Vec<Value> = vec![
            7i64.into(),
            "a \"word\"\nand é".into(),
            Value::BigInt(None),
            Value::String(None),
            i64::MIN.into(),
            vec![0u8, 255].into(),
        ];
        assert_eq!(
            written(table, &values).as_deref(),
            Ok("[{\"a\":7,\"b\":\"a \\\"word\\\"\\nand é\"},{\"a\":null,\"b\":null},\
             {\"a\":-9223372036854775808,\"b\":\"\\\\x00ff\"}]")
        );
        assert_eq!(written(table, &[]).as_deref(), Ok("[]"));
    }

    #[test]
    fn a_kind_that_rows_are_not_made_of_is_an_error_and_names_its_column() {
        let table = Table { name: "t", columns: &["a", "b"] };
        let error = written(table, &[1i64.into(), 1.5f64.into()]).map_err(|error| error.to_string());
        assert!(error.as_ref().is_err_and(|text| text.contains("t.b: rows are not made of Double")), "{error:?}");
        assert!(written(table, &[1i64.into(), Value::Double(None)]).is_ok(), "nothing is lost of a null");
    }
}
