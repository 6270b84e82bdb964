//! Several processes of each service: they come and go while people write.

use serde_json::json;

use crate::{
    processes::{Mesh, Servers},
    traffic::{Ended, Traffic},
};

fn up_to(count: usize) -> Vec<usize> {
    (0..count).collect()
}

/// Every service grows to two or three processes and shrinks to one that was not there at first, as it does when it is
/// scaled or rolled to another release: a new one comes, an old one gets its SIGTERM.
#[tokio::test(flavor = "multi_thread")]
async fn x_20_replicas_come_and_go_under_traffic_and_nothing_is_lost_doubled_or_out_of_order() {
    let Some(servers) = Servers::given() else { return };
    let mut mesh = Mesh::started(servers).await;
    mesh.add(&["router"]).await;
    let dev = mesh.desk();
    let ana = dev.sign_in().await;
    let traffic = Traffic::start(&mesh, &ana, &dev.url("/api/v1")).await;
    traffic.comes_through(&ana).await;

    // Up: a third router, a second and a third channel, a second of the others.
    mesh.add(&["router", "whatsapp", "whatsapp", "session", "desk"]).await;
    traffic.comes_through(&ana).await;

    // Down, the oldest first: it is the one that has the partitions. In the end only those are left that came late.
    for leaving in [["router", "whatsapp"], ["session", "desk"], ["router", "whatsapp"]] {
        for service in leaving {
            let status = mesh.retire(service).await;
            assert!(status.success(), "{service} ended with {status}");
        }
        traffic.comes_through(&ana).await;
    }

    for Ended { heard, written, said, answered, received } in traffic.stop(&mesh, &ana).await {
        assert_eq!(heard, up_to(written), "what the customer wrote, once each, in order");
        assert_eq!(received, up_to(answered), "what the customer got, once each, in order");
        let numbers: Vec<usize> = said.iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, up_to(answered), "what the desk shows that they got");
    }
    let audit = mesh.audit().await;
    for count in ["unaccounted_in", "unaccounted_out", "out_of_order", "seat_mismatch", "parked"] {
        assert_eq!(audit[count], json!(0), "{count}: {audit}");
    }
    assert_eq!(audit["intake"]["unaccounted"], json!(0), "{audit}");
}

/// Two processes of each service that holds an order, killed in the middle of it. What was at the provider at that
/// moment is in doubt and waits for a person: it is neither sent again nor in the way of what follows.
#[tokio::test(flavor = "multi_thread")]
async fn x_7_order_is_kept_both_ways_across_replicas_that_are_killed_and_no_state_goes_back() {
    let Some(servers) = Servers::given() else { return };
    let mut mesh = Mesh::started(servers).await;
    mesh.add(&["router", "whatsapp"]).await;
    // The last receipt comes first, and every call of the provider comes twice.
    mesh.faults(&json!({"gupshup": {"receipts": "reordered", "webhooks_doubled": true}})).await;
    let dev = mesh.desk();
    let ana = dev.sign_in().await;
    let mut traffic = Traffic::start(&mesh, &ana, &dev.url("/api/v1")).await;
    let watched = traffic.watch(&dev.url("/api/v1"), ana.token());
    traffic.comes_through(&ana).await;
    for service in ["router", "whatsapp"] {
        mesh.kill(service);
        traffic.comes_through(&ana).await;
        mesh.add(&[service]).await;
    }
    mesh.restart("session");
    traffic.comes_through(&ana).await;

    let ended = traffic.stop(&mesh, &ana).await;
    let watched = watched.await.unwrap();
    assert_eq!(watched.back, [] as [String; 0]);
    assert!(watched.states.contains("delivered") || watched.states.contains("read"), "{:?}", watched.states);
    let mut parked = 0;
    for Ended { heard, written, said, answered, received } in ended {
        assert_eq!(heard, up_to(written), "what the customer wrote, once each, in order");
        let numbers: Vec<usize> = said.iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, up_to(answered), "what the agent wrote, once each, in order");
        assert!(received.is_sorted_by(|one, next| one < next), "once each, in order: {received:?}");
        let missing = said.iter().filter(|(number, _)| !received.contains(number));
        let lost: Vec<_> = missing.filter(|(_, state)| state != "parked").collect();
        assert!(lost.is_empty(), "neither on the phone nor before a person: {lost:?}");
        let doubts = said.iter().filter(|(_, state)| state == "parked").count();
        assert!(doubts <= 1, "one at a time was at the provider: {said:?}");
        parked += doubts;
    }
    let audit = mesh.audit().await;
    for count in ["unaccounted_in", "unaccounted_out", "out_of_order", "seat_mismatch"] {
        assert_eq!(audit[count], json!(0), "{count}: {audit}");
    }
    assert_eq!((&audit["intake"]["unaccounted"], &audit["parked"]), (&json!(0), &json!(parked)), "{audit}");
}
