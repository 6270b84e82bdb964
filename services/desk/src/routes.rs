//! All routes of the desk, and their description.

use std::sync::Arc;

use axum::{
    Router,
    extract::DefaultBodyLimit,
    http::{HeaderValue, header},
    middleware::{from_fn, from_fn_with_state},
    response::Response,
    routing::get,
};
use bytes::Bytes;
use utoipa::{
    Modify, OpenApi,
    openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    JSON_LIMIT, caller, conversations, dto, error_pages, events,
    guard::guard,
    me, media, messages, page, parked,
    problem::{self, explain},
    sign_in,
    state::Shared,
    templates,
};

/// Room for a form's own words beside its file.
const FORM_OVERHEAD: u64 = 64 * 1024;
const PREFIX: &str = "/api/v1";

#[derive(OpenApi)]
#[openapi(
    info(title = "Afluente desk", description = "The desk's API. Live events are described in docs/api.md."),
    modifiers(&Doors),
    components(schemas(conversations::Order, dto::ParkedMoved, dto::SavedContact, parked::ParkedStanding)),
    security(("cookie" = []), ("bearer" = [])),
    tags(
        (name = "sessions", description = "Signing in and out"),
        (name = "me", description = "The caller, their seat and their colleagues"),
        (name = "conversations", description = "Conversations and what agents do with them"),
        (name = "messages", description = "Messages of a conversation"),
        (name = "parked", description = "Messages that could not go on, for supervisors"),
        (name = "media", description = "Files"),
        (name = "events", description = "Live events"),
    )
)]
struct Description;

struct Doors;

impl Modify for Doors {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let components = openapi.components.get_or_insert_default();
        let cookie = SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new(caller::COOKIE)));
        let bearer = SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build());
        components.add_security_scheme("cookie", cookie);
        components.add_security_scheme("bearer", bearer);
    }
}

/// The calls of the API with their description, under their prefix.
fn api(upload_limit: u64) -> (Router<Shared>, utoipa::openapi::OpenApi) {
    let json_limit = usize::try_from(JSON_LIMIT).unwrap_or(usize::MAX);
    let upload_limit = usize::try_from(upload_limit.saturating_add(FORM_OVERHEAD)).unwrap_or(usize::MAX);
    let files = OpenApiRouter::new().routes(routes!(media::upload)).layer(DefaultBodyLimit::max(upload_limit));
    // Its path holds slashes, which a description cannot say: it is routed by hand and described beside.
    let file = OpenApiRouter::with_openapi(described::<media::__path_read>("/media/{key}"))
        .route("/media/{*key}", get(media::read));
    let calls = OpenApiRouter::new()
        .routes(routes!(sign_in::create))
        .routes(routes!(sign_in::end))
        .routes(routes!(me::read))
        .routes(routes!(me::set_presence))
        .routes(routes!(me::set_language))
        .routes(routes!(me::agents))
        .routes(routes!(conversations::list))
        .routes(routes!(conversations::read))
        .routes(routes!(conversations::take))
        .routes(routes!(conversations::transfer))
        .routes(routes!(conversations::give_back))
        .routes(routes!(conversations::conclude))
        .routes(routes!(conversations::mark_read))
        .routes(routes!(messages::list, messages::send))
        .routes(routes!(messages::retry))
        .routes(routes!(messages::save_contact))
        .routes(routes!(parked::list))
        .routes(routes!(parked::causes))
        .routes(routes!(parked::redrive_all))
        .routes(routes!(parked::read))
        .routes(routes!(parked::redrive))
        .routes(routes!(parked::decide_one))
        .routes(routes!(parked::discard))
        .routes(routes!(templates::list))
        .routes(routes!(events::connect))
        .layer(DefaultBodyLimit::max(json_limit));
    let all = calls.merge(files).merge(file);
    let (router, description) = OpenApiRouter::with_openapi(Description::openapi()).nest(PREFIX, all).split_for_parts();
    (router, description)
}

fn described<P: utoipa::Path>(path: &str) -> utoipa::openapi::OpenApi {
    let item = utoipa::openapi::PathItem::new(utoipa::openapi::HttpMethod::Get, P::operation());
    let paths = utoipa::openapi::PathsBuilder::new().path(path, item).build();
    utoipa::openapi::OpenApiBuilder::new().paths(paths).build()
}

/// The API's description.
#[cfg(test)]
pub(crate) fn description() -> utoipa::openapi::OpenApi {
    api(1).1
}

