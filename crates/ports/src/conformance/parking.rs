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
