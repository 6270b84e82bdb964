use std::time::Duration;

use afluente_desk::Config;
use domain::{Content, DeskChange, Presence, Stage};
use futures_util::StreamExt as _;
use ports::{Bus as _, Views as _, bus::Envelope, journal::Commit, topology::Topic};
use serde_json::{Value, json};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest as _, protocol::frame::coding::CloseCode},
};

use wire::Wire as _;

use crate::harness::{Announced, Client, World, Write as _, contact, org, said, until, user};

struct Socket(WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>);

impl Socket {
    async fn open(client: &Client, cursor: Option<u64>) -> Self {
        let query = cursor.map(|cursor| format!("?cursor={cursor}")).unwrap_or_default();
        let url = format!("{}/api/v1/events{query}", client.base.replace("http", "ws"));
        let mut request = url.into_client_request().unwrap();
        request.headers_mut().insert("authorization", format!("Bearer {}", client.token).parse().unwrap());
        Self(connect_async(request).await.unwrap().0)
    }

    /// The next frame that is not a ping.
    async fn next(&mut self) -> Value {
        loop {
            let frame = tokio::time::timeout(Duration::from_secs(20), self.0.next()).await.expect("a frame in time");
            if let Message::Text(text) = frame.unwrap().unwrap() {
                let frame: Value = serde_json::from_str(&text).unwrap();
                if frame["type"] != "ping" {
                    return frame;
                }
            }
        }
    }

    /// The next frame of this type.
    async fn next_of(&mut self, kind: &str) -> Value {
        loop {
            let frame = self.next().await;
            if frame["type"] == kind {
                return frame;
            }
        }
    }

    async fn closed(&mut self) -> CloseCode {
        loop {
            let frame = tokio::time::timeout(Duration::from_secs(20), self.0.next()).await.expect("a frame in time");
            if let Message::Close(Some(close)) = frame.unwrap().unwrap() {
                return close.code;
            }
        }
    }
}

