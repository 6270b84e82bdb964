#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;

use async_trait::async_trait;
use domain::{
    AccountId, Address, Capabilities, Class, Command, Commanded, Content, ConversationId, Done, EventId, LengthUnit,
    MessageId, OrganizationId, ReceiptSupport, Refusal, Role, SendRequest, Thread, Timestamp, UserId, error::codes,
};
use ports::apis::{GateApi, RouterApi, Verdict};
use tokio::net::TcpListener;

use super::*;

struct Sample;

#[async_trait]
impl RouterApi for Sample {
    async fn command(&self, command: Commanded) -> Result<Done, Refusal> {
        match command.command {
            Command::Take { .. } => Err(Refusal::new(Class::Conflict, codes::ALREADY_TAKEN, "Ana has it: não é sua")),
            _ => Ok(Done::default()),
        }
    }
}

#[async_trait]
impl GateApi for Sample {
    async fn check(&self, request: &SendRequest) -> Result<Verdict, Refusal> {
        Ok(match &request.content {
            Content::Text { .. } => Verdict::Refuse { code: codes::WINDOW_CLOSED, window_closed_at: Some(request.at) },
            _ => Verdict::Permit { window_closes_at: None },
        })
    }
}

#[async_trait]
impl ChannelInfo for Sample {
    async fn describe(&self) -> Result<Description, Refusal> {
        let capabilities = capabilities();
        Ok(Description { channel: "webchat".to_owned(), digest: capabilities.digest(), capabilities })
    }

    async fn accounts(&self, organization: Option<OrganizationId>) -> Result<Vec<AccountSummary>, Refusal> {
        let account = AccountSummary {
            id: AccountId::derive(&["a"]),
            organization: OrganizationId::derive(&["o"]),
            name: "demo".to_owned(),
            label: "Demo".to_owned(),
            active: true,
            problem: Some("the token was revoked".to_owned()),
        };
        Ok(if organization.is_none_or(|wanted| wanted == account.organization) { vec![account] } else { Vec::new() })
    }
}

fn capabilities() -> Capabilities {
    Capabilities {
        unit: LengthUnit::Characters,
        text: 4000,
        caption: 0,
        media: Vec::new(),
        location: false,
        contacts: false,
        choices: None,
        templates: false,
        replies: false,
        receipts: ReceiptSupport { sent: true, delivered: true, read: true },
        account_rate: 100,
        pair_interval: 0,
    }
}

/// The three services on a spare port.
async fn server(metrics: &Metrics) -> String {
    let app = router_server(Arc::new(Sample), metrics.clone());
    let gate = gate_server(Arc::new(Sample), metrics.clone());
    let channel = channel_server(Arc::new(Sample), metrics.clone());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = crate::Service {
        name: "sample".to_owned(),
        http: axum::Router::new(),
        grpc: Some(app),
        grpc_names: vec![ROUTER.to_owned()],
        tasks: Vec::new(),
        checks: Vec::new(),
    };
    let more = |name: &str, grpc_name: &str, router| crate::Service {
        name: name.to_owned(),
        http: axum::Router::new(),
        grpc: Some(router),
        grpc_names: vec![grpc_name.to_owned()],
        tasks: Vec::new(),
        checks: Vec::new(),
    };
    let services = vec![service, more("gate", GATE, gate), more("channel", CHANNEL, channel)];
    let metrics = metrics.clone();
    tokio::spawn(crate::serve::serve(services, listener, metrics, crate::Drain::default(), Duration::from_secs(1)));
    format!("http://{address}")
}

fn commanded(command: Command) -> Commanded {
    Commanded {
        id: EventId::derive(&["e"]),
        organization: OrganizationId::derive(&["o"]),
        actor: UserId::derive(&["u"]),
        role: Role::Agent,
        at: Timestamp::from_secs(1),
        command,
    }
}

