//! The nine classes of [`domain::Class`] as HTTP and gRPC statuses, and refusals as problem details. The one place.

use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use domain::{Class, Code, Refusal, error::codes};
use ports::StoreError;
use serde::Serialize;

/// The HTTP status of a class.
pub const fn http_status(class: Class) -> StatusCode {
    match class {
        Class::Invalid => StatusCode::BAD_REQUEST,
        Class::Unauthenticated => StatusCode::UNAUTHORIZED,
        Class::Forbidden => StatusCode::FORBIDDEN,
        Class::NotFound => StatusCode::NOT_FOUND,
        Class::Conflict => StatusCode::CONFLICT,
        Class::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Class::Throttled => StatusCode::TOO_MANY_REQUESTS,
        Class::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Class::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The gRPC status of a class.
pub const fn grpc_code(class: Class) -> tonic::Code {
    match class {
        Class::Invalid => tonic::Code::InvalidArgument,
        Class::Unauthenticated => tonic::Code::Unauthenticated,
        Class::Forbidden => tonic::Code::PermissionDenied,
        Class::NotFound => tonic::Code::NotFound,
        Class::Conflict => tonic::Code::FailedPrecondition,
        Class::TooLarge => tonic::Code::OutOfRange,
        Class::Throttled => tonic::Code::ResourceExhausted,
        Class::Unavailable => tonic::Code::Unavailable,
        Class::Internal => tonic::Code::Internal,
    }
}

/// The class of a gRPC status of somebody who does not speak in refusals.
pub const fn class_of(code: tonic::Code) -> Class {
    match code {
        tonic::Code::InvalidArgument => Class::Invalid,
        tonic::Code::Unauthenticated => Class::Unauthenticated,
        tonic::Code::PermissionDenied => Class::Forbidden,
        tonic::Code::NotFound => Class::NotFound,
        tonic::Code::FailedPrecondition | tonic::Code::AlreadyExists | tonic::Code::Aborted => Class::Conflict,
        tonic::Code::OutOfRange => Class::TooLarge,
        tonic::Code::ResourceExhausted => Class::Throttled,
        tonic::Code::Unavailable | tonic::Code::DeadlineExceeded | tonic::Code::Cancelled => Class::Unavailable,
        _ => Class::Internal,
    }
}

/// A gRPC status by its name in the conventions (`OK`, `UNAVAILABLE`).
pub const fn grpc_name(code: tonic::Code) -> &'static str {
    match code {
        tonic::Code::Ok => "OK",
        tonic::Code::Cancelled => "CANCELLED",
        tonic::Code::Unknown => "UNKNOWN",
        tonic::Code::InvalidArgument => "INVALID_ARGUMENT",
        tonic::Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        tonic::Code::NotFound => "NOT_FOUND",
        tonic::Code::AlreadyExists => "ALREADY_EXISTS",
        tonic::Code::PermissionDenied => "PERMISSION_DENIED",
        tonic::Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        tonic::Code::FailedPrecondition => "FAILED_PRECONDITION",
        tonic::Code::Aborted => "ABORTED",
        tonic::Code::OutOfRange => "OUT_OF_RANGE",
        tonic::Code::Unimplemented => "UNIMPLEMENTED",
        tonic::Code::Internal => "INTERNAL",
        tonic::Code::Unavailable => "UNAVAILABLE",
        tonic::Code::DataLoss => "DATA_LOSS",
        tonic::Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// The code that stands for a class when nothing better is known.
pub const fn default_code(class: Class) -> Code {
    match class {
        Class::Invalid => codes::BAD_REQUEST,
        Class::Unauthenticated => codes::NOT_SIGNED_IN,
        Class::Forbidden => codes::NOT_PERMITTED,
        Class::NotFound => codes::NOT_FOUND,
        Class::Conflict => codes::CHANGED_MEANWHILE,
        Class::TooLarge => codes::TOO_LARGE,
        Class::Throttled => codes::TOO_MANY_ATTEMPTS,
        Class::Unavailable => codes::UNAVAILABLE,
        Class::Internal => codes::INTERNAL,
    }
}

/// The refusal that a store's error means to a caller. The error's own text is for the log: it may name hosts.
pub fn of_store(error: &StoreError) -> Refusal {
    match error {
        StoreError::Unavailable(_) => {
            Refusal::new(Class::Unavailable, codes::UNAVAILABLE, "the store is not reachable; try again")
        }
        StoreError::Refused(_) => Refusal::new(Class::Internal, codes::INTERNAL, "the store refused the statement"),
    }
}

/// The members of an RFC 9457 problem.
#[derive(Debug, Serialize)]
struct Problem<'a> {
    r#type: String,
    title: &'a str,
    status: u16,
    code: &'a str,
    detail: &'a str,
    trace_id: Option<&'a str>,
}

/// A refusal as RFC 9457 problem details, with an English title made from the code.
pub fn problem(refusal: &Refusal, trace_id: Option<&str>) -> Response {
    problem_titled(refusal, &title(&refusal.code), trace_id)
}

/// A refusal as RFC 9457 problem details, with a title in the caller's language.
pub fn problem_titled(refusal: &Refusal, title: &str, trace_id: Option<&str>) -> Response {
    let status = http_status(refusal.class);
    let code = refusal.code.as_str();
    let problem = Problem {
        r#type: format!("/errors/{code}"),
        title,
        status: status.as_u16(),
        code,
        detail: &refusal.detail,
        trace_id,
    };
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/problem+json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

fn title(code: &Code) -> String {
    let mut words = code.as_str().replace('_', " ");
    if let Some(first) = words.get_mut(0..1) {
        first.make_ascii_uppercase();
    }
    words
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    const CLASSES: [Class; 9] = [
        Class::Invalid,
        Class::Unauthenticated,
        Class::Forbidden,
        Class::NotFound,
        Class::Conflict,
        Class::TooLarge,
        Class::Throttled,
        Class::Unavailable,
        Class::Internal,
    ];

    #[test]
    fn each_class_has_its_own_statuses_and_comes_back() {
        let mut seen = std::collections::BTreeSet::new();
        for class in CLASSES {
            assert!(seen.insert(http_status(class).as_u16()), "{class:?}");
            assert_eq!(class_of(grpc_code(class)), class);
        }
    }

    #[tokio::test]
    async fn a_refusal_is_a_problem_with_a_stable_code() {
        let refusal = Refusal::new(Class::Conflict, codes::ALREADY_TAKEN, "Ana has it");
        let response = problem(&refusal, Some("4bf92f3577b34da6a3ce929d0e0e4736"));
        assert_eq!(response.status(), 409);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        let body = axum::body::to_bytes(response.into_body(), 4096).await.unwrap();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        let expected = serde_json::json!({
            "type": "/errors/already_taken", "title": "Already taken", "status": 409, "code": "already_taken",
            "detail": "Ana has it", "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        });
        assert_eq!(body, expected);
    }
}
