//! Rows that were read: a value by its column, and an error that names the column.

use std::{fmt::Display, str::FromStr};

use ports::StoreError;
use sea_orm::{QueryResult, TryGetable};
use serde::de::DeserializeOwned;

/// A row with typed access by column name.
pub(crate) struct Row(pub(crate) QueryResult);

impl Row {
    fn get<T: TryGetable>(&self, column: &str) -> Result<T, StoreError> {
        self.0.try_get("", column).map_err(|error| unreadable(column, error))
    }

    pub(crate) fn text(&self, column: &str) -> Result<String, StoreError> {
        self.get(column)
    }

    pub(crate) fn optional_text(&self, column: &str) -> Result<Option<String>, StoreError> {
        self.get(column)
    }

    pub(crate) fn integer(&self, column: &str) -> Result<i64, StoreError> {
        self.get(column)
    }

    pub(crate) fn optional_integer(&self, column: &str) -> Result<Option<i64>, StoreError> {
        self.get(column)
    }

    pub(crate) fn bytes(&self, column: &str) -> Result<Vec<u8>, StoreError> {
        self.get(column)
    }

    /// A number of any width.
    pub(crate) fn number<T: TryFrom<i64>>(&self, column: &str) -> Result<T, StoreError> {
        T::try_from(self.integer(column)?).map_err(|_| unreadable(column, "out of range"))
    }

    pub(crate) fn flag(&self, column: &str) -> Result<bool, StoreError> {
        Ok(self.integer(column)? != 0)
    }

    pub(crate) fn time(&self, column: &str) -> Result<domain::Timestamp, StoreError> {
        Ok(domain::Timestamp::from_millis(self.integer(column)?))
    }

    pub(crate) fn optional_time(&self, column: &str) -> Result<Option<domain::Timestamp>, StoreError> {
        Ok(self.optional_integer(column)?.map(domain::Timestamp::from_millis))
    }

    /// An id, a channel...
    pub(crate) fn parsed<T: FromStr<Err: Display>>(&self, column: &str) -> Result<T, StoreError> {
        self.text(column)?.parse().map_err(|error| unreadable(column, error))
    }

    pub(crate) fn optional_parsed<T: FromStr<Err: Display>>(&self, column: &str) -> Result<Option<T>, StoreError> {
        match self.optional_text(column)? {
            None => Ok(None),
            Some(text) => text.parse().map(Some).map_err(|error| unreadable(column, error)),
        }
    }

    pub(crate) fn json<T: DeserializeOwned>(&self, column: &str) -> Result<T, StoreError> {
        serde_json::from_str(&self.text(column)?).map_err(|error| unreadable(column, error))
    }

    pub(crate) fn optional_json<T: DeserializeOwned>(&self, column: &str) -> Result<Option<T>, StoreError> {
        match self.optional_text(column)? {
            None => Ok(None),
            Some(text) => serde_json::from_str(&text).map(Some).map_err(|error| unreadable(column, error)),
        }
    }

    /// An enum by its serde name.
    pub(crate) fn named<T: DeserializeOwned>(&self, column: &str) -> Result<T, StoreError> {
        named(self.text(column)?).map_err(|error| unreadable(column, error))
    }
}

/// An enum by its serde name.
pub(crate) fn named<T: DeserializeOwned>(name: String) -> Result<T, serde_json::Error> {
    serde_json::from_value(serde_json::Value::String(name))
}

fn unreadable(column: &str, error: impl Display) -> StoreError {
    StoreError::Refused(format!("column {column} cannot be read: {error}"))
}
