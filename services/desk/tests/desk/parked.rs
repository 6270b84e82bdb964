//! Parked messages for supervisors: who sees them, what they show, what is decided.

use domain::{
    Author, Content, Delivery, DeliveryState, EventId, Failure, Inbound, InboundBody, InboundMessage, Message,
    MessageId, Parked, ParkedId, Profile, SendRequest, Thread, error::codes,
};
use ports::{Journal as _, Parking as _, bus::headers, journal::Commit};
use serde_json::{Value, json};
use wire::Wire as _;

use crate::harness::{Client, World, org, said, until, user};

fn malformed(world: &World, organization: &str, n: u32) -> Parked {
    Parked {
        id: ParkedId::derive(&[organization, &n.to_string()]),
        organization: Some(org(organization)),
        place: "whatsapp webhook".into(),
        code: codes::WEBHOOK_MALFORMED,
        reason: "it is not JSON, and says very-secret-key".into(),
        account: Some(format!("{organization}-whatsapp")),
        channel: "whatsapp".parse().ok(),
        provider_code: None,
        message: None,
        route: format!("webhook:whatsapp:{organization}-whatsapp"),
        headers: vec![("content-type".into(), "application/json".into())],
        body: br#"{"token": "very-secret-key", oops"#.to_vec(),
        at: world.env.clock.now(),
        redriven_at: None,
    }
}

/// A message of carla's to acme that was put aside and is good now.
fn readable(world: &World) -> Parked {
    let account = domain::AccountId::derive(&["acme", "whatsapp"]);
    let inbound = Inbound {
        id: EventId::derive(&["readable"]),
        thread: Thread { organization: org("acme"), account, address: domain::Address::new("+5511carla") },
        channel: "whatsapp".parse().unwrap(),
        at: world.env.clock.now(),
        received_at: world.env.clock.now(),
        body: InboundBody::Message(InboundMessage {
            provider_id: "in-1".into(),
            content: Content::text("bom dia"),
            profile: Profile::default(),
            reply_to: None,
        }),
    };
    Parked {
        id: ParkedId::derive(&["readable"]),
        place: "router inbound".into(),
        code: codes::ACCOUNT_UNKNOWN,
        account: Some(account.to_string()),
        route: "afluente.inbound/0".into(),
        headers: vec![
            (headers::ORGANIZATION.into(), org("acme").to_string()),
            (headers::KIND.into(), Inbound::KIND.into()),
        ],
        body: wire::encode(&inbound).to_vec(),
        ..malformed(world, "acme", 0)
    }
}

async fn park(world: &World, parked: &[Parked]) {
    world.store.store.park(parked).await.unwrap();
}

async fn causes(client: &Client) -> Value {
    let (status, body) = client.get("/parked/causes").await;
    assert_eq!(status, 200, "{body}");
    body
}

