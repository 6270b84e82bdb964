use crate::harness::World;

#[tokio::test(flavor = "multi_thread")]
async fn the_page_and_the_description_are_served_beside_other_services() {
    let world = World::start().await;
    let get = |path: &str| crate::harness::http().get(format!("{}{path}", world.base)).send();
    for path in ["/", "/desk", "/desk/conversations/cnv_1"] {
        let page = get(path).await.unwrap();
        assert_eq!(page.status(), 200, "{path}");
        assert!(page.headers()["content-type"].to_str().unwrap().starts_with("text/html"));
        let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.contains("script-src 'self';") && policy.contains("frame-ancestors 'none'"), "{policy}");
        let tag = page.headers()["etag"].clone();
        let again = crate::harness::http().get(format!("{}{path}", world.base)).header("if-none-match", tag);
        assert_eq!(again.send().await.unwrap().status(), 304);
    }
    let description = get("/api/openapi.json").await.unwrap();
    assert_eq!(description.headers()["content-type"], "application/json");
    let description: serde_json::Value = description.json().await.unwrap();
    assert!(description["paths"]["/api/v1/conversations/{id}/take"]["post"].is_object());
    assert_eq!(get("/livez").await.unwrap().status(), 200);
    // Not the page's: another service may answer there.
    for path in ["/hooks/whatsapp/demo", "/webchat/widget.js", "/simulator", "/assets/nothing.js"] {
        assert_eq!(get(path).await.unwrap().status(), 404, "{path}");
    }
    let known = get("/errors/window_closed").await.unwrap();
    assert_eq!(known.status(), 200);
    assert!(known.text().await.unwrap().contains("<h1>"));
    let unknown = get("/errors/no_such_code").await.unwrap();
    assert_eq!(unknown.status(), 404);
    assert!(unknown.text().await.unwrap().contains("no_such_code"));
    world.stop().await;
}
