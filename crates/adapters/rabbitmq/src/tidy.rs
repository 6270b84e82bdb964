//! What earlier releases bound and this one does not. A process of theirs rests on it, so it stays until somebody says
//! that there is none any more; what comes by it meanwhile is read, and changes nothing.

use domain::Partition;
use lapin::types::FieldTable;
use ports::{
    bus::BusError,
    topology::{Queue, Topic},
};

use crate::{
    link::refused,
    live::Live,
    names::{Names, short},
};

/// The routes into durable queues that are used no more.
///
/// The session service took all of `inbound.<p>`, before the router told it what bears on consent (ADR 12).
fn retired(partitions: u16) -> impl Iterator<Item = (Queue, Topic)> {
    (0..partitions).map(Partition).map(|p| (Queue::SessionInbound(p), Topic::Inbound(p)))
}

/// Takes them away. One that is not there is none to take away.
pub(crate) async fn tidy(live: &Live, names: &Names, partitions: u16) -> Result<(), BusError> {
    let channel = live.channel().await?;
    for (queue, topic) in retired(partitions) {
        let (queue, exchange, key) = (names.queue(&queue), names.exchange(&topic), topic.routing_key());
        let unbound =
            channel.queue_unbind(short(&queue)?, short(&exchange)?, short(&key)?, FieldTable::default()).await;
        unbound.map_err(|error| refused(&error))?;
    }
    Ok(())
}