async fn post(client: &Client, path: &str, body: Value) -> (u16, Value) {
    client.call("POST", path, Some(body)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn x_2_only_who_supervises_sees_what_is_parked() {
    let world = World::start().await;
    let one = malformed(&world, "acme", 1);
    park(&world, std::slice::from_ref(&one)).await;
    let ana = world.signed_in("ana@acme.test").await;
    for path in ["/parked".to_owned(), "/parked/causes".to_owned(), format!("/parked/{}", one.id)] {
        let (status, problem) = ana.get(&path).await;
        assert_eq!((status, &problem["code"]), (403, &json!("not_permitted")), "{path}");
    }
    let id = one.id;
    for (path, body) in [
        (format!("/parked/{id}/redrive"), json!({})),
        (format!("/parked/{id}/decision"), json!({ "decision": "arrived" })),
        (format!("/parked/{id}/discard"), json!({ "reason": "no" })),
        ("/parked/redrive".to_owned(), json!({ "all": true })),
    ] {
        let (status, problem) = post(&ana, &path, body).await;
        assert_eq!((status, &problem["code"]), (403, &json!("not_permitted")), "{path}");
    }
    assert_eq!(causes(&world.signed_in("sol@acme.test").await).await["total"], 1);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn x_2_isolated_another_organizations_parked_messages_do_not_exist() {
    let world = World::start().await;
    let one = malformed(&world, "acme", 1);
    let nobodys = Parked { organization: None, ..malformed(&world, "nobody", 2) };
    park(&world, &[one.clone(), nobodys.clone()]).await;
    let zoe = world.signed_in("zoe@other.test").await;
    assert_eq!(causes(&zoe).await, json!({ "items": [], "total": 0 }));
    assert_eq!(zoe.get("/parked").await.1["items"], json!([]));
    for id in [one.id, nobodys.id] {
        assert_eq!(zoe.get(&format!("/parked/{id}")).await.0, 404);
        assert_eq!(post(&zoe, &format!("/parked/{id}/redrive"), json!({})).await.0, 404);
        assert_eq!(post(&zoe, &format!("/parked/{id}/discard"), json!({ "reason": "x" })).await.0, 404);
    }
    assert_eq!(post(&zoe, "/parked/redrive", json!({ "all": true })).await, (200, json!({ "count": 0 })));
    let sol = world.signed_in("sol@acme.test").await;
    assert_eq!(sol.get(&format!("/parked/{}", nobodys.id)).await.0, 404, "what is nobody's is for operators");
    assert_eq!(causes(&sol).await["items"][0]["requested"], 0);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn x_2_causes_and_messages_are_shown_without_secrets() {
    let world = World::start().await;
    let all: Vec<Parked> = (1..=5).map(|n| malformed(&world, "acme", n)).collect();
    park(&world, &all).await;
    park(&world, &[readable(&world)]).await;
    let sol = world.signed_in("sol@acme.test").await;
    let board = causes(&sol).await;
    assert_eq!((&board["total"], board["items"].as_array().unwrap().len()), (&json!(6), 2));
    let calls = board["items"].as_array().unwrap().iter().find(|one| one["code"] == "webhook_malformed").unwrap();
    assert_eq!((&calls["count"], &calls["account"]["label"]), (&json!(5), &json!("WhatsApp")));
    assert!(calls["cause"].as_str().unwrap().starts_with("Chamada do provedor"), "in Sol's language: {calls}");

    let mut ids = Vec::new();
    let mut before = String::new();
    loop {
        let (_, page) = sol.get(&format!("/parked?code=webhook_malformed&limit=2{before}")).await;
        ids.extend(page["items"].as_array().unwrap().iter().map(|one| one["id"].clone()));
        let Some(next) = page["next"].as_str() else { break };
        before = format!("&before={next}");
    }
    assert_eq!((ids.len(), ids.iter().map(Value::to_string).collect::<std::collections::BTreeSet<_>>().len()), (5, 5));
    let account = domain::AccountId::derive(&["acme", "whatsapp"]);
    assert_eq!(sol.get(&format!("/parked?account={account}")).await.1["items"].as_array().unwrap().len(), 6);
    assert_eq!(sol.get("/parked?account=none").await.1["items"], json!([]));
    // Of no known channel: told apart from those of the same cause that have one.
    let nowhere = Parked { id: ParkedId::derive(&["nowhere"]), channel: None, ..malformed(&world, "acme", 9) };
    park(&world, std::slice::from_ref(&nowhere)).await;
    let (_, found) = sol.get("/parked?code=webhook_malformed&channel=none").await;
    assert_eq!(
        (found["items"].as_array().unwrap().len(), &found["items"][0]["id"]),
        (1, &json!(nowhere.id.to_string()))
    );
    assert_eq!(sol.get("/parked?channel=whatsapp").await.1["items"].as_array().unwrap().len(), 6);
    assert_eq!(sol.get("/parked/causes?channel=none").await.1["total"], 1);
    assert_eq!(sol.get("/parked?channel=no%20channel").await.0, 400);
    assert_eq!(sol.get("/parked?since=99999999999999").await.1["items"], json!([]));
    assert_eq!(sol.get("/parked?before=nonsense").await.0, 400);

    let (_, detail) = sol.get(&format!("/parked/{}", all[0].id)).await;
    assert_eq!((&detail["body"]["form"], &detail["body"]["truncated"]), (&json!("text"), &json!(false)));
    assert_eq!(detail["body"]["text"], "{\"token\": \"[secret]\", oops");
    assert!(!detail.to_string().contains("very-secret-key"), "{detail}");
    let (_, detail) = sol.get(&format!("/parked/{}", readable(&world).id)).await;
    assert_eq!((&detail["content"]["text"], &detail["address"]), (&json!("bom dia"), &json!("+5511carla")));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn x_2_what_can_go_on_now_goes_on_its_way() {
    let world = World::start().await;
    let one = readable(&world);
    park(&world, std::slice::from_ref(&one)).await;
    let sol = world.signed_in("sol@acme.test").await;
    let path = format!("/parked/{}", one.id);
    let (status, item) = post(&sol, &format!("{path}/redrive"), json!({})).await;
    assert_eq!((status, &item["state"], &item["requested"]), (200, &json!("requested"), &json!("redrive")));
    let (status, problem) = post(&sol, &format!("{path}/redrive"), json!({})).await;
    assert_eq!((status, &problem["code"]), (409, &json!("already_decided")), "another click of somebody else");
    until("the conversation", || async {
        sol.get("/conversations").await.1["items"].as_array().unwrap().iter().any(|one| one["preview"] == "bom dia")
    })
    .await;
    until("the end", || async { sol.get(&path).await.1["item"]["state"] == "redriven" }).await;
    let (_, detail) = sol.get(&path).await;
    assert_eq!(
        (&detail["decisions"][0]["ruling"], &detail["decisions"][0]["by"]["name"]),
        (&json!("redrive"), &json!("sol"))
    );
    assert_eq!(causes(&sol).await["total"], 0);
    assert_eq!(sol.get("/parked?state=ended").await.1["items"][0]["id"], json!(one.id.to_string()));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn x_2_a_group_goes_on_its_way_and_those_in_doubt_stay() {
    let world = World::start().await;
    let calls: Vec<Parked> = (1..=3).map(|n| malformed(&world, "acme", n)).collect();
    let doubt =
        Parked { code: codes::IN_DOUBT, message: Some(MessageId::derive(&["x"])), ..malformed(&world, "acme", 9) };
    park(&world, &calls).await;
    park(&world, std::slice::from_ref(&doubt)).await;
    let sol = world.signed_in("sol@acme.test").await;
    assert_eq!(post(&sol, "/parked/redrive", json!({})).await.0, 400, "all must be said");
    let group = json!({ "code": "webhook_malformed", "account": "acme-whatsapp" });
    let request = sol.request("POST", "/parked/redrive").header("idempotency-key", "group").json(&group);
    let (first, again) = (request.try_clone().unwrap().send().await.unwrap(), request.send().await.unwrap());
    assert_eq!(first.json::<Value>().await.unwrap(), json!({ "count": 3 }));
    assert_eq!(again.status(), 200, "the same click again is no error");
    // This router has no way to the hooks: each comes back to the list with that reason.
    until("the router's answers", || async {
        let (_, page) = sol.get("/parked?code=webhook_malformed").await;
        page["items"].as_array().unwrap().iter().all(|one| one["reason"].as_str().unwrap().contains("not redriven"))
    })
    .await;
    for one in &calls {
        let decisions = world.env.parking.decisions(one.id).await.unwrap();
        assert_eq!(decisions.len(), 1, "decided once");
    }
    assert_eq!(sol.get(&format!("/parked/{}", doubt.id)).await.1["item"]["state"], "waiting");
    let (status, problem) = post(&sol, &format!("/parked/{}/redrive", doubt.id), json!({})).await;
    assert_eq!((status, &problem["code"]), (400, &json!("bad_request")));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn x_2_what_is_discarded_is_kept_with_its_reason() {
    let world = World::start().await;
    let one = malformed(&world, "acme", 1);
    park(&world, std::slice::from_ref(&one)).await;
    let sol = world.signed_in("sol@acme.test").await;
    let path = format!("/parked/{}", one.id);
    assert_eq!(post(&sol, &format!("{path}/discard"), json!({ "reason": "  " })).await.0, 400);
    let (status, item) = post(&sol, &format!("{path}/discard"), json!({ "reason": "a probe of ours" })).await;
    assert_eq!((status, &item["state"]), (200, &json!("ended")));
    let (_, detail) = sol.get(&path).await;
    let decision = &detail["decisions"][0];
    assert_eq!((&decision["ruling"], &decision["reason"]), (&json!("discard"), &json!("a probe of ours")));
    assert_eq!(world.env.views.audit(Some(org("acme"))).await.unwrap().discarded, 1);
    world.stop().await;
}

/// Ana wrote to carla, and nobody knows whether it was sent.
async fn doubtful(world: &World) -> (Message, Parked) {
    let conversation = world.conversation("acme", "sales", "carla").await;
    let failure = Failure { code: codes::IN_DOUBT, provider_code: Some("504".into()), reason: None };
    let mut delivery = Delivery::queued(conversation.opened_at);
    delivery.note(0, 1, DeliveryState::Parked, &[], Some(failure), conversation.opened_at);
    let message = Message {
        author: Author::User(user("ana@acme.test")),
        delivery: Some(delivery),
        provider_id: None,
        ..said(&conversation, 1, Content::text("chega amanhã"))
    };
    let request = SendRequest {
        message: message.id,
        conversation: conversation.id,
        thread: conversation.thread.clone(),
        channel: conversation.channel.clone(),
        content: message.content.clone(),
        reply_to: None,
        author: Some(user("ana@acme.test")),
        at: conversation.opened_at,
        last_inbound_at: Some(conversation.opened_at),
    };
    let parked = Parked {
        id: ParkedId::derive(&["doubt"]),
        place: "whatsapp send".into(),
        code: codes::IN_DOUBT,
        provider_code: Some("504".into()),
        message: Some(message.id),
        headers: vec![(headers::KIND.into(), SendRequest::KIND.into())],
        body: wire::encode(&request).to_vec(),
        ..malformed(world, "acme", 0)
    };
    let commit = Commit { messages: vec![message.clone()], parked: vec![parked.clone()], ..Commit::default() };
    world.store.store.commit(&commit).await.unwrap();
    (message, parked)
}

async fn state(client: &Client, message: &Message) -> Value {
    let (_, page) = client.get(&format!("/conversations/{}/messages", message.conversation)).await;
    page["items"].as_array().unwrap().iter().find(|one| one["id"] == message.id.to_string()).unwrap()["delivery"]
        .clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn x_2_a_person_says_what_became_of_a_message_in_doubt() {
    let world = World::start().await;
    let (message, parked) = doubtful(&world).await;
    let (sol, zoe) = (world.signed_in("sol@acme.test").await, world.signed_in("zoe@other.test").await);
    let path = format!("/parked/{}", parked.id);
    let (_, detail) = sol.get(&path).await;
    assert_eq!((&detail["item"]["in_doubt"], &detail["item"]["provider_code"]), (&json!(true), &json!("504")));
    assert_eq!(detail["content"]["text"], "chega amanhã");
    assert_eq!(detail["conversation"], json!(message.conversation.to_string()));
    let decision = format!("{path}/decision");
    assert_eq!(post(&zoe, &decision, json!({ "decision": "arrived" })).await.0, 404);
    let (first, second) = tokio::join!(
        post(&sol, &decision, json!({ "decision": "arrived" })),
        post(&sol, &decision, json!({ "decision": "failed", "reason": "no" })),
    );
    let mut statuses = [first.0, second.0];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409], "{first:?} {second:?}");
    let expected = if first.0 == 200 { "sent" } else { "failed" };
    assert_eq!(state(&sol, &message).await["state"], expected);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn x_2_a_message_said_to_have_failed_shows_it_in_its_conversation() {
    let world = World::start().await;
    let (message, parked) = doubtful(&world).await;
    let sol = world.signed_in("sol@acme.test").await;
    let (status, item) = post(&sol, &format!("/parked/{}/decision", parked.id), json!({ "decision": "failed" })).await;
    assert_eq!((status, &item["state"]), (200, &json!("ended")));
    let delivery = state(&sol, &message).await;
    assert_eq!((&delivery["state"], &delivery["failure"]["code"]), (&json!("failed"), &json!("discarded")));
    assert_eq!(delivery["failure"]["provider_code"], "504");
    world.stop().await;
}
