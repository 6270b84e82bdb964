//! The router over gRPC.

use std::sync::Arc;

use async_trait::async_trait;
use domain::{Class, Commanded, Done, Refusal, error::codes};
use ports::apis::RouterApi;
use tonic::{Request, Response, Status, transport::Channel};
use wire::pb::router::v1::{
    CommandRequest, CommandResponse,
    router_client::RouterClient as Generated,
    router_server::{Router, RouterServer},
};

use super::{InvalidAddress, MeshPass, connect, make_call, nonsense, pass::Caller, serve_call, undecodable};
use crate::metrics::Metrics;

const COMMAND: &str = "afluente.router.v1.Router/Command";

struct Server {
    api: Arc<dyn RouterApi>,
    metrics: Metrics,
}

/// The router's gRPC service, for [`crate::Service::grpc`].
pub fn router_server(api: Arc<dyn RouterApi>, metrics: Metrics) -> axum::Router {
    tonic::service::Routes::new(RouterServer::new(Server { api, metrics })).into_axum_router()
}

#[async_trait]
impl Router for Server {
    async fn command(&self, request: Request<CommandRequest>) -> Result<Response<CommandResponse>, Status> {
        let (metadata, _, body) = request.into_parts();
        let api = Arc::clone(&self.api);
        serve_call(COMMAND, &metadata, &self.metrics, async move {
            let commanded = body
                .commanded
                .ok_or_else(|| Refusal::new(Class::Invalid, codes::BAD_REQUEST, "'commanded' is missing"))?;
            let commanded = Commanded::try_from(commanded).map_err(|error| undecodable(&error))?;
            let done = api.command(commanded).await?;
            Ok(CommandResponse { done: Some((&done).into()) })
        })
        .await
    }
}

/// The router at the other end of a connection.
#[derive(Clone)]
pub struct RouterClient {
    inner: Generated<Channel>,
    caller: Caller,
}

impl RouterClient {
    /// A client for `http://host:port`. The connection is made when it is first used, and again when it is lost. Call
    /// it inside the tokio runtime.
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
impl RouterApi for RouterClient {
    async fn command(&self, command: Commanded) -> Result<Done, Refusal> {
        let mut client = self.inner.clone();
        let question = CommandRequest { commanded: Some((&command).into()) };
        let answer = make_call(COMMAND, &self.caller, question, |request| async move { client.command(request).await });
        Done::try_from(answer.await?.done.unwrap_or_default()).map_err(|error| nonsense(&error))
    }
}
