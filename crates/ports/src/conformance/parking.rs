//! The promises of [`crate::Parking`].

use std::sync::Arc;

use domain::{Parked, ParkedDecision, ParkedId, Ruling, error::codes};

use super::samples::{World, at};
use crate::{Asked, ParkedFilter, ParkedGroup, Parking, Standing};

/// Parked message `n` of a world.
pub fn parked(world: &World, n: u64) -> Parked {
    Parked {
        id: ParkedId::derive(&[&world.organization.to_string(), &n.to_string()]),
        organization: Some(world.organization),
        place: "whatsapp webhook".into(),
        code: codes::WEBHOOK_MALFORMED,
        reason: "it is not JSON".into(),
        account: Some("demo-whatsapp".into()),
        channel: "whatsapp".parse().ok(),
        provider_code: Some("470".into()),
        message: None,
        route: "webhook:whatsapp:demo-whatsapp".into(),
        headers: vec![("content-type".into(), "application/json".into())],
        body: vec![0, 159, 146, 150, b'{'],
        at: at(n),
        redriven_at: None,
    }
}

/// Whole, newest first, of one organization.
pub async fn what_is_parked_is_listed_newest_first(parking: Arc<dyn Parking>) {
    let (world, other) = (World::new(), World::new());
    let nobodys = Parked { organization: None, ..parked(&other, 1) };
    parking.park(&[parked(&world, 1), parked(&world, 2), nobodys.clone()]).await.unwrap();
    parking.park(&[]).await.unwrap();
    let own = parking.list(Some(world.organization), 10).await.unwrap();
    assert_eq!(own, [parked(&world, 2), parked(&world, 1)]);
    assert_eq!(parking.list(Some(world.organization), 1).await.unwrap(), [parked(&world, 2)]);
    assert!(parking.list(None, 1_000).await.unwrap().contains(&nobodys));
    let shown = parking.show(parked(&world, 1).id).await.unwrap().unwrap();
    assert_eq!((shown.size, shown.parked), (5, parked(&world, 1)));
    assert_eq!(parking.show(parked(&world, 9).id).await.unwrap(), None);
}

/// Its id says whether it is the same.
pub async fn parking_twice_keeps_one(parking: Arc<dyn Parking>) {
    let world = World::new();
    parking.park(&[parked(&world, 1)]).await.unwrap();
    parking.park(&[Parked { reason: "another".into(), ..parked(&world, 1) }, parked(&world, 2)]).await.unwrap();
    assert_eq!(parking.list(Some(world.organization), 10).await.unwrap(), [parked(&world, 2), parked(&world, 1)]);
}

/// Still to be seen by its id.
pub async fn a_redriven_message_leaves_the_list(parking: Arc<dyn Parking>) {
    let world = World::new();
    parking.park(&[parked(&world, 1), parked(&world, 2)]).await.unwrap();
    parking.redriven(parked(&world, 1).id, at(50)).await.unwrap();
    assert_eq!(parking.list(Some(world.organization), 10).await.unwrap(), [parked(&world, 2)]);
    let shown = parking.show(parked(&world, 1).id).await.unwrap().unwrap();
    assert_eq!((shown.parked.redriven_at, shown.is_listed()), (Some(at(50)), false));
}

fn ids(parked: &[Parked]) -> Vec<ParkedId> {
    parked.iter().map(|one| one.id).collect()
}

async fn request(parking: &Arc<dyn Parking>, ids: &[ParkedId], second: u64) {
    parking.request(ids, &Asked::of(Ruling::Redrive), at(second)).await.unwrap();
}

/// What was asked for, and must be asked as such.
async fn requested(parking: &Arc<dyn Parking>, limit: u32) -> Vec<Parked> {
    let all = parking.requested(limit).await.unwrap();
    assert!(all.iter().all(|(_, asked)| *asked == Asked::of(Ruling::Redrive)));
    all.into_iter().map(|(parked, _)| parked).collect()
}

/// In the order of the requests; those that were redriven, and strangers, are left out.
pub async fn what_is_requested_is_answered_until_it_is_done(parking: Arc<dyn Parking>) {
    let world = World::new();
    let id = |n| parked(&world, n).id;
    parking.park(&[1, 2, 3].map(|n| parked(&world, n))).await.unwrap();
    assert_eq!(requested(&parking, 10).await, []);
    parking.redriven(id(3), at(30)).await.unwrap();
    request(&parking, &[id(2)], 40).await;
    request(&parking, &[id(1), id(3), id(9)], 50).await;
    request(&parking, &[], 60).await;
    assert_eq!(ids(&requested(&parking, 10).await), [id(2), id(1)]);
    assert_eq!(requested(&parking, 1).await, [parked(&world, 2)]);
    assert_eq!(parking.list(Some(world.organization), 10).await.unwrap().len(), 2, "not yet on its way");
    parking.redriven(id(2), at(70)).await.unwrap();
    assert_eq!(ids(&requested(&parking, 10).await), [id(1)]);
    assert_eq!(ids(&parking.list(Some(world.organization), 10).await.unwrap()), [id(1)]);
}