async fn talk(world: &World, conversation: &domain::Conversation, places: std::ops::RangeInclusive<u64>) {
    for place in places {
        let message = said(conversation, place, Content::text(format!("mensagem {place}")));
        let commit = Commit { messages: vec![message.clone()], ..Commit::default() };
        // Two of three announcements are lost.
        world.store.write(commit, DeskChange::Message(Box::new(message)), place % 3 == 0).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn x_9_a_page_that_comes_back_misses_none() {
    let world = World::start().await;
    let conversation = world.conversation("acme", "sales", "carla").await;
    let sol = world.signed_in("sol@acme.test").await;
    let last = 600_u64;
    let reading = async {
        let mut cursor = 0;
        let mut heard = Vec::new();
        while cursor < last + 1 {
            let mut socket = Socket::open(&sol, Some(cursor)).await;
            assert_eq!(socket.next().await, json!({ "type": "hello", "data": { "cursor": cursor } }));
            // Each connection is lost after a while, without a word.
            for _ in 0..77 {
                let event = socket.next().await;
                cursor = event["sequence"].as_u64().unwrap();
                heard.push(cursor);
                if cursor == last + 1 {
                    break;
                }
            }
        }
        heard
    };
    let (heard, ()) = tokio::join!(reading, talk(&world, &conversation, 1..=last));
    assert_eq!(heard, (1..=last + 1).collect::<Vec<_>>());
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_announcement_alone_reaches_the_page() {
    // Nobody looks into the store by the clock here.
    let config = Config { poll_millis: 3_600_000, names_millis: 0, ..Config::default() };
    let world = World::with(config).await;
    let sol = world.signed_in("sol@acme.test").await;
    let mut socket = Socket::open(&sol, None).await;
    socket.next().await;
    // The first ones may come before the desk listens to the bus; then it finds the hole and reads them.
    let mut written = 0_u64;
    let first = loop {
        written += 1;
        world.conversation("acme", "sales", &format!("c{written}")).await;
        if let Ok(event) = tokio::time::timeout(Duration::from_millis(200), socket.next()).await {
            break event;
        }
        assert!(written < 100, "no announcement was heard");
    };
    assert_eq!(first["sequence"], 1);
    world.stop().await;
}

/// While routers are upgraded, those of the release before announce each event by itself.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_comes_alone_is_heard_as_a_page_is() {
    let config = Config { poll_millis: 3_600_000, names_millis: 0, ..Config::default() };
    let world = World::with(config).await;
    let sol = world.signed_in("sol@acme.test").await;
    let conversation = world.conversation("acme", "sales", "carla").await;
    let mut socket = Socket::open(&sol, None).await;
    assert_eq!(socket.next().await["data"]["cursor"], 1);
    let mut last = 1;
    let alone = loop {
        last += 1;
        let message = said(&conversation, last, Content::text("oi"));
        let commit = Commit { messages: vec![message.clone()], ..Commit::default() };
        world.store.write_for(commit, DeskChange::Message(Box::new(message)), Announced::Alone).await;
        // The first may come before the desk listens to the bus.
        if let Ok(event) = tokio::time::timeout(Duration::from_millis(200), socket.next()).await {
            break event;
        }
        assert!(last < 100, "no announcement was heard");
    };
    assert_eq!((&alone["type"], &alone["sequence"]), (&json!("message"), &json!(2)));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn isolated_each_hears_what_they_may_see() {
    let world = World::start().await;
    let (ana, bia, zoe) = (
        world.signed_in("ana@acme.test").await,
        world.signed_in("bia@acme.test").await,
        world.signed_in("zoe@other.test").await,
    );
    let (mut hers, mut bias, mut zoes) =
        (Socket::open(&ana, None).await, Socket::open(&bia, None).await, Socket::open(&zoe, None).await);
    for socket in [&mut hers, &mut bias, &mut zoes] {
        assert_eq!(socket.next().await, json!({ "type": "hello", "data": { "cursor": 0 } }));
    }
    let sales = world.conversation("acme", "sales", "carla").await;
    let support = world.conversation("acme", "support", "davi").await;
    let event = hers.next().await;
    assert_eq!((&event["type"], &event["data"]["id"]), (&json!("conversation"), &json!(sales.id.to_string())));
    assert_eq!(event["data"]["contact"]["name"], "carla");
    assert_eq!(bias.next().await["data"]["id"], json!(support.id.to_string()));

    // Ana hands hers to Bia, who serves another queue: both hear of it, and then Bia alone.
    ana.online().await;
    bia.online().await;
    let path = format!("/conversations/{}", sales.id);
    assert_eq!(ana.call("POST", &format!("{path}/take"), Some(json!({}))).await.0, 200);
    assert_eq!(hers.next_of("conversation").await["data"]["agent"]["name"], "ana");
    let to = json!({ "to": { "type": "agent", "id": user("bia@acme.test").to_string() } });
    assert_eq!(ana.call("POST", &format!("{path}/transfer"), Some(to)).await.0, 200);
    assert_eq!(bias.next_of("conversation").await["data"]["agent"]["name"], "bia");
    let message = said(&sales, 1, Content::text("oi"));
    let commit = Commit { messages: vec![message.clone()], ..Commit::default() };
    world.store.write(commit, DeskChange::Message(Box::new(message)), true).await;
    assert_eq!(bias.next_of("message").await["data"]["content"]["text"], "oi");

    // Taken out of her hand, Bia hears of it one last time, and then nothing of the other queue.
    let mut gone = world.store.store.conversation(org("acme"), sales.id).await.unwrap().unwrap();
    (gone.agent, gone.assignment, gone.stage) = (None, None, Stage::Waiting);
    for _ in 0..2 {
        let commit = Commit { conversations: vec![gone.clone()], ..Commit::default() };
        world.store.write(commit, DeskChange::Conversation(Box::new(gone.clone())), true).await;
        gone.version += 1;
    }
    assert_eq!(bias.next_of("conversation").await["data"]["state"], "waiting");
    let card = contact(&support);
    let commit = Commit { contacts: vec![card.clone()], ..Commit::default() };
    world.store.write(commit, DeskChange::Contact(Box::new(card)), true).await;
    assert_eq!(bia.call("PUT", "/me/presence", Some(json!({ "presence": "paused" }))).await.0, 200);
    assert_eq!(bias.next().await["data"]["presence"], "paused");
    assert_eq!(hers.next_of("contact").await["data"]["name"], "davi", "its account begins in her queue");

    // The other organization heard nothing of all this: its first event is its own.
    world.conversation("other", "sales", "edu").await;
    let first = zoes.next().await;
    assert_eq!((&first["sequence"], &first["data"]["contact"]["name"]), (&json!(1), &json!("edu")));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn x_2_supervisors_hear_of_parked_messages_and_agents_do_not() {
    let world = World::start().await;
    let (ana, sol) = (world.signed_in("ana@acme.test").await, world.signed_in("sol@acme.test").await);
    let (mut hers, mut sols) = (Socket::open(&ana, None).await, Socket::open(&sol, None).await);
    for socket in [&mut hers, &mut sols] {
        assert_eq!(socket.next().await["type"], "hello");
    }
    let poison = Envelope {
        id: "poison".into(),
        topic: Topic::Inbound(domain::Partition(0)),
        kind: domain::Inbound::KIND.into(),
        correlation: None,
        headers: [(ports::bus::headers::ORGANIZATION.to_owned(), org("acme").to_string())].into(),
        body: bytes::Bytes::from_static(b"\xff\xffnot an event"),
    };
    world.store.bus.publish(vec![poison]).await.unwrap();
    let heard = sols.next_of("parked").await;
    let id = heard["data"]["parked"][0].as_str().unwrap().to_owned();
    let (_, list) = sol.get("/parked").await;
    assert!(list["items"].as_array().unwrap().iter().any(|one| one["id"] == id.as_str()), "{list}");
    let (status, _) = sol.call("POST", &format!("/parked/{id}/discard"), Some(json!({ "reason": "a test" }))).await;
    assert_eq!(status, 200);
    while sols.next_of("parked").await["data"]["parked"][0] != id.as_str() {}
    world.conversation("acme", "sales", "carla").await;
    assert_eq!(hers.next().await["type"], "conversation", "the first that an agent hears of");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_that_is_not_kept_resets() {
    let world = World::start().await;
    world.conversation("acme", "sales", "carla").await;
    let sol = world.signed_in("sol@acme.test").await;
    let mut socket = Socket::open(&sol, Some(4_711)).await;
    assert_eq!(socket.next().await, json!({ "type": "reset", "data": { "cursor": 1 } }));
    world.conversation("acme", "sales", "davi").await;
    assert_eq!(socket.next().await["sequence"], 2);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_ends_with_its_session_and_with_the_process() {
    let world = World::start().await;
    let (ana, sol) = (world.signed_in("ana@acme.test").await, world.signed_in("sol@acme.test").await);
    let (mut hers, mut sols) = (Socket::open(&ana, None).await, Socket::open(&sol, None).await);
    hers.next().await;
    sols.next().await;
    assert_eq!(ana.call("DELETE", "/sessions/current", None).await.0, 204);
    assert_eq!(hers.closed().await, CloseCode::Policy);
    let (code, ()) = tokio::join!(sols.closed(), world.stop());
    assert_eq!(code, CloseCode::Away);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_whose_last_page_is_gone_is_offline_after_a_while() {
    let config = Config { away_grace_secs: 1, ping_secs: 1, poll_millis: 200, names_millis: 0, ..Config::default() };
    let world = World::with(config).await;
    let (ana, bia) = (world.signed_in("ana@acme.test").await, world.signed_in("bia@acme.test").await);
    let mut page = Socket::open(&ana, None).await;
    page.next().await;
    for client in [&ana, &bia] {
        assert_eq!(client.call("PUT", "/me/presence", Some(json!({ "presence": "online" }))).await.0, 200);
    }
    drop(page);
    let presence = |email: &'static str| {
        let store = world.store.store.clone();
        async move {
            let seats = store.seats(org("acme")).await.unwrap();
            seats.iter().find(|seat| seat.user == user(email)).unwrap().presence
        }
    };
    until("ana is offline", || async { presence("ana@acme.test").await == Presence::Offline }).await;
    assert_eq!(presence("bia@acme.test").await, Presence::Online, "she never opened a page");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ag_6_what_an_absent_agent_serves_goes_back_to_its_queue_once() {
    let config = Config {
        away_grace_secs: 1,
        away_return_secs: 2,
        ping_secs: 1,
        poll_millis: 200,
        names_millis: 0,
        ..Config::default()
    };
    let world = World::with(config).await;
    let (ana, bia) = (world.signed_in("ana@acme.test").await, world.signed_in("bia@acme.test").await);
    let waiting = [
        (&ana, world.conversation("acme", "sales", "carla").await),
        (&ana, world.conversation("acme", "sales", "davi").await),
        (&bia, world.conversation("acme", "support", "edu").await),
    ];
    let (mut hers, mut bias) = (Socket::open(&ana, None).await, Socket::open(&bia, None).await);
    hers.next().await;
    bias.next().await;
    ana.online().await;
    bia.online().await;
    for (agent, conversation) in &waiting {
        let (status, _) =
            agent.call("POST", &format!("/conversations/{}/take", conversation.id), Some(json!({}))).await;
        assert_eq!(status, 200);
    }
    // One of them is inactive by now.
    let store = world.store.store.clone();
    let mut silent = store.conversation(org("acme"), waiting[1].1.id).await.unwrap().unwrap();
    silent.stage = Stage::Inactive;
    let commit = Commit { conversations: vec![silent.clone()], ..Commit::default() };
    world.store.write(commit, DeskChange::Conversation(Box::new(silent)), true).await;
    // She says that she leaves, and leaves.
    assert_eq!(ana.call("PUT", "/me/presence", Some(json!({ "presence": "offline" }))).await.0, 200);
    drop(hers);
    let stage = async |who: usize| store.conversation(org("acme"), waiting[who].1.id).await.unwrap().unwrap();
    until("hers wait again", async || stage(0).await.stage == Stage::Waiting && stage(1).await.stage == Stage::Waiting)
        .await;
    let returned = stage(0).await;
    assert_eq!((returned.agent, returned.waiting_since), (None, waiting[0].1.waiting_since));
    assert_eq!(stage(2).await.agent, Some(user("bia@acme.test")), "her page is open");

    // The absence is settled: what she takes by a program afterwards stays with her while others' absences are found.
    let noted = format!("desk.seen/{}/{}", org("acme"), user("ana@acme.test"));
    until("it is settled", async || world.env.cursors.get(&noted).await.unwrap().is_some_and(|text| text.is_empty()))
        .await;
    ana.online().await;
    assert_eq!(ana.call("POST", &format!("/conversations/{}/take", waiting[0].1.id), Some(json!({}))).await.0, 200);
    drop(bias);
    until("Bia's waits again", async || stage(2).await.stage == Stage::Waiting).await;
    let seats = store.seats(org("acme")).await.unwrap();
    let of = |email: &str| seats.iter().find(|seat| seat.user == user(email)).unwrap();
    assert_eq!((of("bia@acme.test").presence, of("bia@acme.test").load), (Presence::Offline, 0));
    assert_eq!((of("ana@acme.test").presence, of("ana@acme.test").load), (Presence::Online, 1));
    assert_eq!(stage(0).await.agent, Some(user("ana@acme.test")));
    world.stop().await;
}
