//! Templates: which are offered, and what becomes of one that is sent.

use domain::{
    AccountId, Failure, Template, TemplateAction, TemplateButton, TemplateHeader, TemplateStatus, Timestamp,
    error::codes::PROVIDER_UNAVAILABLE,
};
use ports::journal::Commit;
use serde_json::{Value, json};

use crate::harness::{Client, World, Write as _, org, template_of, user, waiting};

/// A conversation that Ana serves and whose contact wrote long ago.
async fn served(world: &World) -> String {
    let mut conversation = waiting("acme", "sales", "carla", Timestamp::from_secs(1_000));
    conversation.agent = Some(user("ana@acme.test"));
    conversation.stage = domain::Stage::Active;
    let commit = Commit { conversations: vec![conversation.clone()], ..Commit::default() };
    let change = domain::DeskChange::Conversation(Box::new(conversation.clone()));
    world.store.write(commit, change, true).await;
    format!("/conversations/{}", conversation.id)
}

fn order() -> Template {
    let link = TemplateAction::Link { url: "https://loja.test/{{1}}".into() };
    Template {
        header: Some(TemplateHeader::Text { text: "Pedido".into() }),
        footer: Some("Loja".into()),
        buttons: vec![TemplateButton { label: "Ver".into(), action: link }],
        ..template_of("t2", "Oi {{1}}, o pedido {{2}} chegou.")
    }
}

async fn say(client: &Client, at: &str, id: &str, params: &[&str]) -> (u16, Value) {
    let body = json!({ "content": { "type": "template", "id": id, "params": params } });
    client.call("POST", &format!("{at}/messages"), Some(body)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn ses_1_ses_8_approved_templates_of_the_account_are_offered() {
    let world = World::start().await;
    let at = served(&world).await;
    let ana = world.signed_in("ana@acme.test").await;
    let path = format!("{at}/templates");
    let (status, list) = ana.get(&path).await;
    assert_eq!((status, list), (200, json!({ "items": [], "read_at": null, "failed": null })));
    let paused = Template { status: TemplateStatus::Paused, ..template_of("t3", "Pausado") };
    world.templates("acme", &[order(), template_of("t1", "Olá"), paused]).await;
    world.templates("other", &[template_of("t9", "De outros")]).await;
    let (_, list) = ana.get(&path).await;
    let ids: Vec<_> = list["items"].as_array().unwrap().iter().map(|one| one["id"].clone()).collect();
    assert_eq!(ids, ["t1", "t2"]);
    let one = &list["items"][1];
    assert_eq!((&one["header"], &one["footer"], &one["places"]), (&json!("Pedido"), &json!("Loja"), &json!(3)));
    assert_eq!((&one["body_places"], &one["category"]), (&json!(2), &json!("utility")));
    assert_eq!(one["buttons"], json!([{ "label": "Ver", "action": "link", "target": "https://loja.test/{{1}}" }]));
    assert!(list["read_at"].is_i64(), "{list}");

    let account = AccountId::derive(&["acme", "whatsapp"]);
    let failure = Failure { reason: Some("503".into()), ..Failure::of(PROVIDER_UNAVAILABLE) };
    world.env.templates.failed(org("acme"), account, &failure, Timestamp::from_secs(9)).await.unwrap();
    let (_, list) = ana.get(&path).await;
    assert_eq!((list["items"].as_array().unwrap().len(), &list["failed"]), (2, &json!("provider_unavailable")));
    for stranger in ["bia@acme.test", "zoe@other.test"] {
        let stranger = world.signed_in(stranger).await;
        assert_eq!(stranger.get(&path).await.0, 404);
        assert_eq!(say(&stranger, &at, "t1", &[]).await.0, 404);
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ses_1_ses_8_a_template_goes_out_filled_as_the_provider_has_it() {
    let world = World::start().await;
    let at = served(&world).await;
    world.templates("acme", &[order()]).await;
    let ana = world.signed_in("ana@acme.test").await;
    let (status, message) = say(&ana, &at, "t2", &["Carla", "nº 7", "7"]).await;
    assert_eq!(status, 201, "{message}");
    let said = json!({ "type": "template", "id": "t2", "language": "pt_BR", "params": ["Carla", "nº 7", "7"],
        "preview": "Pedido\n\nOi Carla, o pedido nº 7 chegou.\n\nLoja" });
    assert_eq!(message["content"], said);
    for (params, what) in [
        (&["Carla"][..], "places"),
        (&["Carla", " ", "7"], "value 2 is blank"),
        (&["Carla", "a\nb", "7"], "value 2 has a line break"),
        (&[&"x".repeat(1_100), "b", "7"], "1024 at most"),
    ] {
        let (status, problem) = say(&ana, &at, "t2", params).await;
        assert_eq!((status, &problem["code"]), (400, &json!("template_unfilled")));
        assert!(problem["detail"].as_str().unwrap().contains(what), "{problem}");
    }
    let keyed = async || {
        let body = json!({ "content": { "type": "template", "id": "t2", "params": ["Carla", "nº 8", "8"] } });
        let call = ana.request("POST", &format!("{at}/messages")).header("Idempotency-Key", "one intent").json(&body);
        let answer = call.send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let (status, first) = keyed().await;
    assert_eq!(status, 201, "{first}");
    let paused = [("t2".to_owned(), TemplateStatus::Paused)];
    let account = AccountId::derive(&["acme", "whatsapp"]);
    world.env.templates.changed(org("acme"), account, &paused, Timestamp::from_secs(9)).await.unwrap();
    let (status, problem) = say(&ana, &at, "t2", &["Carla", "nº 7", "7"]).await;
    assert_eq!((status, &problem["code"]), (409, &json!("template_unavailable")));
    let (status, again) = keyed().await;
    assert_eq!((status, &again["id"]), (201, &first["id"]), "the same intent again answers the same");
    world.stop().await;
}
