use reqwest::multipart::{Form, Part};
use serde_json::json;

use crate::harness::{Client, World};

const PICTURE: &[u8] = b"\x89PNG\r\n\x1a\n0123456789";

async fn upload(client: &Client, name: &str, mime: &str, bytes: &[u8]) -> (u16, serde_json::Value) {
    let part = Part::bytes(bytes.to_vec()).file_name(name.to_owned()).mime_str(mime).unwrap();
    let request = client.request("POST", "/media").header("idempotency-key", "upload-1");
    let answer = request.multipart(Form::new().part("file", part)).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_its_organizations_alone() {
    let world = World::start().await;
    let ana = world.signed_in("ana@acme.test").await;
    let (status, file) = upload(&ana, "foto.png", "image/png", PICTURE).await;
    assert_eq!(status, 201);
    assert_eq!(
        (&file["kind"], &file["mime"], &file["name"]),
        (&json!("image"), &json!("image/png"), &json!("foto.png"))
    );
    assert_eq!(upload(&ana, "foto.png", "image/png", PICTURE).await.1["key"], file["key"], "the same intent");
    let key = file["key"].as_str().unwrap();

    let whole = ana.request("GET", &format!("/media/{key}")).send().await.unwrap();
    assert_eq!(whole.status(), 200);
    assert_eq!(whole.headers()["content-disposition"], "inline");
    assert_eq!(whole.headers()["x-content-type-options"], "nosniff");
    assert!(whole.headers()["content-security-policy"].to_str().unwrap().contains("sandbox"));
    assert_eq!(whole.bytes().await.unwrap().as_ref(), PICTURE);
    // The page writes the key as one segment.
    let encoded = key.replace('/', "%2F");
    let part = ana.request("GET", &format!("/media/{encoded}")).header("range", "bytes=8-11").send().await.unwrap();
    assert_eq!((part.status().as_u16(), part.headers()["content-range"].to_str().unwrap()), (206, "bytes 8-11/18"));
    assert_eq!(part.bytes().await.unwrap().as_ref(), b"0123");

    let zoe = world.signed_in("zoe@other.test").await;
    assert_eq!(zoe.get(&format!("/media/{key}")).await.0, 404);
    let own = key.split('/').next().unwrap();
    let foreign = crate::harness::org("other").to_string();
    assert_eq!(zoe.get(&format!("/media/{foreign}%2F..%2F{}", key.replace('/', "%2F"))).await.0, 404);
    assert_ne!(own, foreign);
    assert_eq!(
        crate::harness::http().get(format!("{}/api/v1/media/{key}", world.base)).send().await.unwrap().status(),
        401
    );
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_act_in_the_page_is_a_download() {
    let world = World::start().await;
    let ana = world.signed_in("ana@acme.test").await;
    for (name, mime, bytes) in [
        ("a.html", "text/html", &b"<script>alert(1)</script>"[..]),
        ("a.svg", "image/svg+xml", &b"<svg onload=alert(1)/>"[..]),
        ("a.png", "image/png", &b"<script>alert(1)</script>"[..]),
    ] {
        let (status, file) = upload(&ana, name, mime, bytes).await;
        assert_eq!((status, &file["kind"]), (201, &json!("document")), "{name}");
        let key = file["key"].as_str().unwrap();
        let answer = ana.request("GET", &format!("/media/{key}")).send().await.unwrap();
        assert_eq!(answer.headers()["content-disposition"], "attachment", "{name}");
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_too_large_is_refused_and_one_that_is_sent_is_the_stored_one() {
    let config =
        afluente_desk::Config { max_upload_bytes: 100_000, names_millis: 0, ..afluente_desk::Config::default() };
    let world = World::with(config).await;
    let ana = world.signed_in("ana@acme.test").await;
    for size in [100_001, 300_000] {
        let (status, problem) = upload(&ana, "a.bin", "application/zip", &vec![0; size]).await;
        assert_eq!((status, &problem["code"]), (413, &json!("too_large")));
    }
    let (_, file) = upload(&ana, "foto.png", "image/png", PICTURE).await;
    let conversation = world.conversation("acme", "sales", "carla").await;
    ana.online().await;
    let path = format!("/conversations/{}/messages", conversation.id);
    let take = ana.call("POST", &path.replace("messages", "take"), Some(json!({}))).await;
    assert_eq!(take.0, 200, "{}", take.1);
    let mut content = file.clone();
    content["type"] = json!("media");
    content["caption"] = json!("veja");
    content["mime"] = json!("video/mp4");
    let (status, message) = ana.call("POST", &path, Some(json!({ "content": content }))).await;
    assert_eq!(status, 201, "{message}");
    let said = &message["content"];
    assert_eq!((&said["mime"], &said["size"], &said["state"]), (&json!("image/png"), &json!(18), &json!("stored")));
    content["kind"] = json!("video");
    assert_eq!(ana.call("POST", &path, Some(json!({ "content": content }))).await.0, 400);
    content["key"] = json!("org_other/up/1");
    assert_eq!(ana.call("POST", &path, Some(json!({ "content": content }))).await.0, 404);
    world.stop().await;
}
