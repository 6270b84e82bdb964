//! Shelves, and whose turn it is to write to them.

use std::ops::Bound;

use async_trait::async_trait;
use domain::{Channel, Partition};
use ports::{Laden, Put, Shelf, ShelfError, Shelved, Shelves, StoreError, Turn, bus::Envelope};

use super::{Store, tables::Tables};

impl Tables {
    fn on_shelf<'a>(&'a self, shelf: &'a Shelf, after: i64) -> impl Iterator<Item = (i64, &'a Envelope)> {
        let (from, to) = (Bound::Excluded((shelf.clone(), after)), Bound::Included((shelf.clone(), i64::MAX)));
        self.shelved.range((from, to)).map(|((_, position), envelope)| (*position, envelope))
    }

    fn in_turn(&self, turn: Turn, shelf: &Shelf) -> Result<(), ShelfError> {
        let current = self.shelf_turns.get(&(shelf.channel.clone(), shelf.partition));
        if current == Some(&turn.0) { Ok(()) } else { Err(ShelfError::TakenOver) }
    }
}

#[async_trait]
impl Shelves for Store {
    async fn take_over(&self, channel: &Channel, partition: Partition) -> Result<(Turn, Vec<Laden>), StoreError> {
        self.ask(|tables| {
            let turn = tables.shelf_turns.entry((channel.clone(), partition)).or_default();
            *turn += 1;
            let turn = Turn(*turn);
            let mut laden: Vec<Laden> = Vec::new();
            for (shelf, position) in tables.shelved.keys() {
                if shelf.channel != *channel || shelf.partition != partition {
                    continue;
                }
                match laden.last_mut().filter(|one| one.shelf == *shelf) {
                    Some(one) => (one.count, one.last) = (one.count + 1, *position),
                    None => laden.push(Laden { shelf: shelf.clone(), count: 1, last: *position }),
                }
            }
            (turn, laden)
        })
        .await
    }

    async fn holds(&self, shelf: &Shelf, id: &str) -> Result<bool, StoreError> {
        self.ask(|tables| tables.on_shelf(shelf, 0).any(|(_, envelope)| envelope.id == id)).await
    }

    async fn put(&self, turn: Turn, shelf: &Shelf, envelopes: &[Envelope]) -> Result<Put, ShelfError> {
        self.ask(|tables| {
            tables.in_turn(turn, shelf)?;
            let mut added = 0;
            for envelope in envelopes {
                if !tables.on_shelf(shelf, 0).any(|(_, known)| known.id == envelope.id) {
                    tables.last_shelved += 1;
                    added += 1;
                    tables.shelved.insert((shelf.clone(), tables.last_shelved), envelope.clone());
                }
            }
            let newest = tables.on_shelf(shelf, 0).last();
            let (last, newest) = newest.map_or((0, String::new()), |(last, newest)| (last, newest.id.clone()));
            Ok(Put { added, last, newest })
        })
        .await?
    }

    async fn page(&self, turn: Turn, shelf: &Shelf, after: i64, limit: u32) -> Result<Vec<Shelved>, ShelfError> {
        self.ask(|tables| {
            tables.in_turn(turn, shelf)?;
            let rows = tables.on_shelf(shelf, after).take(limit as usize);
            Ok(rows.map(|(position, envelope)| Shelved { position, envelope: envelope.clone() }).collect())
        })
        .await?
    }

    async fn remove(&self, shelf: &Shelf, positions: &[i64]) -> Result<(), StoreError> {
        self.ask(|tables| {
            for position in positions {
                tables.shelved.remove(&(shelf.clone(), *position));
            }
        })
        .await
    }
}
