//! gRPC behind concrete types: servers over `dyn` APIs, clients that are such APIs. Tonic's generics are instantiated
//! here and nowhere else.
//!
//! A refusal travels as the gRPC status of its class with the whole refusal in the metadata, and comes back as the same
//! [`Refusal`]. The trace goes along in `traceparent`.

mod channel;
mod gate;
mod pass;
mod router;

use std::{collections::BTreeMap, future::Future, time::Duration};

use domain::{Class, Refusal, error::codes};
use tokio::time::Instant;
use tonic::{
    Request, Response, Status,
    metadata::{Ascii, MetadataKey, MetadataMap, MetadataValue},
    transport::{Channel, Endpoint},
};
use tracing::Instrument as _;

pub use channel::{AccountSummary, ChannelClient, ChannelInfo, Description, channel_server};
pub use gate::{GateClient, gate_server};
pub use pass::MeshPass;
pub use router::{RouterClient, router_server};

use crate::{
    metrics::Metrics,
    names::{label, metric},
    status, trace,
};

/// The full name of the router's service, for [`crate::Service::grpc_names`].
pub const ROUTER: &str = "afluente.router.v1.Router";
/// The full name of the gate's service.
pub const GATE: &str = "afluente.session.v1.Gate";
/// The full name of a channel's service.
pub const CHANNEL: &str = "afluente.channel.v1.Channel";

/// The stable code of a refusal, readable by any client.
const CODE: &str = "afluente-code";
/// The whole refusal, `afluente.common.v1.Refusal`.
const REFUSAL: &str = "afluente-refusal-bin";
/// How long a call may take unless the caller says otherwise.
const DEADLINE: Duration = Duration::from_secs(10);

/// An address that is not a URL of a gRPC server.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not the address of a gRPC server (http://host:port)")]
pub struct InvalidAddress(pub String);

/// A connection that is made when it is first used, and again when it is lost.
fn connect(address: &str) -> Result<Channel, InvalidAddress> {
    let endpoint = Endpoint::from_shared(address.to_owned()).map_err(|_| InvalidAddress(address.to_owned()))?;
    Ok(endpoint
        .timeout(DEADLINE)
        .connect_timeout(Duration::from_secs(3))
        .tcp_nodelay(true)
        .http2_keep_alive_interval(Duration::from_secs(20))
        .keep_alive_while_idle(true)
        .connect_lazy())
}

/// The gRPC status of a refusal.
pub fn to_status(refusal: &Refusal) -> Status {
    let mut metadata = MetadataMap::new();
    if let Ok(code) = MetadataValue::try_from(refusal.code.as_str()) {
        metadata.insert(CODE, code);
    }
    metadata.insert_bin(REFUSAL, MetadataValue::from_bytes(&wire::encode(refusal)));
    Status::with_metadata(status::grpc_code(refusal.class), refusal.detail.clone(), metadata)
}

/// The refusal that a gRPC status says.
pub fn to_refusal(answer: &Status) -> Refusal {
    let whole = answer.metadata().get_bin(REFUSAL).and_then(|value| value.to_bytes().ok());
    if let Some(refusal) = whole.and_then(|bytes| wire::decode(&bytes).ok()) {
        return refusal;
    }
    if answer.code() == tonic::Code::Unauthenticated {
        // It is this service that was not let in, not the person it asks for: nobody should be told to sign in.
        let detail = "the other service does not know this mesh's pass: 'keys.media' is not the same for both";
        tracing::error!("{detail}");
        return Refusal::new(Class::Unavailable, codes::UNAVAILABLE, detail);
    }
    let class = status::class_of(answer.code());
    Refusal::new(class, status::default_code(class), format!("gRPC {}", status::grpc_name(answer.code())))
}

fn undecodable(error: &wire::DecodeError) -> Refusal {
    Refusal::new(Class::Invalid, codes::BAD_REQUEST, error.to_string())
}

fn nonsense(error: &wire::DecodeError) -> Refusal {
    Refusal::new(Class::Internal, codes::INTERNAL, format!("the answer cannot be read: {error}"))
}

/// Carries out a call to us: span, metrics, and the refusal as a status.
async fn serve_call<T>(
    method: &'static str,
    metadata: &MetadataMap,
    metrics: &Metrics,
    work: impl Future<Output = Result<T, Refusal>>,
) -> Result<Response<T>, Status> {
    let started = Instant::now();
    let mut carried = BTreeMap::new();
    for name in [trace::TRACEPARENT, trace::TRACESTATE] {
        if let Some(value) = metadata.get(name).and_then(|value| value.to_str().ok()) {
            carried.insert(name.to_owned(), value.to_owned());
        }
    }
    let span = trace::rpc_server(method, &carried);
    let result = work.instrument(span.clone()).await.map_err(|refusal| to_status(&refusal));
    let code = result.as_ref().err().map_or(tonic::Code::Ok, Status::code);
    // The conventions: on the server only these are errors; the rest is the caller's own doing.
    let failed = matches!(
        code,
        tonic::Code::Unknown
            | tonic::Code::DeadlineExceeded
            | tonic::Code::Unimplemented
            | tonic::Code::Internal
            | tonic::Code::Unavailable
            | tonic::Code::DataLoss
    );
    note(&span, metrics, metric::RPC_SERVER, method, code, failed, started);
    result.map(Response::new)
}

/// Makes a call of ours: span, metrics, deadline, and the status as a refusal.
async fn make_call<Q, A, F>(
    method: &'static str,
    caller: &pass::Caller,
    question: Q,
    call: impl FnOnce(Request<Q>) -> F,
) -> Result<A, Refusal>
where
    F: Future<Output = Result<Response<A>, Status>>,
{
    let started = Instant::now();
    let span = trace::rpc_client(method);
    let mut request = Request::new(question);
    let mut carried = BTreeMap::new();
    trace::inject_from(&span, &mut carried);
    for (name, value) in carried {
        let pair = (MetadataKey::<Ascii>::from_bytes(name.as_bytes()), MetadataValue::try_from(value));
        if let (Ok(name), Ok(value)) = pair {
            request.metadata_mut().insert(name, value);
        }
    }
    if let Some(pass) = &caller.pass {
        request.metadata_mut().insert("authorization", pass.clone());
    }
    let result = call(request).instrument(span.clone()).await;
    let code = result.as_ref().err().map_or(tonic::Code::Ok, Status::code);
    note(&span, &caller.metrics, metric::RPC_CLIENT, method, code, code != tonic::Code::Ok, started);
    result.map(Response::into_inner).map_err(|answer| to_refusal(&answer))
}

fn note(
    span: &tracing::Span,
    metrics: &Metrics,
    name: &str,
    method: &'static str,
    code: tonic::Code,
    failed: bool,
    started: Instant,
) {
    let code = status::grpc_name(code);
    trace::rpc_status(span, code, failed);
    let error = if failed { code } else { "" };
    metrics.since(name, &[(label::RPC, method), (label::RPC_STATUS, code), (label::ERROR, error)], started);
}

#[cfg(test)]
mod tests;
