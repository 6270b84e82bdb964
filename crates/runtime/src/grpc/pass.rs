//! The pass by which the services of one mesh know each other. A gRPC call names organization, actor and role in its
//! body, so only a service of the mesh may make it; health and reflection stay open for probes and people.

use axum::{Router, extract::Request, http::header, middleware, response::IntoResponse as _};
use ring::hmac;
use tonic::metadata::{Ascii, MetadataValue};

use crate::metrics::Metrics;

/// The pass of one mesh: derived from a secret that all its services have.
#[derive(Clone)]
pub struct MeshPass(String);

impl std::fmt::Debug for MeshPass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MeshPass")
    }
}

impl MeshPass {
    /// The pass that comes from `secret`, which may have other uses: the derivation keeps them apart.
    pub fn of(secret: &[u8]) -> Self {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, secret), b"afluente/mesh-pass/v1");
        let digits = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        Self(format!("Bearer {digits}"))
    }

    /// The same routes, for callers with this pass only; others hear `UNAUTHENTICATED`.
    pub fn guard(&self, routes: Router) -> Router {
        // Comparing digests keeps the comparison's time from telling anything.
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.0.as_bytes());
        let expected = hmac::sign(&key, self.0.as_bytes());
        routes.layer(middleware::from_fn(move |request: Request, next: middleware::Next| {
            let given = request.headers().get(header::AUTHORIZATION).map(|value| value.as_bytes().to_vec());
            let known = given.is_some_and(|given| hmac::verify(&key, &given, expected.as_ref()).is_ok());
            async move {
                if known {
                    next.run(request).await
                } else {
                    let refusal = tonic::Status::unauthenticated("only services of this mesh may call");
                    refusal.into_http::<axum::body::Body>().into_response()
                }
            }
        }))
    }
}

/// Who makes calls: what they are counted in, and the pass that goes along.
#[derive(Clone)]
pub(super) struct Caller {
    pub(super) metrics: Metrics,
    pub(super) pass: Option<MetadataValue<Ascii>>,
}

impl Caller {
    pub(super) const fn new(metrics: Metrics) -> Self {
        Self { metrics, pass: None }
    }

    pub(super) fn carry(&mut self, pass: &MeshPass) {
        self.pass = pass.0.parse().ok();
    }
}
