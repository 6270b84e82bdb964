//! While much waits at the routers, an account that takes more than its share of what is accepted is refused, and
//! another is not.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

extern crate afluente_channel_kit as channel_kit;

// Other tests use the rest of it.
#[allow(dead_code)]
mod echo;

use std::{ops::Range, sync::Arc, time::Duration};

use channel_kit::{
    Arrival, Arrived, ByLink, ChannelType, Ingress, KitConfig, Link, Malformed, Misconfigured, OpenAccount, Visitor,
    testing::{FakeProvider, Reply, Running, World, answer, until},
};
use domain::{Account, AccountId, Address, Capabilities, DeliveryState, Receipt, Secret, Timestamp};
use echo::{Echo, account, call, polled_account};
use futures_util::{SinkExt as _, StreamExt as _};
use runtime::names::metric;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, tungstenite::Message};

/// Above what the test's own subscriptions hold in hand (twice 256) and below the flood.
const LIMIT: u64 = 1_200;
/// Above the floor, and long enough to stay there.
const FLOOD: usize = 2_000;
/// For what has to happen long before an account is forgotten to have been noisy.
const SOON: Duration = Duration::from_secs(6);

fn quiet_account() -> Account {
    Account { id: AccountId::derive(&["quiet"]), name: "quiet-echo".into(), ..account() }
}

fn headers() -> Vec<(String, String)> {
    vec![("x-echo-secret".to_owned(), "hook-secret-0123456789".to_owned())]
}

/// So many messages, each of another contact.
fn events(numbers: Range<usize>) -> Value {
    numbers.map(|n| json!({ "id": format!("m{n}"), "from": format!("55{n}"), "text": "oi" })).collect()
}

fn one(id: &str) -> Vec<u8> {
    call(&json!({ "id": id, "from": "5511", "text": "oi" })).to_vec()
}

async fn start(world: &World, noisy: Account, provider: Arc<FakeProvider>) -> Running {
    let config = KitConfig { inbound_backlog: LIMIT, inbound_look: Duration::from_millis(20), ..world.config() };
    let accounts = [(noisy, provider), (quiet_account(), FakeProvider::new(Reply::Hang))];
    world.start(Arc::new(EchoOrLink), config, &accounts).await
}