/// Everything that the desk serves.
pub(crate) fn all(desk: &Shared) -> Router {
    let (calls, description) = api(desk.config.max_upload_bytes);
    let description = Bytes::from(description.to_json().unwrap_or_default());
    let json = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    let api = calls
        .route("/api/openapi.json", get(move || async move { (json, description) }))
        .route("/api/{*path}", axum::routing::any(problem::no_such_call))
        .method_not_allowed_fallback(problem::no_such_method)
        .layer(from_fn_with_state(Arc::clone(desk), guard))
        .layer(axum::middleware::map_response(private))
        .layer(from_fn(explain))
        .with_state(Arc::clone(desk));
    api.merge(page::routes()).merge(error_pages::routes())
}

/// What a call answers is for its caller alone.
async fn private(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.entry(header::X_CONTENT_TYPE_OPTIONS).or_insert(HeaderValue::from_static("nosniff"));
    response
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use std::collections::BTreeSet;

    /// The calls that docs/api.md names.
    fn documented() -> BTreeSet<(String, String)> {
        let rows = include_str!("../../../docs/api.md").lines().filter_map(|line| line.strip_prefix("| `"));
        let calls = rows.filter_map(|row| row.split('`').next()?.split_once(' '));
        calls
            .map(|(method, path)| (method.to_lowercase(), format!("/api/v1{}", path.split('?').next().unwrap_or(path))))
            .collect()
    }

    #[test]
    fn the_description_names_every_call_of_the_documents() {
        let description = serde_json::to_value(super::description()).unwrap();
        let paths = description["paths"].as_object().unwrap();
        let described: BTreeSet<_> = paths
            .iter()
            .flat_map(|(path, item)| item.as_object().unwrap().keys().map(|method| (method.clone(), path.clone())))
            .collect();
        assert_eq!(described, documented());
        assert!(described.len() >= 18, "{described:?}");
    }

    #[test]
    fn operations_have_names_of_their_own_and_say_where_their_parameters_are() {
        let description = serde_json::to_value(super::description()).unwrap();
        let mut names = BTreeSet::new();
        for (path, item) in description["paths"].as_object().unwrap() {
            for operation in item.as_object().unwrap().values() {
                let name = operation["operationId"].as_str().unwrap();
                assert!(names.insert(name.to_owned()), "{name} twice");
                let parameters = operation["parameters"].as_array().map_or(&[][..], Vec::as_slice);
                let in_path = parameters.iter().filter(|parameter| parameter["in"] == "path");
                let described: BTreeSet<_> = in_path.map(|parameter| parameter["name"].as_str().unwrap()).collect();
                let held = path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
                assert_eq!(described, held.collect(), "{path}");
            }
        }
    }

    #[test]
    fn what_is_always_answered_is_required() {
        let description = serde_json::to_value(super::description()).unwrap();
        // Said by callers too, who may leave out what has a default.
        let said = ["Card", "ChoiceOption", "Draft", "MediaDraft", "NewDecision", "NewMessage", "Redrive", "Selection"];
        for (name, schema) in description["components"]["schemas"].as_object().unwrap() {
            let variants = schema["oneOf"].as_array().map_or(&[][..], Vec::as_slice);
            for object in variants.iter().chain([schema]).filter(|_| !said.contains(&name.as_str())) {
                let required = object["required"].as_array().map_or(&[][..], Vec::as_slice);
                for field in object["properties"].as_object().into_iter().flat_map(serde_json::Map::keys) {
                    assert!(required.iter().any(|one| one == field), "{name}.{field}");
                }
            }
        }
    }

    #[test]
    fn the_page_was_made_for_this_description() {
        let kept: serde_json::Value = serde_json::from_str(include_str!("../web/openapi.json")).unwrap();
        let now = serde_json::to_value(super::description()).unwrap();
        assert!(kept == now, "refresh web/openapi.json, see web/README.md");
    }

    #[test]
    fn every_reference_of_the_description_leads_somewhere() {
        let description = serde_json::to_value(super::description()).unwrap();
        let mut open = vec![&description];
        let mut seen = BTreeSet::new();
        while let Some(value) = open.pop() {
            if let Some(target) = value.get("$ref").and_then(|target| target.as_str()) {
                assert!(description.pointer(target.trim_start_matches('#')).is_some(), "{target}");
                seen.insert(target.to_owned());
            }
            match value {
                serde_json::Value::Object(fields) => open.extend(fields.values()),
                serde_json::Value::Array(items) => open.extend(items),
                _ => {}
            }
        }
        for schema in ["Conversation", "Message", "Content", "Me", "Seat", "ProblemDetails", "Draft"] {
            assert!(seen.contains(&format!("#/components/schemas/{schema}")), "{schema} of {seen:?}");
        }
        // The whole surface asks for a sign-in, but for the one call that makes it.
        assert_eq!(description["security"].as_array().unwrap().len(), 2);
        assert_eq!(description["paths"]["/api/v1/sessions"]["post"]["security"], serde_json::json!([{}]));
    }
}