#[tokio::test]
async fn a_refusal_comes_back_as_it_was() {
    let metrics = Metrics::new();
    let router = RouterClient::connect(&server(&metrics).await, metrics.clone()).unwrap();
    let conversation = ConversationId::derive(&["c"]);
    assert_eq!(router.command(commanded(Command::Return { conversation })).await, Ok(Done::default()));
    let refusal = router.command(commanded(Command::Take { conversation })).await.unwrap_err();
    assert_eq!(refusal, Refusal::new(Class::Conflict, codes::ALREADY_TAKEN, "Ana has it: não é sua"));
    let text = metrics.render();
    let series = "rpc_client_call_duration_seconds_count{error_type=\"FAILED_PRECONDITION\",\
                  rpc_method=\"afluente.router.v1.Router/Command\",rpc_response_status_code=\"FAILED_PRECONDITION\"} 1";
    assert!(text.contains(series), "{text}");
    let series = "rpc_server_call_duration_seconds_count{error_type=\"\",\
                  rpc_method=\"afluente.router.v1.Router/Command\",rpc_response_status_code=\"FAILED_PRECONDITION\"} 1";
    assert!(text.contains(series), "a refusal is not the server's error: {text}");
}

#[tokio::test]
async fn the_gate_answers_over_grpc() {
    let metrics = Metrics::new();
    let gate = GateClient::connect(&server(&metrics).await, metrics).unwrap();
    let mut request = SendRequest {
        message: MessageId::derive(&["m"]),
        conversation: ConversationId::derive(&["c"]),
        thread: Thread {
            organization: OrganizationId::derive(&["o"]),
            account: AccountId::derive(&["a"]),
            address: Address::new("55"),
        },
        channel: "webchat".parse().unwrap(),
        content: Content::text("oi"),
        reply_to: None,
        author: None,
        at: Timestamp::from_secs(7),
        last_inbound_at: None,
    };
    let closed = Verdict::Refuse { code: codes::WINDOW_CLOSED, window_closed_at: Some(Timestamp::from_secs(7)) };
    assert_eq!(gate.check(&request).await, Ok(closed));
    request.content = Content::Unsupported { kind: "x".to_owned() };
    assert_eq!(gate.check(&request).await, Ok(Verdict::Permit { window_closes_at: None }));
}

#[tokio::test]
async fn a_channel_describes_itself() {
    let metrics = Metrics::new();
    let channel = ChannelClient::connect(&server(&metrics).await, metrics).unwrap();
    let description = channel.describe().await.unwrap();
    assert_eq!(description.capabilities, capabilities());
    assert_eq!(description.digest, capabilities().digest());
    assert_eq!(channel.accounts(None).await.unwrap().len(), 1);
    assert!(channel.accounts(Some(OrganizationId::derive(&["other"]))).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_server_that_is_away_is_unavailable() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let router = RouterClient::connect(&format!("http://{closed}"), Metrics::new()).unwrap();
    let take = Command::Take { conversation: ConversationId::derive(&["c"]) };
    let refusal = router.command(commanded(take)).await.unwrap_err();
    assert_eq!((refusal.class, refusal.code), (Class::Unavailable, codes::UNAVAILABLE));
    assert!(RouterClient::connect("not an address", Metrics::new()).is_err());
}

#[tokio::test]
async fn only_a_service_of_the_mesh_may_call() {
    let metrics = Metrics::new();
    let pass = MeshPass::of(b"the secret of one mesh");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let service = crate::Service {
        name: "router".to_owned(),
        http: axum::Router::new(),
        grpc: Some(pass.guard(router_server(Arc::new(Sample), metrics.clone()))),
        grpc_names: vec![ROUTER.to_owned()],
        tasks: Vec::new(),
        checks: Vec::new(),
    };
    let drain = crate::Drain::default();
    tokio::spawn(crate::serve::serve(vec![service], listener, metrics.clone(), drain, Duration::from_secs(1)));
    let command = || commanded(Command::Return { conversation: ConversationId::derive(&["c"]) });
    let client = RouterClient::connect(&address, metrics).unwrap();
    let other = MeshPass::of(b"the secret of another");
    for stranger in [client.clone(), client.clone().with_pass(&other)] {
        let refusal = stranger.command(command()).await.unwrap_err();
        assert_eq!(refusal.class, Class::Unavailable, "no person can mend it by signing in");
        assert!(refusal.detail.contains("keys.media"), "{refusal:?}");
    }
    assert_eq!(client.with_pass(&pass).command(command()).await, Ok(Done::default()));
}
