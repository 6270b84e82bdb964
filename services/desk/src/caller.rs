//! Who calls, and what they mean by it.

use std::sync::Arc;

use axum::{
    extract::{FromRequest, FromRequestParts, Request},
    http::{HeaderMap, StatusCode, header, request::Parts},
};
use domain::{EventId, OrganizationId, User};
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use crate::{names::Names, problem::Problem, state::Shared, visibility::Viewer};

/// The name of the cookie.
pub(crate) const COOKIE: &str = "afluente_session";
/// The header that names an intent.
pub(crate) const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// The longest intent.
const LONGEST_KEY: usize = 128;

/// Somebody who is signed in, as the directory knows them now.
pub(crate) struct Caller {
    /// Who.
    pub(crate) user: User,
    /// What they may see.
    pub(crate) viewer: Viewer,
    /// Their organization's names.
    pub(crate) names: Arc<Names>,
    /// SHA-256 of their token, hex.
    pub(crate) token_hash: String,
}

impl Caller {
    pub(crate) fn organization(&self) -> OrganizationId {
        self.user.organization
    }

    /// Whose token this is; none when it is nobody's, has ended, or its owner was deactivated.
    pub(crate) async fn by_token_hash(desk: &Shared, token_hash: String) -> Result<Option<Self>, Problem> {
        let Some(sign_in) = desk.env.sign_ins.find(&token_hash, desk.env.clock.now()).await? else {
            return Ok(None);
        };
        let names = desk.book.of(sign_in.organization).await?;
        let user = names.users.get(&sign_in.user).filter(|user| user.active).cloned();
        Ok(user.map(|user| Self { viewer: Viewer::new(&user, &names), user, names, token_hash }))
    }
}

impl FromRequestParts<Shared> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, desk: &Shared) -> Result<Self, Problem> {
        let token = token(&parts.headers).ok_or_else(Problem::not_signed_in)?;
        Self::by_token_hash(desk, hash_token(token)).await?.ok_or_else(Problem::not_signed_in)
    }
}

/// SHA-256 of a token, hex: all that is kept of it.
pub(crate) fn hash_token(token: &str) -> String {
    hex::encode(Sha256::digest(token.as_bytes()))
}

/// The bearer token, else the cookie's.
pub(crate) fn token(headers: &HeaderMap) -> Option<&str> {
    bearer(headers).or_else(|| {
        let pairs = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs = pairs.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(name, _)| *name == COOKIE).map(|(_, value)| value)
    })
}

/// The token of an `Authorization: Bearer` header.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// One intent of a person: repeating a call with it changes nothing more. A call without the header is an intent of
/// its own.
pub(crate) struct Intent(String);

impl Intent {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The id of the command that this is, when `caller` means it.
    pub(crate) fn of(&self, caller: &Caller) -> EventId {
        EventId::derive(&[&caller.organization().to_string(), &caller.user.id.to_string(), &self.0])
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Intent {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get(IDEMPOTENCY_KEY) else {
            return Ok(Self(hex::encode(rand::random::<[u8; 16]>())));
        };
        match std::str::from_utf8(value.as_bytes()) {
            Ok(key) if !key.is_empty() && key.chars().count() <= LONGEST_KEY => Ok(Self(key.to_owned())),
            _ => Err(Problem::bad_request("Idempotency-Key: 1 to 128 characters, UTF-8")),
        }
    }
}

/// A JSON body, whose faults are told as problem details.
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        match axum::Json::<T>::from_request(request, state).await {
            Ok(axum::Json(body)) => Ok(Self(body)),
            Err(fault) if fault.status() == StatusCode::PAYLOAD_TOO_LARGE => Err(Problem::too_large(crate::JSON_LIMIT)),
            Err(fault) => Err(Problem::bad_request(fault.body_text())),
        }
    }
}

/// A query string, whose faults are told as problem details.
pub(crate) struct QueryOf<T>(pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for QueryOf<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let query = axum::extract::Query::<T>::from_request_parts(parts, state).await;
        query.map(|axum::extract::Query(query)| Self(query)).map_err(|fault| Problem::bad_request(fault.body_text()))
    }
}