/// The later parking counts, before the note that it was redriven and after it; one that was on its way is old news.
pub async fn a_message_that_is_parked_again_is_listed_again(parking: Arc<dyn Parking>) {
    let world = World::new();
    let id = parked(&world, 1).id;
    let again = |second, reason: &str| Parked { at: at(second), reason: reason.into(), ..parked(&world, 1) };
    let listed = async || parking.list(Some(world.organization), 10).await.unwrap();
    parking.park(&[parked(&world, 1)]).await.unwrap();
    request(&parking, &[id], 40).await;
    parking.redriven(id, at(50)).await.unwrap();
    parking.park(&[again(45, "a duplicate that was late")]).await.unwrap();
    assert_eq!(listed().await, []);
    parking.park(&[again(60, "still not JSON"), again(61, "still not JSON, told twice")]).await.unwrap();
    assert_eq!(listed().await, [again(61, "still not JSON, told twice")]);
    assert_eq!(requested(&parking, 10).await, [], "a request is for one time");
    // It is back before the note that it went.
    request(&parking, &[id], 70).await;
    parking.park(&[again(80, "and again")]).await.unwrap();
    parking.redriven(id, at(75)).await.unwrap();
    assert_eq!(listed().await, [again(80, "and again")]);
    assert_eq!(requested(&parking, 10).await, []);
}

/// Somebody must look at it.
pub async fn a_refused_redrive_stays_listed_with_its_reason(parking: Arc<dyn Parking>) {
    let world = World::new();
    let id = parked(&world, 1).id;
    parking.park(&[parked(&world, 1)]).await.unwrap();
    request(&parking, &[id], 40).await;
    parking.refused(id, "nothing takes it").await.unwrap();
    assert_eq!(requested(&parking, 10).await, []);
    let listed = parking.list(Some(world.organization), 10).await.unwrap();
    assert_eq!(listed, [Parked { reason: "nothing takes it".into(), ..parked(&world, 1) }]);
}

fn of(world: &World) -> ParkedFilter {
    ParkedFilter { organization: Some(world.organization), limit: 100, ..ParkedFilter::default() }
}

/// Each narrows by itself; what is not said does not.
pub async fn entries_are_found_by_every_filter(parking: Arc<dyn Parking>) {
    let (world, other) = (World::new(), World::new());
    let doubt = Parked {
        code: codes::IN_DOUBT,
        place: "telegram send".into(),
        channel: "telegram".parse().ok(),
        account: None,
        message: Some(domain::MessageId::derive(&[&world.organization.to_string(), "doubt"])),
        ..parked(&world, 3)
    };
    let call = Parked { channel: None, ..parked(&world, 2) };
    parking.park(&[parked(&world, 1), call, doubt.clone(), parked(&other, 2)]).await.unwrap();
    let found = async |filter: ParkedFilter| -> Vec<ParkedId> {
        parking.find(&filter).await.unwrap().iter().map(|entry| entry.parked.id).collect()
    };
    let id = |n| parked(&world, n).id;
    assert_eq!(found(of(&world)).await, [id(3), id(2), id(1)]);
    assert_eq!(found(ParkedFilter { code: Some("in_doubt".into()), ..of(&world) }).await, [id(3)]);
    assert_eq!(found(ParkedFilter { place: Some("whatsapp webhook".into()), ..of(&world) }).await, [id(2), id(1)]);
    let channels = |names: &[&str]| Some(names.iter().filter_map(|name| name.parse().ok()).collect());
    assert_eq!(found(ParkedFilter { channels: channels(&["telegram"]), ..of(&world) }).await, [id(3)]);
    let both = channels(&["whatsapp", "telegram"]);
    assert_eq!(found(ParkedFilter { channels: both, ..of(&world) }).await, [id(3), id(1)]);
    assert_eq!(found(ParkedFilter { channels: channels(&[]), ..of(&world) }).await, [id(2)]);
    let accounts = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
    assert_eq!(found(ParkedFilter { accounts: accounts(&[]), ..of(&world) }).await, [id(3)]);
    let filter = ParkedFilter { accounts: accounts(&["x", "demo-whatsapp"]), ..of(&world) };
    assert_eq!(found(filter).await, [id(2), id(1)]);
    let filter = ParkedFilter { since: Some(at(2)), until: Some(at(3)), ..of(&world) };
    assert_eq!(found(filter).await, [id(2)]);
    assert_eq!(found(ParkedFilter { standing: Standing::Redrivable, ..of(&world) }).await, [id(2), id(1)]);
    request(&parking, &[id(1)], 40).await;
    assert_eq!(found(ParkedFilter { standing: Standing::Redrivable, ..of(&world) }).await, [id(2)]);
    parking.redriven(id(1), at(50)).await.unwrap();
    assert_eq!(found(ParkedFilter { standing: Standing::Ended, ..of(&world) }).await, [id(1)]);
    assert!(
        found(ParkedFilter { organization: None, limit: 10_000, ..of(&world) }).await.contains(&parked(&other, 2).id)
    );
    let entry = parking.find(&of(&world)).await.unwrap().swap_remove(0);
    assert_eq!((entry.size, entry.parked), (5, Parked { body: Vec::new(), ..doubt }));
}

