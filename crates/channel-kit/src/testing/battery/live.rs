//! Live links: resume, both directions, the broker away, strangers and forgers, files.

use std::net::SocketAddr;

use axum::{body::Body, http::Request};
use domain::{Content, DeliveryState, InboundBody, Outcome};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, tungstenite::Message};
use tower::ServiceExt as _;

use super::{LinkFixture, silent};
use crate::testing::{
    Running, World,
    world::{PATIENCE, until},
};

struct Scene {
    world: World,
    running: Running,
    at: SocketAddr,
}

async fn scene(fixture: &LinkFixture) -> Scene {
    let world = World::open().await;
    let accounts = [(fixture.account.clone(), silent())];
    let running = world.start(fixture.kind.clone(), world.config(), &accounts).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = listener.local_addr().unwrap();
    let http = running.http.clone();
    tokio::spawn(async move { axum::serve(listener, http).await });
    Scene { world, running, at }
}

/// A page, as its socket.
struct Page(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Page {
    async fn open(scene: &Scene, fixture: &LinkFixture, token: Option<&str>, after: u64) -> (Self, String) {
        let account = &fixture.account;
        let url = format!("ws://{}/link/{}/{}/ws", scene.at, account.channel, account.name);
        let (socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
        let mut page = Self(socket);
        let profile = json!({ "name": "Ana", "email": "Ana@Example.test" });
        page.say(&json!({ "type": "hello", "token": token, "after": after, "profile": profile })).await;
        let token = page.hear("welcome").await["token"].as_str().unwrap().to_owned();
        (page, token)
    }

    async fn say(&mut self, frame: &Value) {
        self.0.send(Message::Text(frame.to_string().into())).await.unwrap();
    }

    /// The code with which the link is closed.
    async fn farewell(&mut self) -> u16 {
        let waiting = async {
            loop {
                if let Message::Close(Some(frame)) = self.0.next().await.expect("a farewell").unwrap() {
                    return frame.code.into();
                }
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.expect("the link is closed")
    }

    /// The next frame of this type; others on the way are left out.
    async fn hear(&mut self, kind: &str) -> Value {
        let waiting = async {
            loop {
                if let Message::Text(text) = self.0.next().await.expect("the link is open").unwrap() {
                    let frame: Value = serde_json::from_str(&text).unwrap();
                    if frame["type"] == kind {
                        return frame;
                    }
                    assert_ne!(frame["type"], "error", "{frame}");
                }
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| panic!("no '{kind}' came"))
    }
}

/// A visitor writes, is answered, goes away, comes back, and misses nothing.
pub(super) async fn both_ways(fixture: &LinkFixture) {
    let mut scene = scene(fixture).await;
    let (mut page, token) = Page::open(&scene, fixture, None, 0).await;
    page.hear("caught_up").await;
    page.say(&(fixture.text)("c1", "Hello")).await;
    assert_eq!(page.hear("accepted").await["id"], "c1");
    page.say(&(fixture.text)("c1", "Hello")).await;
    assert_eq!(page.hear("accepted").await["id"], "c1", "a repeat is accepted again");
    let events = scene.world.arrived(2).await;
    assert_eq!(events[0].id, events[1].id, "and is the same event");
    let InboundBody::Message(message) = &events[0].body else { panic!("{events:#?}") };
    assert_eq!(message.content, Content::text("Hello"));
    assert_eq!(message.profile.name.as_deref(), Some("Ana"));
    assert_eq!(message.profile.email.as_deref(), Some("ana@example.test"));
    let address = events[0].thread.address.clone();
    drop(page);

    let answer = scene.world.permitted(&fixture.account, &address, Content::text("Hi Ana"));
    scene.world.send(&answer).await;
    let Outcome::Accepted { provider_ids } = scene.world.attempted(1).await.remove(0).outcome else { panic!() };
    scene.world.send(&answer).await;
    scene.world.attempted(1).await;

    let (mut page, _) = Page::open(&scene, fixture, Some(&token), 0).await;
    let (own, ours) = (page.hear("item").await, page.hear("item").await);
    assert_eq!((own["from"].as_str(), own["id"].as_str()), (Some("visitor"), Some("c1")), "the history is whole");
    assert_eq!((ours["from"].as_str(), ours["id"].as_str()), (Some("company"), Some(provider_ids[0].as_str())));
    assert_eq!(page.hear("caught_up").await["sequence"], ours["sequence"], "and holds nothing twice");

    page.say(&(fixture.delivered)(&provider_ids[0])).await;
    let InboundBody::Receipt(receipt) = scene.world.arrived(1).await.remove(0).body else { panic!("a receipt") };
    assert_eq!((receipt.provider_ids, receipt.state), (provider_ids, DeliveryState::Delivered));
    assert!(receipt.at.millis() > 0, "it has a time");

    let seen = ours["sequence"].as_u64().unwrap();
    let (mut second, _) = Page::open(&scene, fixture, Some(&token), seen).await;
    second.hear("caught_up").await;
    page.say(&(fixture.text)("c2", "from the first tab")).await;
    assert_eq!(second.hear("item").await["id"], "c2", "a second tab hears it, and only what it had missed");
    let live = scene.world.permitted(&fixture.account, &address, Content::text("live"));
    scene.world.send(&live).await;
    assert_eq!(second.hear("item").await["from"], "company");
    scene.running.close();
    assert_eq!(second.farewell().await, 1001, "a page goes to another replica before the tasks are told");
    scene.running.drain().await;
}

/// The broker is away: the visitor's words are on the disk when they are acknowledged.
pub(super) async fn broker_away(fixture: &LinkFixture) {
    let mut scene = scene(fixture).await;
    let (mut page, _) = Page::open(&scene, fixture, None, 0).await;
    scene.world.bus.set_away(true);
    for n in 0..3 {
        page.say(&(fixture.text)(&format!("c{n}"), &format!("number {n}"))).await;
        assert_eq!(page.hear("accepted").await["id"], format!("c{n}"));
    }
    assert_eq!(scene.running.kit.intake.spool.pending(), 3);
    scene.world.bus.set_away(false);
    let events = scene.world.arrived(3).await;
    let said: Vec<_> = events
        .iter()
        .map(|event| match &event.body {
            InboundBody::Message(message) => message.content.preview(20),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(said, ["number 0", "number 1", "number 2"]);
    until("the spool is empty", async || scene.running.kit.intake.spool.pending() == 0).await;
}

/// A forged token is a new visitor; nonsense is answered and nothing of it is stored.
pub(super) async fn strangers_and_forgers(fixture: &LinkFixture) {
    let mut scene = scene(fixture).await;
    let (mut page, token) = Page::open(&scene, fixture, None, 0).await;
    page.say(&(fixture.text)("c1", "a secret matter")).await;
    page.hear("accepted").await;
    scene.world.arrived(1).await;
    let forged = format!("{}x{}", &token[..8], &token[9..]);
    let (mut thief, other) = Page::open(&scene, fixture, Some(&forged), 0).await;
    assert_eq!(thief.hear("caught_up").await["sequence"], 0, "a forger sees nothing");
    assert_ne!(other, token);
    for nonsense in ["{", "[]", "{\"type\":\"message\"}", "{\"type\":\"teleport\",\"id\":\"x\"}"] {
        thief.0.send(Message::Text(nonsense.to_owned().into())).await.unwrap();
        let waiting = async {
            loop {
                if let Some(Ok(Message::Text(text))) = thief.0.next().await {
                    break serde_json::from_str::<Value>(&text).unwrap();
                }
            }
        };
        let answer = tokio::time::timeout(PATIENCE, waiting).await.unwrap();
        assert_eq!(answer["code"], "malformed", "{nonsense}: {answer}");
    }
    scene.world.quiet().await;
}

/// A file goes up under the visitor's token and comes back by a link that ends.
pub(super) async fn files(fixture: &LinkFixture) {
    let scene = scene(fixture).await;
    let (_, token) = Page::open(&scene, fixture, None, 0).await;
    let path = format!("/link/{}/{}/media?name=../a.png", fixture.account.channel, fixture.account.name);
    let put = |token: Option<&str>, mime: &str, bytes: &'static [u8]| {
        let mut request = Request::post(&path).header("content-type", mime);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        scene.running.http.clone().oneshot(request.body(Body::from(bytes)).unwrap())
    };
    assert_eq!(put(None, "image/png", b"png").await.unwrap().status(), 401);
    assert_eq!(put(Some("x.y"), "image/png", b"png").await.unwrap().status(), 401);
    assert_eq!(put(Some(&token), "text/html", b"<script>").await.unwrap().status(), 415);
    let kept = put(Some(&token), "image/png", b"png").await.unwrap();
    assert_eq!(kept.status(), 201);
    let body = axum::body::to_bytes(kept.into_body(), 10_000).await.unwrap();
    let kept: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(kept["name"], "a.png", "no path comes in with a name");
    assert!(kept["ticket"].as_str().is_some_and(|ticket| !ticket.is_empty()));
    let forged = Request::get(format!("/media/{}/forged.token", fixture.account.channel)).body(Body::empty()).unwrap();
    assert_eq!(scene.running.http.clone().oneshot(forged).await.unwrap().status(), 404);
}
