//! The promise: kill -9 in the middle of a load, start again, and everything accepted is there, once, in order.
// A scenario reads top to bottom, so it may be long.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods, clippy::too_many_lines)]

mod harness;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use harness::{Dev, eventually, gupshup_text};
use serde_json::Value;

const CUSTOMERS: usize = 40;

/// 2,000 webhooks by default; `AFLUENTE_LOAD=10000` for the figure of the documentation.
fn load() -> usize {
    std::env::var("AFLUENTE_LOAD").ok().and_then(|count| count.parse().ok()).unwrap_or(2_000)
}

#[tokio::test(flavor = "multi_thread")]
async fn x_1_x_7_kill_nine_in_the_middle_of_a_load_loses_nothing_doubles_nothing_and_keeps_the_order() {
    let dev = Dev::start();
    let hook = dev.account("demo-whatsapp");
    let total = load();
    let killed = Arc::new(AtomicBool::new(false));
    let dev = Arc::new(tokio::sync::RwLock::new(Some(dev)));

    // Each customer writes 1, 2, 3... and repeats a message until it is accepted, as the provider does.
    let mut customers = Vec::new();
    for customer in 0..CUSTOMERS {
        let (dev, hook, killed) = (Arc::clone(&dev), hook.clone(), Arc::clone(&killed));
        customers.push(tokio::spawn(async move {
            let from = format!("55119{customer:08}");
            for number in 0..total / CUSTOMERS {
                let body = gupshup_text(&format!("wamid.{customer}.{number}"), &from, &number.to_string());
                loop {
                    let held = dev.read().await;
                    let running = held.as_ref().unwrap();
                    let sent = running
                        .http
                        .post(hook["hook_url"].as_str().unwrap())
                        .header(hook["secret_header"].as_str().unwrap(), hook["secret"].as_str().unwrap())
                        .body(body.to_string())
                        .send()
                        .await;
                    if sent.is_ok_and(|answer| answer.status().is_success()) {
                        break;
                    }
                    drop(held);
                    tokio::task::yield_now().await;
                }
                if customer == 0 && number == total / CUSTOMERS / 2 {
                    killed.store(true, Ordering::SeqCst);
                }
            }
        }));
    }
    while !killed.load(Ordering::SeqCst) {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    // SIGKILL at once, whatever is in flight; only then wait for the lock to put the new process in its place.
    let pid = dev.read().await.as_ref().unwrap().child.as_ref().unwrap().id();
    std::process::Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap();
    {
        let mut slot = dev.write().await;
        let old = slot.take().unwrap();
        *slot = Some(old.kill_and_restart());
    }
    for customer in customers {
        customer.await.unwrap();
    }

    let dev = Arc::try_unwrap(dev).ok().unwrap().into_inner().unwrap();
    let ana = dev.sign_in().await;
    let accepted = CUSTOMERS * (total / CUSTOMERS);
    let audit = eventually("the audit counts everything", || async {
        let audit: Value = dev.cli_json(&["audit", "--json"]);
        (audit["messages_in"].as_u64() == Some(u64::try_from(accepted).unwrap())).then_some(audit)
    })
    .await;
    assert_eq!((&audit["unaccounted_in"], &audit["out_of_order"], &audit["parked"]), (&0.into(), &0.into(), &0.into()));
    // Each accepted call has a number. None is lost; what was cut off before its 200 is no more than unconfirmed.
    let intake = &audit["intake"];
    let of = |what: &str| intake[what].as_u64().unwrap();
    assert!(of("carried_out") >= u64::try_from(accepted).unwrap(), "{intake}");
    assert_eq!((of("unaccounted"), of("accepted")), (0, of("carried_out") + of("duplicates") + of("on_its_way")));

    let mut seen: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    let list = ana.get("/conversations?state=waiting&limit=200").await;
    for conversation in list["items"].as_array().unwrap() {
        let address = conversation["contact"]["address"].as_str().unwrap().to_owned();
        for message in ana.messages(conversation).await {
            let number = message["content"]["text"].as_str().unwrap().parse().unwrap();
            seen.entry(address.clone()).or_default().push(number);
        }
    }
    assert_eq!(seen.len(), CUSTOMERS, "one conversation for each customer");
    for (address, numbers) in seen {
        let expected: Vec<usize> = (0..total / CUSTOMERS).collect();
        assert_eq!(numbers, expected, "{address}: once each, in order");
    }
}