/// Calls the hook of the noisy account until it answers with `status`; answers how many messages were accepted.
async fn calls_until(running: &Running, status: u16, prefix: &str) -> usize {
    let mut accepted = 0;
    let calling = async {
        for n in 0.. {
            let answer = running.post(&account().name, &headers(), one(&format!("{prefix}{n}"))).await;
            accepted += usize::from(answer.status() == 200);
            if answer.status() == status {
                if status == 429 {
                    let after = answer.headers()["retry-after"].to_str().unwrap().parse::<u64>().unwrap();
                    assert!((2..=30).contains(&after), "come again in {after} s");
                }
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(tokio::time::timeout(SOON, calling).await.is_ok(), "it is not answered {status} soon");
    accepted
}

/// Much waits of what the noisy account sent, and it is refused. Answers how many messages were accepted.
async fn flooded(running: &Running) -> usize {
    running.expect(200, &quiet_account().name, &headers(), &one("q1"), "nothing waits yet").await;
    let flood = serde_json::to_vec(&events(0..FLOOD)).unwrap();
    running.expect(200, &account().name, &headers(), &flood, "the flood itself").await;
    1 + FLOOD + calls_until(running, 429, "more").await
}

#[tokio::test]
async fn a_noisy_account_is_refused_while_much_waits_and_a_quiet_one_is_not() {
    let mut world = World::open().await;
    let running = start(&world, account(), FakeProvider::new(Reply::Hang)).await;
    let mut accepted = flooded(&running).await;
    for n in 0..20 {
        running.expect(200, &quiet_account().name, &headers(), &one(&format!("quiet{n}")), "within its share").await;
        running.expect(429, &account().name, &headers(), &one("no"), "above its share").await;
    }
    accepted += 20;
    let reason = [("channel", "echo"), ("reason", "account_backlog")];
    assert!(world.env.metrics.total(metric::WEBHOOK_REJECTED, &reason) >= 21.0, "{}", world.env.metrics.render());
    world.arrived(accepted).await;
    calls_until(&running, 200, "again").await;
    running.drain().await;
}

#[tokio::test]
async fn a_noisy_account_is_accepted_while_nobody_knows_how_much_waits() {
    let world = World::open().await;
    let running = start(&world, account(), FakeProvider::new(Reply::Hang)).await;
    flooded(&running).await;
    world.bus.set_away(true);
    calls_until(&running, 200, "to the disk").await;
    running.drain().await;
}

#[tokio::test]
async fn a_noisy_account_is_not_polled_while_much_waits() {
    let mut world = World::open().await;
    let page = |events: Value| Reply::Answer(answer(200, &json!({ "events": events, "next": "1" })));
    let provider = FakeProvider::new(page(json!([])));
    provider.then([page(events(0..FLOOD))]);
    let running = start(&world, polled_account(), provider.clone()).await;
    running.expect(200, &quiet_account().name, &headers(), &one("q1"), "it has its share").await;
    // Others pass meanwhile, so it is not the machine that stands still.
    let mut quiet = 1;
    let rests = async || {
        let before = provider.asked().len();
        for _ in 0..10 {
            quiet += 1;
            running.expect(200, &quiet_account().name, &headers(), &one(&format!("q{quiet}")), "in its share").await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        provider.asked().len() == before
    };
    until("it is left alone", rests).await;
    let asked = provider.asked().len();
    world.arrived(FLOOD + quiet).await;
    let again = async {
        while provider.asked().len() == asked {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(SOON, again).await.is_ok(), "it is polled again");
    running.drain().await;
}

/// Echo, whose accounts with a `link_secret` have a link. One frame may bring many receipts.
struct EchoOrLink;

struct Many;

impl Link for Many {
    fn receive(&self, frame: &str, _: &Visitor) -> Result<Vec<Arrival>, Malformed> {
        let frame: Value = serde_json::from_str(frame).map_err(|error| Malformed(error.to_string()))?;
        let arrival = |n: u64| Arrival {
            key: format!("{}:{n}", frame["id"]),
            address: Address::new(format!("v{n}")),
            at: None,
            what: Arrived::Receipt(Receipt {
                provider_ids: vec![n.to_string()],
                state: DeliveryState::Delivered,
                at: Timestamp::from_secs(9),
                failure: None,
            }),
        };
        Ok((0..frame["count"].as_u64().unwrap_or(1)).map(arrival).collect())
    }
}

impl ChannelType for EchoOrLink {
    fn name(&self) -> &'static str {
        Echo.name()
    }

    fn capabilities(&self) -> Capabilities {
        Echo.capabilities()
    }

    fn open(&self, account: &Account) -> Result<OpenAccount, Misconfigured> {
        let open = Echo.open(account)?;
        if !account.secrets.contains_key("link_secret") {
            return Ok(open);
        }
        let (ingress, outbound) = (Ingress::Link(Arc::new(Many)), Arc::new(ByLink));
        Ok(OpenAccount { ingress, outbound, ..open })
    }
}

struct Page(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Page {
    async fn open(running: &Running, account: &Account) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}/link/echo/{}/ws", listener.local_addr().unwrap(), account.name);
        let http = running.http.clone();
        tokio::spawn(async move { axum::serve(listener, http).await });
        let (socket, _) = tokio_tungstenite::connect_async(url).await.unwrap();
        let mut page = Self(socket);
        page.ask(&json!({ "type": "hello" }), &["caught_up"]).await;
        page
    }

    /// Says it, and hears the answer: the first frame of one of these types.
    async fn ask(&mut self, frame: &Value, kinds: &[&str]) -> Value {
        self.0.send(Message::Text(frame.to_string().into())).await.unwrap();
        let hearing = async {
            loop {
                if let Message::Text(text) = self.0.next().await.expect("the link is open").unwrap() {
                    let frame: Value = serde_json::from_str(&text).unwrap();
                    if kinds.iter().any(|kind| frame["type"] == *kind) {
                        return frame;
                    }
                }
            }
        };
        tokio::time::timeout(SOON, hearing).await.expect("an answer")
    }

    /// Sends small frames until one is answered so; answers how many were accepted.
    async fn sends_until(&mut self, kind: &str, prefix: &str) -> usize {
        for n in 0..200 {
            let frame = json!({ "type": "receipt", "id": format!("{prefix}{n}") });
            let heard = self.ask(&frame, &["accepted", "error"]).await;
            if heard["type"] == kind {
                if kind == "error" {
                    assert_eq!((&heard["code"], &heard["id"]), (&json!("throttled"), &frame["id"]));
                }
                return n + usize::from(kind == "accepted");
            }
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        panic!("no frame is answered '{kind}'")
    }
}

#[tokio::test]
async fn the_frames_of_a_noisy_account_are_throttled_while_much_waits() {
    let mut world = World::open().await;
    let mut noisy = account();
    noisy.secrets.insert("link_secret".to_owned(), Secret::new("a-link-secret-of-the-tests"));
    let config = KitConfig {
        inbound_backlog: LIMIT,
        inbound_look: Duration::from_millis(20),
        frame_rate: 1_000,
        ..world.config()
    };
    let silent = || FakeProvider::new(Reply::Hang);
    let accounts = [(noisy.clone(), silent()), (quiet_account(), silent())];
    let running = world.start(Arc::new(EchoOrLink), config, &accounts).await;
    running.expect(200, &quiet_account().name, &headers(), &one("q1"), "it has its share").await;
    let mut page = Page::open(&running, &noisy).await;
    page.ask(&json!({ "type": "receipt", "id": "flood", "count": FLOOD }), &["accepted"]).await;
    let more = page.sends_until("error", "more").await;
    running.expect(200, &quiet_account().name, &headers(), &one("q2"), "within its share").await;
    world.arrived(FLOOD + more + 2).await;
    // It overtakes nothing: what comes after one that was turned away waits until that comes again.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let next = json!({ "type": "receipt", "id": "next" });
    assert_eq!(page.ask(&next, &["accepted", "error"]).await["code"], "throttled");
    let first = json!({ "type": "receipt", "id": format!("more{more}") });
    while page.ask(&first, &["accepted", "error"]).await["type"] != "accepted" {
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    page.ask(&next, &["accepted"]).await;
    running.drain().await;
}
