//! The gRPC services of the process behind the same listener, found by their names.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Router,
    extract::Request,
    http::header,
    response::{IntoResponse as _, Response},
};
use tower::ServiceExt as _;

use super::{ServeError, health::Health};
use crate::service::Service;

/// Picks one of several services of the process that serve the same gRPC service.
const PICK: &str = "afluente-service";

/// Full name of a gRPC service → the services of the process that serve it.
#[derive(Clone)]
pub(super) struct GrpcRoutes(Arc<BTreeMap<String, Vec<(String, Router)>>>);

impl GrpcRoutes {
    /// The services' own, and health and reflection.
    pub(super) fn of(services: &[Service], health: &Health) -> Result<Self, ServeError> {
        let mut routes: BTreeMap<String, Vec<(String, Router)>> = BTreeMap::new();
        for service in services {
            let Some(router) = &service.grpc else { continue };
            for name in &service.grpc_names {
                routes.entry(name.clone()).or_default().push((service.name.clone(), router.clone()));
            }
        }
        let mut reflected: Vec<String> = routes.keys().cloned().collect();
        reflected.push("grpc.health.v1.Health".to_owned());
        let own = [
            ("grpc.health.v1.Health", health.grpc()),
            ("grpc.reflection.v1.ServerReflection", reflection(&reflected, true)?),
            ("grpc.reflection.v1alpha.ServerReflection", reflection(&reflected, false)?),
        ];
        for (name, router) in own {
            routes.insert(name.to_owned(), vec![(String::new(), router)]);
        }
        Ok(Self(Arc::new(routes)))
    }

    fn find(&self, path: &str, pick: Option<&str>) -> Option<Router> {
        let name = path.strip_prefix('/')?.split('/').next()?;
        let serving = self.0.get(name)?;
        let picked = pick.and_then(|pick| serving.iter().find(|(service, _)| service == pick));
        picked.or_else(|| serving.first()).map(|(_, router)| router.clone())
    }
}

fn reflection(names: &[String], newest: bool) -> Result<Router, ServeError> {
    let mut builder = tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(wire::pb::DESCRIPTORS)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET);
    for name in names {
        builder = builder.with_service_name(name);
    }
    let failed = |error: tonic_reflection::server::Error| ServeError::Reflection(error.to_string());
    Ok(if newest {
        tonic::service::Routes::new(builder.build_v1().map_err(failed)?).into_axum_router()
    } else {
        tonic::service::Routes::new(builder.build_v1alpha().map_err(failed)?).into_axum_router()
    })
}

/// Whether a request is a gRPC call.
pub(super) fn is_grpc(request: &Request) -> bool {
    let mime = request.headers().get(header::CONTENT_TYPE);
    mime.is_some_and(|mime| mime.as_bytes().starts_with(b"application/grpc"))
}

/// Sends a gRPC call to its service.
pub(super) async fn call(routes: &GrpcRoutes, request: Request) -> Response {
    let pick = request.headers().get(PICK).and_then(|value| value.to_str().ok());
    let Some(router) = routes.find(request.uri().path(), pick) else {
        return tonic::Status::unimplemented("no such service here").into_http::<axum::body::Body>().into_response();
    };
    match router.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}
