//! Tables of frames, and the reliability battery.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::sync::Arc;

use afluente_webchat::Webchat;
use channel_kit::{
    ChannelType, Ingress, Link, Visitor,
    testing::{battery, tables::shown},
};
use domain::{Account, AccountId, Address, Content, Media, MediaKind, MediaSource, OrganizationId, QueueId, Secret};
use serde_json::{Value, json};

fn account() -> Account {
    Account {
        id: AccountId::derive(&["webchat"]),
        organization: OrganizationId::derive(&["demo"]),
        channel: "webchat".parse().unwrap(),
        name: "demo-webchat".into(),
        label: "Site".into(),
        queue: QueueId::derive(&["support"]),
        settings: Default::default(),
        secrets: [("link_secret".to_owned(), Secret::new("a-link-secret-of-the-tests"))].into(),
        active: true,
    }
}

fn link() -> Arc<dyn Link> {
    let Ingress::Link(link) = Webchat.open(&account()).unwrap().ingress else { panic!("a link") };
    link
}

fn receive(frame: &Value) -> Result<Vec<Value>, String> {
    let profile = domain::Profile { name: Some("Ana".into()), ..Default::default() };
    let visitor = Visitor { address: Address::new("v1"), profile };
    link().receive(&frame.to_string(), &visitor).map(|all| all.iter().map(shown).collect()).map_err(|error| error.0)
}

/// The arrival of a message with this content.
fn message(content: &Value) -> Value {
    let profile = json!({ "name": "Ana", "email": null, "phone": null, "username": null });
    let message = json!({ "provider_id": "v1:c1", "content": content, "profile": profile, "reply_to": null });
    json!({ "key": "message:v1:c1", "address": "v1", "at": null, "message": message })
}

#[test]
fn ch_9_ch_13_ch_14_ch_15_each_frame_arrives_as_the_table_says() {
    let card = json!({ "name": "Bia", "phones": ["+5511988880000"], "emails": [], "organization": null });
    let upload = json!({ "visitor": "v1", "key": "o/upload/1", "sha256": "00", "mime": "image/png", "size": 3, "name": "a.png" });
    let stored = json!({
        "type": "media", "kind": "image", "mime": "image/png", "name": "a.png", "caption": "look", "size": 3,
        "source": { "state": "stored", "key": "o/upload/1", "sha256": "00" },
    });
    let place = json!({ "type": "location", "latitude": -23.5, "longitude": -46.5, "name": null, "address": null });
    let same = [
        json!({ "type": "text", "text": "oi" }),
        place,
        json!({ "type": "contacts", "cards": [card] }),
        json!({ "type": "choice", "label": "Sim", "payload": "y" }),
    ];
    let mut table: Vec<(Value, Value)> = same.iter().map(|content| (content.clone(), content.clone())).collect();
    table.push((json!({ "type": "media", "upload": upload, "caption": "look" }), stored));
    table.push((json!({ "type": "wave" }), json!({ "type": "unsupported", "kind": "wave" })));
    table.push((json!({}), json!({ "type": "unsupported", "kind": "unknown" })));
    for (said, expected) in table {
        let frame = json!({ "type": "message", "id": "c1", "content": said });
        assert_eq!(receive(&frame), Ok(vec![message(&expected)]), "{said}");
    }
}

#[test]
fn ch_9_frames_that_make_no_sense_are_refused() {
    let long = "a".repeat(8_001);
    for content in [
        json!({ "type": "text", "text": "  " }),
        json!({ "type": "text", "text": long }),
        json!({ "type": "text" }),
        json!({ "type": "media", "caption": "a file without its ticket" }),
        json!({ "type": "location", "latitude": 91.0, "longitude": 0.0 }),
        json!({ "type": "contacts", "cards": [] }),
    ] {
        assert!(receive(&json!({ "type": "message", "id": "c1", "content": content })).is_err(), "{content}");
    }
    assert!(receive(&json!({ "type": "message", "content": { "type": "text", "text": "no id" } })).is_err());
    assert!(receive(&json!({ "type": "dance" })).is_err());
}

#[test]
fn ch_11_the_page_reports_delivered_and_read() {
    for kind in ["delivered", "read"] {
        let arrivals = receive(&json!({ "type": kind, "ids": ["msg_1-0", "", "msg_2-0"] })).unwrap();
        let keys: Vec<_> = arrivals.iter().map(|arrival| arrival["key"].as_str().unwrap().to_owned()).collect();
        assert_eq!(keys, [format!("receipt:msg_1-0:{kind}"), format!("receipt:msg_2-0:{kind}")]);
        assert_eq!(arrivals[0]["receipt"]["state"], kind);
    }
}

#[test]
fn ch_13_a_page_never_reads_where_media_is_kept() {
    let media = Content::Media(Media {
        kind: MediaKind::Document,
        mime: "application/pdf".into(),
        name: Some("nota.pdf".into()),
        caption: None,
        size: Some(9),
        source: MediaSource::Stored { key: "o/secret-place".into(), sha256: "00".into() },
    });
    let shown = link().render(&media).to_string();
    assert!(shown.contains("nota.pdf") && !shown.contains("secret-place"), "{shown}");
}

#[test]
fn a_short_link_secret_is_named() {
    let mut bad = account();
    bad.secrets.insert("link_secret".into(), Secret::new("short"));
    let Err(wrong) = Webchat.open(&bad) else { panic!("opened with a short secret") };
    assert_eq!(wrong.key, "link_secret");
    assert!(!wrong.to_string().contains("short"));
}

#[test]
fn ch_9_the_widget_is_one_script_and_the_demo_embeds_it() {
    let pages = Webchat.pages();
    let body = |path: &str| pages.iter().find(|page| page.path == path).unwrap().body;
    assert!(body("widget.js").starts_with("(() => {") && body("widget.js").ends_with("})();\n"));
    assert!(!body("widget.js").contains("innerHTML"), "what people write never becomes HTML");
    assert!(body("demo").contains("demo-webchat"));
}

#[tokio::test]
async fn reliability_battery() {
    battery::link(battery::LinkFixture {
        kind: Arc::new(Webchat),
        account: account(),
        text: |id, text| json!({ "type": "message", "id": id, "content": { "type": "text", "text": text } }),
        delivered: |part| json!({ "type": "delivered", "ids": [part] }),
    })
    .await;
}
