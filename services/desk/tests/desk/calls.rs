use domain::{Content, DeskChange, Media, MediaKind, MediaSource};
use ports::journal::Commit;
use serde_json::json;

use crate::harness::{World, Write as _, queue, said, template_of, user};

#[tokio::test(flavor = "multi_thread")]
async fn a_page_starts_from_me_and_the_lists() {
    let world = World::start().await;
    let (sales, support) =
        (world.conversation("acme", "sales", "carla").await, world.conversation("acme", "support", "davi").await);
    let ana = world.signed_in("ana@acme.test").await;
    let (status, me) = ana.get("/me").await;
    assert_eq!(status, 200);
    assert_eq!((&me["organization"]["name"], &me["seat"]["presence"]), (&json!("acme"), &json!("offline")));
    assert_eq!(me["queues"].as_array().unwrap().len(), 2);
    assert_eq!(me["accounts"][0]["receipts"], json!({ "sent": true, "delivered": true, "read": true }));
    assert_eq!(me["cursor"], 2);
    assert!(!me.to_string().contains("secret"), "{me}");

    let (_, mine) = ana.get("/conversations?state=waiting").await;
    let ids: Vec<_> = mine["items"].as_array().unwrap().iter().map(|one| one["id"].clone()).collect();
    assert_eq!(ids, [json!(sales.id.to_string())]);
    assert_eq!(mine["counts"], json!([{ "channel": "whatsapp", "state": "waiting", "count": 1 }]));
    let (_, all) = world.signed_in("sol@acme.test").await.get("/conversations").await;
    assert_eq!(all["items"].as_array().unwrap().len(), 2);
    assert_eq!(ana.get(&format!("/conversations/{}", support.id)).await.0, 404);

    let (_, one) = ana.get(&format!("/conversations/{}", sales.id)).await;
    assert_eq!(one["contact"]["phone"], "+5511carla");
    assert_eq!(one["window"]["rule"], "timed");
    assert_eq!(one["window"]["closes_at"], sales.opened_at.millis() + 24 * 3_600_000);
    assert_eq!(ana.get("/conversations?state=sleeping").await.0, 400);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn isolated_another_organizations_things_do_not_exist() {
    let world = World::start().await;
    let conversation = world.conversation("acme", "sales", "carla").await;
    let zoe = world.signed_in("zoe@other.test").await;
    let path = format!("/conversations/{}", conversation.id);
    assert_eq!(zoe.get("/conversations").await.1["items"], json!([]));
    for (method, rest) in [
        ("GET", ""),
        ("GET", "/messages"),
        ("POST", "/take"),
        ("POST", "/return"),
        ("POST", "/conclude"),
        ("POST", "/read"),
    ] {
        let body = (method == "POST").then(|| json!({}));
        let (status, problem) = zoe.call(method, &format!("{path}{rest}"), body).await;
        assert_eq!((status, &problem["code"]), (404, &json!("not_found")), "{method} {rest}");
    }
    let text = json!({ "content": { "type": "text", "text": "oi" } });
    assert_eq!(zoe.call("POST", &format!("{path}/messages"), Some(text)).await.0, 404);
    let ana = world.signed_in("ana@acme.test").await;
    ana.online().await;
    assert_eq!(ana.call("POST", &format!("{path}/take"), Some(json!({}))).await.0, 200);
    // An agent of another organization is nobody's target.
    let to = json!({ "to": { "type": "agent", "id": user("zoe@other.test").to_string() } });
    assert_eq!(ana.call("POST", &format!("{path}/transfer"), Some(to)).await.0, 404);
    let to = json!({ "to": { "type": "queue", "id": queue("other", "sales").to_string() } });
    assert_eq!(ana.call("POST", &format!("{path}/transfer"), Some(to)).await.0, 404);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn x_8_the_same_intent_again_changes_nothing_and_answers_the_same() {
    let world = World::start().await;
    let conversation = world.conversation("acme", "sales", "carla").await;
    let ana = world.signed_in("ana@acme.test").await;
    ana.online().await;
    let path = format!("/conversations/{}", conversation.id);
    assert_eq!(ana.call("POST", &format!("{path}/take"), Some(json!({}))).await.0, 200);
    let write = |key: &'static str| {
        let request = ana.request("POST", &format!("{path}/messages")).header("idempotency-key", key);
        request.json(&json!({ "content": { "type": "text", "text": "bom dia" }, "reply_to": null })).send()
    };
    let (first, again) = (write("k1").await.unwrap(), write("k1").await.unwrap());
    assert_eq!((first.status().as_u16(), again.status().as_u16()), (201, 201));
    let (first, again): (serde_json::Value, serde_json::Value) =
        (first.json().await.unwrap(), again.json().await.unwrap());
    assert_eq!(first, again);
    assert_eq!(first["author"]["user"]["name"], "ana");
    assert_eq!(first["delivery"]["state"], "queued");
    assert_eq!(write("k2").await.unwrap().status(), 201);
    let (_, messages) = ana.get(&format!("{path}/messages")).await;
    assert_eq!(messages["items"].as_array().unwrap().len(), 2);
    assert_eq!(messages["has_more"], false);
    let (_, last) = ana.get(&format!("{path}/messages?limit=1")).await;
    assert_eq!((&last["items"][0]["sequence"], &last["has_more"]), (&json!(2), &json!(true)));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn x_8_one_key_at_two_calls_or_with_two_bodies_is_two_intents() {
    let world = World::start().await;
    let (carla, davi) =
        (world.conversation("acme", "sales", "carla").await, world.conversation("acme", "sales", "davi").await);
    let ana = world.signed_in("ana@acme.test").await;
    let keyed = async |method: &str, path: &str, body: &str| {
        let request = ana.request(method, path).header("idempotency-key", "k");
        let answer = request.header("content-type", "application/json").body(body.to_owned()).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<serde_json::Value>().await.unwrap())
    };
    let (status, seat) = keyed("PUT", "/me/presence", r#"{"presence":"paused"}"#).await;
    assert_eq!((status, &seat["presence"]), (200, &json!("paused")));
    let (status, seat) = keyed("PUT", "/me/presence", r#"{"presence":"online"}"#).await;
    assert_eq!((status, &seat["presence"]), (200, &json!("online")));
    for conversation in [&carla, &davi] {
        let path = format!("/conversations/{}", conversation.id);
        let (status, taken) = keyed("POST", &format!("{path}/take"), "{}").await;
        assert_eq!((status, &taken["agent"]["name"]), (200, &json!("ana")));
        let path = format!("{path}/messages");
        let (status, first) = keyed("POST", &path, r#"{"content":{"type":"text","text":"um"},"reply_to":null}"#).await;
        assert_eq!((status, &first["content"]["text"]), (201, &json!("um")));
        let (status, second) = keyed("POST", &path, r#"{"content":{"type":"text","text":"dois"}}"#).await;
        assert_eq!((status, &second["content"]["text"]), (201, &json!("dois")));
        // The same words in another order of fields are the same intent.
        let again = keyed("POST", &path, r#"{ "reply_to": null, "content": {"text": "um", "type": "text"} }"#).await;
        assert_eq!(again, (201, first));
        assert_eq!(ana.get(&path).await.1["items"].as_array().unwrap().len(), 2);
    }
    let (status, over) = keyed("POST", &format!("/conversations/{}/conclude", carla.id), "{}").await;
    assert_eq!((status, &over["state"]), (200, &json!("closed")));
    assert_eq!(ana.get(&format!("/conversations/{}", davi.id)).await.1["state"], "active");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_supervisor_writes_without_taking() {
    let world = World::start().await;
    let conversation = world.conversation("acme", "sales", "carla").await;
    let (ana, sol) = (world.signed_in("ana@acme.test").await, world.signed_in("sol@acme.test").await);
    let path = format!("/conversations/{}", conversation.id);
    let text = json!({ "content": { "type": "text", "text": "oi" } });
    let (status, problem) = ana.call("POST", &format!("{path}/messages"), Some(text.clone())).await;
    assert_eq!((status, &problem["code"]), (403, &json!("not_yours")));
    let (status, message) = sol.call("POST", &format!("{path}/messages"), Some(text)).await;
    assert_eq!((status, &message["author"]["user"]["name"]), (201, &json!("sol")));
    let (_, now) = sol.get(&path).await;
    assert_eq!((&now["state"], &now["agent"]), (&json!("waiting"), &json!(null)));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn x_8_who_gave_a_conversation_away_may_ask_again_whether_it_went() {
    let world = World::start().await;
    let conversation = world.conversation("acme", "support", "davi").await;
    let (ana, bia) = (world.signed_in("ana@acme.test").await, world.signed_in("bia@acme.test").await);
    ana.online().await;
    bia.online().await;
    let path = format!("/conversations/{}", conversation.id);
    let hand_over = |from: &crate::harness::Client, to: &str, key: &'static str| {
        let to = json!({ "to": { "type": "agent", "id": user(to).to_string() } });
        from.request("POST", &format!("{path}/transfer")).header("idempotency-key", key).json(&to).send()
    };
    assert_eq!(bia.call("POST", &format!("{path}/take"), Some(json!({}))).await.0, 200);
    assert_eq!(hand_over(&bia, "ana@acme.test", "b1").await.unwrap().status(), 200);
    // It is in Ana's hand alone now; then it goes back, out of her sight. Her call's answer was lost: she repeats it.
    for _ in 0..2 {
        let answer = hand_over(&ana, "bia@acme.test", "a1").await.unwrap();
        assert_eq!(answer.status(), 200);
        assert_eq!(answer.json::<serde_json::Value>().await.unwrap()["agent"]["name"], "bia");
    }
    assert_eq!(hand_over(&ana, "bia@acme.test", "a2").await.unwrap().status(), 404);
    assert_eq!(ana.get(&path).await.0, 404);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_a_problem_in_the_callers_language() {
    let world = World::start().await;
    let conversation = world.conversation("acme", "sales", "carla").await;
    let ana = world.signed_in("ana@acme.test").await;
    let sol = world.signed_in("sol@acme.test").await;
    ana.online().await;
    sol.online().await;
    let path = format!("/conversations/{}/take", conversation.id);
    assert_eq!(ana.call("POST", &path, Some(json!({}))).await.0, 200);
    for (language, title) in [
        ("pt-BR,pt;q=0.9", "Outro agente já assumiu este atendimento."),
        ("es", "Otro agente ya tomó esta conversación."),
        ("de", "Another agent already took this conversation."),
    ] {
        let answer = sol.request("POST", &path).header("accept-language", language).json(&json!({})).send().await;
        let answer = answer.unwrap();
        assert_eq!(answer.status(), 409);
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        let problem: serde_json::Value = answer.json().await.unwrap();
        assert_eq!(problem["title"], title);
        assert_eq!((&problem["type"], &problem["status"]), (&json!("/errors/already_taken"), &json!(409)));
        assert!(problem["detail"].is_string() && problem.get("trace_id").is_some(), "{problem}");
    }
    for (method, path, status) in [("GET", "/nothing", 404), ("GET", "/conversations/x/y/z", 404), ("PUT", "/me", 405)]
    {
        let (given, problem) = sol.call(method, path, None).await;
        assert_eq!((given, problem["status"].as_u64()), (status, Some(u64::from(status))), "{method} {path}");
    }
    let (status, problem) = sol.call("PUT", "/me/presence", Some(json!({ "presence": "asleep" }))).await;
    assert_eq!((status, &problem["code"]), (400, &json!("bad_request")));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ses_1_free_text_outside_the_window_is_refused_at_once() {
    let world = World::start().await;
    let mut conversation = crate::harness::waiting("acme", "sales", "carla", domain::Timestamp::from_secs(1_000));
    conversation.agent = Some(user("ana@acme.test"));
    conversation.stage = domain::Stage::Active;
    let commit = Commit { conversations: vec![conversation.clone()], ..Commit::default() };
    world.store.write(commit, DeskChange::Conversation(Box::new(conversation.clone())), true).await;
    let ana = world.signed_in("ana@acme.test").await;
    let path = format!("/conversations/{}/messages", conversation.id);
    let text = json!({ "content": { "type": "text", "text": "oi" } });
    let (status, problem) = ana.call("POST", &path, Some(text)).await;
    assert_eq!((status, &problem["code"]), (409, &json!("window_closed")));
    let template = json!({ "content": { "type": "template", "id": "t1" } });
    let (status, problem) = ana.call("POST", &path, Some(template.clone())).await;
    assert_eq!((status, &problem["code"]), (409, &json!("template_unavailable")));
    world.templates("acme", &[template_of("t1", "Estamos aqui.")]).await;
    let (status, message) = ana.call("POST", &path, Some(template)).await;
    assert_eq!((status, &message["content"]["preview"]), (201, &json!("Estamos aqui.")));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_providers_reference_never_leaves() {
    let world = World::start().await;
    let conversation = world.conversation("acme", "sales", "carla").await;
    let media = Media {
        kind: MediaKind::Image,
        mime: "image/jpeg".into(),
        name: None,
        caption: None,
        size: None,
        source: MediaSource::Pending { reference: "https://cdn.test/?token=hush".into(), expires_at: None },
    };
    let message = said(&conversation, 1, Content::Media(media));
    let commit = Commit { messages: vec![message.clone()], ..Commit::default() };
    world.store.write(commit, DeskChange::Message(Box::new(message)), true).await;
    let ana = world.signed_in("ana@acme.test").await;
    let (_, messages) = ana.get(&format!("/conversations/{}/messages", conversation.id)).await;
    assert_eq!(messages["items"][0]["content"]["state"], "pending");
    assert!(!messages.to_string().contains("hush"), "{messages}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn presence_language_and_contacts_are_passed_on() {
    let world = World::start().await;
    let conversation = world.conversation("acme", "sales", "carla").await;
    let ana = world.signed_in("ana@acme.test").await;
    let (status, seat) = ana.call("PUT", "/me/presence", Some(json!({ "presence": "online" }))).await;
    assert_eq!((status, &seat["presence"], &seat["capacity"]), (200, &json!("online"), &json!(5)));
    let (_, agents) = ana.get("/agents").await;
    let names: Vec<_> = agents["items"].as_array().unwrap().iter().map(|one| one["name"].clone()).collect();
    assert_eq!(names, [json!("ana"), json!("bia"), json!("sol")]);
    assert_eq!(agents["items"][0]["presence"], "online");
    let (status, person) = ana.call("PUT", "/me/language", Some(json!({ "language": "es" }))).await;
    assert_eq!((status, &person["language"]), (200, &json!("es")));
    assert_eq!(ana.get("/me").await.1["user"]["language"], "es");
    let card =
        json!({ "card": { "name": "Bia", "phones": ["+55 11 99999-0000"], "emails": [], "organization": null } });
    let path = format!("/conversations/{}/contacts", conversation.id);
    let (status, first) = ana.call("POST", &path, Some(card.clone())).await;
    assert_eq!((status, &first["name"]), (201, &json!("Bia")));
    assert_eq!(ana.call("POST", &path, Some(card)).await.1["id"], first["id"]);
    world.stop().await;
}
