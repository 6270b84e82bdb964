//! Rows as one JSON value, for PostgreSQL's `json_populate_recordset`: it reads each column by the table's own type.

use std::fmt::Write as _;

use sea_orm::Value;
use serde::Serialize;

use crate::statement::Table;

/// `[{"column": value, ...}, ...]` of rows whose values stand one after the other.
pub(crate) fn written(table: Table, values: &[Value]) -> String {
    let mut text = String::with_capacity(values.len() * 48);
    text.push('[');
    for (at, row) in values.chunks(table.columns.len().max(1)).enumerate() {
        text.push_str(if at == 0 { "{" } else { ",{" });
        for (at, (column, value)) in table.columns.iter().zip(row).enumerate() {
            let comma = if at == 0 { "" } else { "," };
            let _ = write!(text, "{comma}\"{column}\":");
            put(&mut text, value);
        }
        text.push('}');
    }
    text.push(']');
    text
}

/// The kinds of value that rows here are made of; see `rows.rs`.
fn put(text: &mut String, value: &Value) {
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
        other => {
            debug_assert!(*other == other.as_null(), "a kind of value that rows are not made of: {other:?}");
            text.push_str("null");
        }
    }
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
            written(table, &values),
            "[{\"a\":7,\"b\":\"a \\\"word\\\"\\nand é\"},{\"a\":null,\"b\":null},\
             {\"a\":-9223372036854775808,\"b\":\"\\\\x00ff\"}]"
        );
        assert_eq!(written(table, &[]), "[]");
    }
}
