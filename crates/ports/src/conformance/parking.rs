//! The promises of [`crate::Parking`].

use std::sync::Arc;

use domain::{Parked, ParkedId, error::codes};

use super::samples::{World, at};
use crate::Parking;

/// Parked message `n` of a world.
pub fn parked(world: &World, n: u64) -> Parked {
    Parked {
        id: ParkedId::derive(&[&world.organization.to_string(), &n.to_string()]),
        organization: Some(world.organization),
        place: "whatsapp webhook".into(),
        code: codes::WEBHOOK_MALFORMED,
        reason: "it is not JSON".into(),
        account: Some("demo-whatsapp".into()),
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
    assert_eq!(parking.show(parked(&world, 1).id).await.unwrap(), Some(parked(&world, 1)));
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
    assert_eq!(shown.redriven_at, Some(at(50)));
}

fn ids(parked: &[Parked]) -> Vec<ParkedId> {
    parked.iter().map(|one| one.id).collect()
}

/// In the order of the requests; those that were redriven, and strangers, are left out.
pub async fn what_is_requested_is_answered_until_it_is_done(parking: Arc<dyn Parking>) {
    let world = World::new();
    let id = |n| parked(&world, n).id;
    parking.park(&[1, 2, 3].map(|n| parked(&world, n))).await.unwrap();
    assert_eq!(parking.redrive_requested(10).await.unwrap(), []);
    parking.redriven(id(3), at(30)).await.unwrap();
    parking.request_redrive(&[id(2)], at(40)).await.unwrap();
    parking.request_redrive(&[id(1), id(3), id(9)], at(50)).await.unwrap();
    parking.request_redrive(&[], at(60)).await.unwrap();
    assert_eq!(ids(&parking.redrive_requested(10).await.unwrap()), [id(2), id(1)]);
    assert_eq!(parking.redrive_requested(1).await.unwrap(), [parked(&world, 2)]);
    assert_eq!(parking.list(Some(world.organization), 10).await.unwrap().len(), 2, "not yet on its way");
    parking.redriven(id(2), at(70)).await.unwrap();
    assert_eq!(ids(&parking.redrive_requested(10).await.unwrap()), [id(1)]);
    assert_eq!(ids(&parking.list(Some(world.organization), 10).await.unwrap()), [id(1)]);
}

/// The later parking counts, before the note that it was redriven and after it; one that was on its way is old news.
pub async fn a_message_that_is_parked_again_is_listed_again(parking: Arc<dyn Parking>) {
    let world = World::new();
    let id = parked(&world, 1).id;
    let again = |second, reason: &str| Parked { at: at(second), reason: reason.into(), ..parked(&world, 1) };
    let listed = async || parking.list(Some(world.organization), 10).await.unwrap();
    parking.park(&[parked(&world, 1)]).await.unwrap();
    parking.request_redrive(&[id], at(40)).await.unwrap();
    parking.redriven(id, at(50)).await.unwrap();
    parking.park(&[again(45, "a duplicate that was late")]).await.unwrap();
    assert_eq!(listed().await, []);
    parking.park(&[again(60, "still not JSON"), again(61, "still not JSON, told twice")]).await.unwrap();
    assert_eq!(listed().await, [again(61, "still not JSON, told twice")]);
    assert_eq!(parking.redrive_requested(10).await.unwrap(), [], "a request is for one time");
    // It is back before the note that it went.
    parking.request_redrive(&[id], at(70)).await.unwrap();
    parking.park(&[again(80, "and again")]).await.unwrap();
    parking.redriven(id, at(75)).await.unwrap();
    assert_eq!(listed().await, [again(80, "and again")]);
    assert_eq!(parking.redrive_requested(10).await.unwrap(), []);
}

/// Somebody must look at it.
pub async fn a_refused_redrive_stays_listed_with_its_reason(parking: Arc<dyn Parking>) {
    let world = World::new();
    let id = parked(&world, 1).id;
    parking.park(&[parked(&world, 1)]).await.unwrap();
    parking.request_redrive(&[id], at(40)).await.unwrap();
    parking.redrive_refused(id, "nothing takes it").await.unwrap();
    assert_eq!(parking.redrive_requested(10).await.unwrap(), []);
    let listed = parking.list(Some(world.organization), 10).await.unwrap();
    assert_eq!(listed, [Parked { reason: "nothing takes it".into(), ..parked(&world, 1) }]);
}
