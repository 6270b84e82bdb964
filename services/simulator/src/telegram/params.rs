//! A method's parameters: JSON, a form, a multipart form with one file, or the query.

use axum::{
    body::{Bytes, to_bytes},
    extract::{FromRequest as _, Multipart, Query, Request},
    http::header,
};
use serde_json::{Map, Value, json};

use crate::world::StoredFile;

/// The parameters of one call.
#[derive(Default)]
pub(super) struct Params {
    fields: Map<String, Value>,
    /// The field's name and the file.
    pub(super) file: Option<(String, StoredFile)>,
}

impl Params {
    pub(super) async fn read(request: Request) -> Result<Self, String> {
        let mut params = Self::default();
        if let Ok(Query(query)) = Query::<Map<String, Value>>::try_from_uri(request.uri()) {
            params.fields.extend(query);
        }
        let kind =
            request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if kind.starts_with("multipart/form-data") {
            let form = Multipart::from_request(request, &()).await.map_err(|error| error.to_string())?;
            params.multipart(form).await?;
            return Ok(params);
        }
        let form = kind.starts_with("application/x-www-form-urlencoded");
        let body = to_bytes(request.into_body(), crate::LARGEST).await.map_err(|error| error.to_string())?;
        if form {
            let uri =
                format!("/?{}", String::from_utf8_lossy(&body)).parse().map_err(|_| "can't parse form".to_owned())?;
            let Query(fields) = Query::<Map<String, Value>>::try_from_uri(&uri).map_err(|error| error.to_string())?;
            params.fields.extend(fields);
        } else if !body.is_empty() {
            let fields: Map<String, Value> =
                serde_json::from_slice(&body).map_err(|error| format!("can't parse JSON: {error}"))?;
            params.fields.extend(fields);
        }
        Ok(params)
    }

    async fn multipart(&mut self, mut form: Multipart) -> Result<(), String> {
        while let Some(part) = form.next_field().await.map_err(|error| error.to_string())? {
            let field = part.name().unwrap_or_default().to_owned();
            let name = part.file_name().map(str::to_owned);
            let mime = part.content_type().map(str::to_owned);
            let bytes: Bytes = part.bytes().await.map_err(|error| error.to_string())?;
            if name.is_some() {
                let mime = mime.unwrap_or_else(|| "application/octet-stream".to_owned());
                self.file = Some((field, StoredFile { mime, name, bytes }));
            } else {
                self.fields.insert(field, json!(String::from_utf8_lossy(&bytes)));
            }
        }
        Ok(())
    }

    /// A parameter; one that is JSON in a string, as forms have them, is read.
    pub(super) fn get(&self, name: &str) -> Option<Value> {
        let value = self.fields.get(name)?;
        match value.as_str() {
            Some(text) if text.starts_with(['{', '[']) => {
                Some(serde_json::from_str(text).unwrap_or_else(|_| value.clone()))
            }
            _ => Some(value.clone()),
        }
    }

    /// A parameter as text.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        match self.fields.get(name)? {
            Value::String(text) if !text.is_empty() => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// A parameter as a number.
    pub(super) fn number<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.text(name)?.parse().ok()
    }

    /// For the log: the fields, and the file by its name and size.
    pub(super) fn shown(&self) -> Value {
        let mut shown = self.fields.clone();
        if shown.contains_key("secret_token") {
            shown.insert("secret_token".to_owned(), json!("[secret]"));
        }
        if let Some((field, file)) = &self.file {
            shown.insert(field.clone(), json!({"name": file.name, "mime": file.mime, "size": file.bytes.len()}));
        }
        Value::Object(shown)
    }
}
