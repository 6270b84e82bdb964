//! Who calls, and what they mean by it.

use std::sync::Arc;

use axum::{
    extract::{FromRequest, FromRequestParts, Request},
    http::{HeaderMap, StatusCode, header, request::Parts},
};
use domain::{EventId, OrganizationId, User};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error as _},
};
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
/// its own. The same key at another call, or with another body, is another intent: nobody is answered with what some
/// other command did.
pub(crate) struct Intent {
    key: String,
    /// Method and path: what is done, and to what.
    call: String,
    /// SHA-256 of the JSON body, hex; empty where the call takes none.
    body: String,
}

impl Intent {
    /// The key as the caller gave it.
    pub(crate) fn as_str(&self) -> &str {
        &self.key
    }

    /// The id of the command that this is, when `caller` means it.
    pub(crate) fn of(&self, caller: &Caller) -> EventId {
        let (organization, user) = (caller.organization().to_string(), caller.user.id.to_string());
        EventId::derive(&["intent", &organization, &user, &self.call, &self.body, &self.key])
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Intent {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let call = format!("{} {}", parts.method, parts.uri.path());
        let intent = |key| Self { key, call, body: String::new() };
        let Some(value) = parts.headers.get(IDEMPOTENCY_KEY) else {
            return Ok(intent(hex::encode(rand::random::<[u8; 16]>())));
        };
        match std::str::from_utf8(value.as_bytes()) {
            Ok(key) if !key.is_empty() && key.chars().count() <= LONGEST_KEY => Ok(intent(key.to_owned())),
            _ => Err(Problem::bad_request("Idempotency-Key: 1 to 128 characters, UTF-8")),
        }
    }
}

/// An intent with the JSON body that says what is meant.
pub(crate) struct Meant<T>(pub(crate) Intent, pub(crate) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Meant<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let mut intent = Intent::from_request_parts(&mut parts, state).await?;
        let request = Request::from_parts(parts, body);
        let JsonBody(Digested { body, digest }) = JsonBody::<Digested<T>>::from_request(request, state).await?;
        intent.body = digest;
        Ok(Self(intent, body))
    }
}

/// A body and the digest of what it says: spaces and the order of its fields do not count.
struct Digested<T> {
    body: T,
    digest: String,
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Digested<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut value = serde_json::Value::deserialize(deserializer)?;
        value.sort_all_objects();
        let digest = hex::encode(Sha256::digest(value.to_string()));
        let body = T::deserialize(value).map_err(D::Error::custom)?;
        Ok(Self { body, digest })
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