/// A page ends where the next begins, also within one moment.
pub async fn entries_are_paged(parking: Arc<dyn Parking>) {
    let world = World::new();
    let all: Vec<Parked> = (1..=5).map(|n| Parked { at: at(n / 3), ..parked(&world, n) }).collect();
    parking.park(&all).await.unwrap();
    let whole = parking.find(&of(&world)).await.unwrap();
    let mut pages = Vec::new();
    let mut before = None;
    loop {
        let page = parking.find(&ParkedFilter { before, limit: 2, ..of(&world) }).await.unwrap();
        let Some(last) = page.last() else { break };
        before = Some((last.parked.at, last.parked.id));
        pages.extend(page);
    }
    assert_eq!((pages.len(), pages), (5, whole));
}

/// With counts and times; only of one organization.
pub async fn causes_are_counted(parking: Arc<dyn Parking>) {
    let (world, other) = (World::new(), World::new());
    let poison = Parked {
        code: codes::POISON,
        place: "router inbound".into(),
        account: None,
        channel: None,
        ..parked(&world, 9)
    };
    parking.park(&[parked(&world, 1), parked(&world, 5), poison, parked(&other, 7)]).await.unwrap();
    request(&parking, &[parked(&world, 5).id], 40).await;
    let malformed = ParkedGroup {
        code: codes::WEBHOOK_MALFORMED,
        place: "whatsapp webhook".into(),
        channel: "whatsapp".parse().ok(),
        account: Some("demo-whatsapp".into()),
        count: 2,
        requested: 1,
        first_at: at(1),
        last_at: at(5),
    };
    let poison = ParkedGroup {
        code: codes::POISON,
        place: "router inbound".into(),
        channel: None,
        account: None,
        count: 1,
        requested: 0,
        first_at: at(9),
        last_at: at(9),
    };
    assert_eq!(parking.groups(&of(&world)).await.unwrap(), [poison, malformed.clone()]);
    let filter = ParkedFilter { code: Some("webhook_malformed".into()), ..of(&world) };
    assert_eq!(parking.groups(&filter).await.unwrap(), [malformed]);
}

/// Once for each message that the request reaches; a request for something else is noted when it is carried out.
pub async fn a_request_to_redrive_is_kept_as_a_decision(parking: Arc<dyn Parking>) {
    let world = World::new();
    let id = |n| parked(&world, n).id;
    parking.park(&[parked(&world, 1), parked(&world, 2)]).await.unwrap();
    request(&parking, &[id(1), id(9)], 40).await;
    let asked = Asked { ruling: Ruling::Discard, reason: Some("a test".into()), by: Some(world.user(1)) };
    parking.request(&[id(2)], &asked, at(41)).await.unwrap();
    let decision = ParkedDecision {
        parked: id(1),
        organization: Some(world.organization),
        ruling: Ruling::Redrive,
        reason: None,
        by: None,
        at: at(40),
    };
    assert_eq!(parking.decisions(id(1)).await.unwrap(), [decision]);
    assert_eq!(parking.decisions(id(2)).await.unwrap(), []);
    assert_eq!(parking.decisions(id(9)).await.unwrap(), []);
    assert_eq!(parking.requested(10).await.unwrap()[1], (parked(&world, 2), asked));
    let entry = parking.show(id(2)).await.unwrap().unwrap();
    assert_eq!((entry.requested, entry.waits(), entry.is_listed()), (Some(Ruling::Discard), false, true));
}
