//! Webhooks: refused, doubled, reordered, while the broker is away, broken.

use domain::{EventId, error::codes};

use super::{WebhookFixture, silent};
use crate::{
    service::broker_or_spool,
    testing::{
        Running, World,
        unruly::{PANIC_HEADER, Unruly},
        world::until,
    },
};

async fn start(world: &World, fixture: &WebhookFixture) -> Running {
    let accounts = [(fixture.account.clone(), silent())];
    world.start(fixture.kind.clone(), world.config(), &accounts).await
}

/// Wrong and missing secrets, unknown accounts, bodies too long: nothing is stored.
pub(super) async fn refused(fixture: &WebhookFixture) {
    let world = World::open().await;
    let running = start(&world, fixture).await;
    let name = &fixture.account.name;
    let body = &fixture.messages[0];
    running.expect(401, name, &[], body, "a call without the secret").await;
    let wrong: Vec<_> = fixture.headers.iter().map(|(key, value)| (key.clone(), format!("{value}x"))).collect();
    running.expect(401, name, &wrong, body, "a call with a wrong secret").await;
    running.expect(404, "nobody", &fixture.headers, body, "an unknown account").await;
    let long = vec![b' '; world.config().body_limit + 1];
    running.expect(413, name, &fixture.headers, &long, "a body over the limit").await;
    world.quiet().await;
    running.drain().await;
}

/// A provider's duplicate carries the same event id, also over a restart.
pub(super) async fn duplicates(fixture: &WebhookFixture) {
    let mut world = World::open().await;
    let running = start(&world, fixture).await;
    let name = &fixture.account.name;
    running.expect(200, name, &fixture.headers, &fixture.messages[0], "a message").await;
    running.expect(200, name, &fixture.headers, &fixture.messages[0], "its duplicate").await;
    running.drain().await;
    let again = start(&world, fixture).await;
    again.expect(200, name, &fixture.headers, &fixture.messages[0], "its duplicate after a restart").await;
    let events = world.arrived(3).await;
    assert!(events.iter().all(|event| event.id == events[0].id), "duplicates have one id: {events:#?}");
    assert_eq!(events[0].thread.account, fixture.account.id);
    assert_eq!(events[0].thread.organization, fixture.account.organization);
}

/// Receipts in any order are the same events, each once.
pub(super) async fn reordered_receipts(fixture: &WebhookFixture) {
    let count = fixture.receipts.len();
    let mut world = World::open().await;
    let running = start(&world, fixture).await;
    let bodies = fixture.receipts.iter().chain(fixture.receipts.iter().rev());
    for body in bodies {
        running.expect(200, &fixture.account.name, &fixture.headers, body, "a receipt").await;
    }
    let ids: Vec<EventId> = world.arrived(count * 2).await.into_iter().map(|event| event.id).collect();
    let (there, mut back) = (ids[..count].to_vec(), ids[count..].to_vec());
    back.reverse();
    assert_eq!(there, back, "the order of arrival does not change what a receipt is");
    let distinct: std::collections::BTreeSet<_> = there.iter().collect();
    assert_eq!(distinct.len(), count, "each receipt is an event of its own");
}

/// The broker goes away in the middle: the disk takes it, 200, and all comes in order when it is back.
pub(super) async fn broker_away(fixture: &WebhookFixture) {
    let mut world = World::open().await;
    let running = start(&world, fixture).await;
    let name = &fixture.account.name;
    let [first, middle @ .., last] = fixture.messages.as_slice() else { panic!("three messages at least") };
    running.expect(200, name, &fixture.headers, first, "before").await;
    world.bus.set_away(true);
    for body in middle {
        running.expect(200, name, &fixture.headers, body, "while the broker is away").await;
    }
    assert!(running.kit.intake.spool.pending() > 0, "the disk has it");
    world.bus.set_away(false);
    running.expect(200, name, &fixture.headers, last, "after").await;
    let got: Vec<_> = world.arrived(fixture.messages.len()).await.into_iter().map(|event| event.id).collect();
    for body in &fixture.messages {
        running.expect(200, name, &fixture.headers, body, "once more").await;
    }
    let again: Vec<_> = world.arrived(fixture.messages.len()).await.into_iter().map(|event| event.id).collect();
    assert_eq!(got, again, "in the order in which they came");
    until("the spool is empty", async || running.kit.intake.spool.pending() == 0).await;
}

/// A spool that is full turns calls away; what it holds survives a crash.
pub(super) async fn restart_with_a_full_spool(fixture: &WebhookFixture) {
    let mut world = World::open().await;
    let name = &fixture.account.name;
    let accounts = [(fixture.account.clone(), silent())];
    let running = world.start(fixture.kind.clone(), world.config(), &accounts).await;
    world.bus.set_away(true);
    running.expect(200, name, &fixture.headers, &fixture.messages[0], "spooled").await;
    let kept = running.kit.intake.spool.bytes();
    assert_eq!(broker_or_spool(&running.kit).await, Ok(()), "the disk takes what the broker does not");
    running.crash().await;
    let tight = crate::KitConfig { spool_limit: kept, ..world.config() };
    let again = world.start(fixture.kind.clone(), tight, &accounts).await;
    again.expect(503, name, &fixture.headers, &fixture.messages[1], "the spool is full").await;
    assert!(again.kit.intake.spool.check().await.is_err(), "readiness says so");
    assert!(broker_or_spool(&again.kit).await.is_err(), "neither the broker nor the disk takes anything");
    world.bus.set_away(false);
    assert_eq!(world.arrived(1).await.len(), 1, "what was accepted before the crash arrives");
    until("the spool is empty", async || again.kit.intake.spool.pending() == 0).await;
    again.expect(200, name, &fixture.headers, &fixture.messages[1], "there is room again").await;
}

/// A body that makes no sense, or that makes the channel panic, is kept for a person; the next call is served.
pub(super) async fn malformed_and_panicking(fixture: &WebhookFixture) {
    let mut world = World::open().await;
    let accounts = [(fixture.account.clone(), silent())];
    let kind = std::sync::Arc::new(Unruly(fixture.kind.clone()));
    let running = world.start(kind, world.config(), &accounts).await;
    let name = &fixture.account.name;
    running.expect(200, name, &fixture.headers, &fixture.malformed, "malformed, with a good secret").await;
    let parked = world.parked().await;
    assert_eq!(parked.code, codes::WEBHOOK_MALFORMED);
    assert_eq!(parked.body, fixture.malformed, "the body is kept as it was");
    assert_eq!(parked.route, format!("webhook:{}:{name}", fixture.account.channel));

    let mut headers = fixture.headers.clone();
    headers.push((PANIC_HEADER.to_owned(), "1".to_owned()));
    running.expect(200, name, &headers, &fixture.messages[0], "the channel panics").await;
    assert_eq!(world.parked().await.body, fixture.messages[0]);
    running.expect(200, name, &fixture.headers, &fixture.messages[0], "the next call").await;
    assert_eq!(world.arrived(1).await.len(), 1);
}
