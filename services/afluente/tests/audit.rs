//! `afluente audit` beside a running process.
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../../../tests/e2e/harness/mod.rs"]
mod harness;

use harness::{Dev, eventually, gupshup_text};
use serde_json::{Value, json};

#[tokio::test]
async fn x_1_what_was_accepted_is_set_beside_what_became_of_it() {
    let dev = Dev::start();
    let hook = dev.account("demo-whatsapp");
    for (id, from) in [("gs-1", "5511999990001"), ("gs-2", "5511999990002"), ("gs-1", "5511999990001")] {
        assert_eq!(dev.hook(&hook, &gupshup_text(id, from, "oi")).await, 200);
    }
    let of = |account: &str| ["audit", "--json", "--since", "1h", "--account", account].map(str::to_owned);
    let intake = |account: &str| {
        let arguments = of(account);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        dev.cli_json(&arguments)["intake"].clone()
    };
    let expected = json!({
        "accepted": 3, "carried_out": 2, "duplicates": 1, "parked": 0, "on_its_way": 0, "unaccounted": 0,
        "unconfirmed": 0, "missing": []
    });
    eventually("three are accounted for", || async { (intake("demo-whatsapp") == expected).then_some(()) }).await;
    let other = dev.cli_json(&["account", "list", "--json"]);
    let other = other.as_array().unwrap().iter().find(|one| one["name"] != "demo-whatsapp").unwrap();
    assert_eq!(intake(other["id"].as_str().unwrap_or(other["name"].as_str().unwrap()))["accepted"], json!(0));
    let none = dev.cli_json(&["audit", "--json", "--until", "1d"]);
    assert_eq!((&none["intake"]["accepted"], &none["sends"]["submitted"]), (&json!(0), &json!(0)));

    let sends = |audit: &Value| {
        let states = audit["sends"]["states"].as_array().unwrap().iter();
        (audit["sends"]["submitted"].as_u64().unwrap(), states.map(|one| one[1].as_u64().unwrap()).sum::<u64>())
    };
    let all = dev.cli_json(&["audit", "--json"]);
    let (submitted, by_state) = sends(&all);
    assert_eq!(submitted, by_state);
    for (arguments, code) in [
        (["audit", "--account", "nobody"], 64),
        (["audit", "--since", "yesterday"], 64),
        (["audit", "--until", "1h"], 0),
    ] {
        assert_eq!(dev.cli(&arguments).status.code(), Some(code), "{arguments:?}");
    }
}
