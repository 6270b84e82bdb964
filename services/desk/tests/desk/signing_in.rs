use serde_json::json;

use crate::harness::{PASSWORD, World};

async fn try_password(world: &World, email: &str, password: &str) -> reqwest::Response {
    let request = crate::harness::http().post(format!("{}/api/v1/sessions", world.base));
    request
        .header("accept-language", "es-AR, en;q=0.4")
        .json(&json!({ "email": email, "password": password }))
        .send()
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cookie_and_the_token_are_good_until_the_sign_out() {
    let world = World::start().await;
    let answer = try_password(&world, " Ana@Acme.test ", PASSWORD).await;
    assert_eq!(answer.status(), 201);
    let cookie = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(cookie.starts_with("afluente_session=") && !cookie.contains("Secure"), "{cookie}");
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict") && cookie.contains("Path=/"), "{cookie}");
    let body: serde_json::Value = answer.json().await.unwrap();
    assert_eq!(body["user"]["email"], "ana@acme.test");
    assert!(!body.to_string().contains("argon2"), "{body}");
    let cookie = cookie.split(';').next().unwrap();
    let me = |header: &'static str, value: String| {
        crate::harness::http().get(format!("{}/api/v1/me", world.base)).header(header, value).send()
    };
    let bearer = format!("Bearer {}", body["token"].as_str().unwrap());
    assert_eq!(me("cookie", cookie.to_owned()).await.unwrap().status(), 200);
    assert_eq!(me("authorization", bearer.clone()).await.unwrap().status(), 200);
    let end = crate::harness::http().delete(format!("{}/api/v1/sessions/current", world.base));
    assert_eq!(end.header("authorization", &bearer).send().await.unwrap().status(), 204);
    assert_eq!(me("cookie", cookie.to_owned()).await.unwrap().status(), 401);
    assert_eq!(me("authorization", bearer).await.unwrap().status(), 401);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_passwords_are_refused_alike_and_then_limited() {
    let world = World::start().await;
    for email in ["ana@acme.test", "nobody@acme.test"] {
        let answer = try_password(&world, email, "Senha123?").await;
        assert_eq!(answer.status(), 401);
        let problem: serde_json::Value = answer.json().await.unwrap();
        assert_eq!(problem["code"], "bad_credentials");
        assert_eq!(problem["title"], "Correo o contraseña incorrectos.");
    }
    for _ in 0..4 {
        assert_eq!(try_password(&world, "ana@acme.test", "Senha123?").await.status(), 401);
    }
    let limited = try_password(&world, "ana@acme.test", "Senha123?").await;
    assert_eq!(limited.status(), 429);
    let wait: u64 = limited.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=12).contains(&wait), "{wait}");
    // Not even the right one goes in now; other people do.
    let barred = try_password(&world, "ana@acme.test", PASSWORD).await;
    assert_eq!(barred.status(), 429);
    assert_eq!(barred.json::<serde_json::Value>().await.unwrap()["code"], "too_many_attempts");
    assert_eq!(try_password(&world, "bia@acme.test", PASSWORD).await.status(), 201);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_site_cannot_act_with_the_cookie() {
    let world = World::start().await;
    let ana = world.signed_in("ana@acme.test").await;
    ana.online().await;
    let waiting = world.conversation("acme", "sales", "carla").await;
    let path = format!("{}/api/v1/conversations/{}/take", world.base, waiting.id);
    let cookie = format!("afluente_session={}", ana.token);
    let form = || crate::harness::http().post(&path).header("cookie", &cookie);
    let foreign = form().header("origin", "https://evil.test").json(&json!({})).send().await.unwrap();
    assert_eq!(foreign.status(), 403);
    let plain = form().header("content-type", "text/plain").body("{}").send().await.unwrap();
    assert_eq!(plain.status(), 400);
    let own = form().header("origin", &world.base).json(&json!({})).send().await.unwrap();
    assert_eq!(own.status(), 200);
    world.stop().await;
}
