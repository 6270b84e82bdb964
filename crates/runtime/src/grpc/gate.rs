//! The gate over gRPC.

use std::sync::Arc;

use async_trait::async_trait;
use domain::{Class, Code, Refusal, SendRequest, Timestamp, error::codes};
use ports::apis::{GateApi, Verdict};
use tonic::{Request, Response, Status, transport::Channel};
use wire::pb::session::v1::{
    CheckRequest, CheckResponse, MayGo, MayNotGo, check_response,
    gate_client::GateClient as Generated,
    gate_server::{Gate, GateServer},
};

use super::{InvalidAddress, MeshPass, connect, make_call, pass::Caller, serve_call, undecodable};
use crate::metrics::Metrics;

const CHECK: &str = "afluente.session.v1.Gate/Check";

struct Server {
    api: Arc<dyn GateApi>,
    metrics: Metrics,
}

/// The gate's gRPC service, for [`crate::Service::grpc`].
pub fn gate_server(api: Arc<dyn GateApi>, metrics: Metrics) -> axum::Router {
    tonic::service::Routes::new(GateServer::new(Server { api, metrics })).into_axum_router()
}

#[async_trait]
impl Gate for Server {
    async fn check(&self, request: Request<CheckRequest>) -> Result<Response<CheckResponse>, Status> {
        let (metadata, _, body) = request.into_parts();
        let api = Arc::clone(&self.api);
        serve_call(CHECK, &metadata, &self.metrics, async move {
            let request =
                body.request.ok_or_else(|| Refusal::new(Class::Invalid, codes::BAD_REQUEST, "'request' is missing"))?;
            let request = SendRequest::try_from(request).map_err(|error| undecodable(&error))?;
            let verdict = match api.check(&request).await? {
                Verdict::Permit { window_closes_at } => {
                    check_response::Verdict::MayGo(MayGo { window_closes_at: window_closes_at.map(Timestamp::millis) })
                }
                Verdict::Refuse { code, window_closed_at } => check_response::Verdict::MayNotGo(MayNotGo {
                    code: code.as_str().to_owned(),
                    window_closed_at: window_closed_at.map(Timestamp::millis),
                }),
            };
            Ok(CheckResponse { verdict: Some(verdict) })
        })
        .await
    }
}

/// The gate at the other end of a connection.
#[derive(Clone)]
pub struct GateClient {
    inner: Generated<Channel>,
    caller: Caller,
}

impl GateClient {
    /// A client for `http://host:port`; see [`super::RouterClient::connect`].
    ///
    /// # Errors
    /// When the address is not a URL.
    pub fn connect(address: &str, metrics: Metrics) -> Result<Self, InvalidAddress> {
        Ok(Self { inner: Generated::new(connect(address)?), caller: Caller::new(metrics) })
    }

    /// The same client, showing the mesh's pass with every call.
    #[must_use]
    pub fn with_pass(mut self, pass: &MeshPass) -> Self {
        self.caller.carry(pass);
        self
    }
}

#[async_trait]
impl GateApi for GateClient {
    async fn check(&self, request: &SendRequest) -> Result<Verdict, Refusal> {
        let mut client = self.inner.clone();
        let question = CheckRequest { request: Some(request.into()) };
        let answer = make_call(CHECK, &self.caller, question, |request| async move { client.check(request).await });
        match answer.await?.verdict {
            Some(check_response::Verdict::MayGo(go)) => {
                Ok(Verdict::Permit { window_closes_at: go.window_closes_at.map(Timestamp::from_millis) })
            }
            Some(check_response::Verdict::MayNotGo(no)) => Ok(Verdict::Refuse {
                code: Code::read(no.code),
                window_closed_at: no.window_closed_at.map(Timestamp::from_millis),
            }),
            // A verdict of a newer release is not a yes.
            None => Err(Refusal::new(Class::Unavailable, codes::UNAVAILABLE, "the gate's answer is not known here")),
        }
    }
}
