//! The promises of [`crate::Shelves`].

use std::{collections::BTreeMap, sync::Arc};

use domain::Partition;

use super::samples::World;
use crate::{Laden, Shelf, ShelfError, Shelves, Turn, bus::Envelope, topology::Topic};

fn shelf(world: &World) -> Shelf {
    let (organization, account) = (world.organization, world.account);
    Shelf { channel: world.channel.clone(), partition: Partition(3), organization, account }
}

fn envelope(shelf: &Shelf, n: usize) -> Envelope {
    Envelope {
        id: format!("m{n}"),
        topic: Topic::Outbound(shelf.channel.clone(), shelf.partition),
        kind: "afluente.test".to_owned(),
        correlation: n.is_multiple_of(2).then(|| format!("conversation {n}")),
        headers: BTreeMap::from([("traceparent".to_owned(), format!("00-{n}"))]),
        body: vec![0, 255, u8::try_from(n % 256).unwrap()].into(),
    }
}

fn numbered(shelf: &Shelf, numbers: std::ops::Range<usize>) -> Vec<Envelope> {
    numbers.map(|n| envelope(shelf, n)).collect()
}

async fn turn(shelves: &Arc<dyn Shelves>, shelf: &Shelf) -> Turn {
    shelves.take_over(&shelf.channel, shelf.partition).await.unwrap().0
}

/// Everything on a shelf, read in pages of `limit`.
async fn all(shelves: &Arc<dyn Shelves>, turn: Turn, shelf: &Shelf, limit: u32) -> Vec<Envelope> {
    let mut found = Vec::new();
    let mut after = 0;
    loop {
        let page = shelves.page(turn, shelf, after, limit).await.unwrap();
        assert!(page.len() <= usize::try_from(limit).unwrap());
        let Some(last) = page.last() else { return found };
        assert!(last.position > after, "positions grow");
        after = last.position;
        found.extend(page.into_iter().map(|row| row.envelope));
    }
}

/// A message comes back as it was, in its place.
pub async fn what_is_put_is_read_in_order_page_by_page(shelves: Arc<dyn Shelves>) {
    let shelf = shelf(&World::new());
    let turn = turn(&shelves, &shelf).await;
    let first = shelves.put(turn, &shelf, &numbered(&shelf, 0..300)).await.unwrap();
    let second = shelves.put(turn, &shelf, &numbered(&shelf, 300..310)).await.unwrap();
    assert_eq!((first.added, second.added), (300, 10));
    assert!(first.last < second.last);
    assert_eq!(all(&shelves, turn, &shelf, 7).await, numbered(&shelf, 0..310));
    assert_eq!(shelves.page(turn, &shelf, second.last, 10).await.unwrap(), []);
    assert!(shelves.holds(&shelf, "m309").await.unwrap());
    assert!(!shelves.holds(&shelf, "m310").await.unwrap());
}

/// Putting it again, as after an answer that was lost, leaves it in its place.
pub async fn what_lies_there_is_put_once(shelves: Arc<dyn Shelves>) {
    let shelf = shelf(&World::new());
    let turn = turn(&shelves, &shelf).await;
    let first = shelves.put(turn, &shelf, &numbered(&shelf, 0..3)).await.unwrap();
    let again = shelves.put(turn, &shelf, &numbered(&shelf, 1..3)).await.unwrap();
    assert_eq!((again.added, again.last, again.newest.as_str()), (0, first.last, "m2"));
    let more = shelves.put(turn, &shelf, &numbered(&shelf, 2..5)).await.unwrap();
    assert_eq!(more.added, 2);
    assert_eq!(all(&shelves, turn, &shelf, 10).await, numbered(&shelf, 0..5));
}

/// A place is never given again.
pub async fn what_is_removed_is_gone_and_later_ones_come_behind(shelves: Arc<dyn Shelves>) {
    let shelf = shelf(&World::new());
    let turn = turn(&shelves, &shelf).await;
    let first = shelves.put(turn, &shelf, &numbered(&shelf, 0..3)).await.unwrap();
    let rows = shelves.page(turn, &shelf, 0, 10).await.unwrap();
    let positions: Vec<i64> = rows.iter().map(|row| row.position).collect();
    shelves.remove(&shelf, &positions[..2]).await.unwrap();
    assert_eq!(all(&shelves, turn, &shelf, 10).await, numbered(&shelf, 2..3));
    shelves.remove(&shelf, &positions).await.unwrap();
    shelves.remove(&shelf, &[]).await.unwrap();
    assert_eq!(all(&shelves, turn, &shelf, 10).await, []);
    let later = shelves.put(turn, &shelf, &numbered(&shelf, 3..4)).await.unwrap();
    assert!(later.last > first.last, "{} after {}", later.last, first.last);
}

/// Which shelves are laden, how much, and up to where.
pub async fn whoever_takes_over_is_told_what_lies_there(shelves: Arc<dyn Shelves>) {
    let (one, other) = (World::new(), World::new());
    let (mine, theirs) = (shelf(&one), shelf(&other));
    let (first, laden) = shelves.take_over(&mine.channel, mine.partition).await.unwrap();
    assert_eq!(laden, []);
    let a = shelves.put(first, &mine, &numbered(&mine, 0..3)).await.unwrap();
    let b = shelves.put(first, &theirs, &numbered(&theirs, 0..1)).await.unwrap();
    let elsewhere = Shelf { partition: Partition(4), ..mine.clone() };
    let (away, _) = shelves.take_over(&elsewhere.channel, elsewhere.partition).await.unwrap();
    shelves.put(away, &elsewhere, &numbered(&elsewhere, 0..9)).await.unwrap();
    let (second, mut laden) = shelves.take_over(&mine.channel, mine.partition).await.unwrap();
    assert!(second > first);
    let mut expected = vec![
        Laden { shelf: mine.clone(), count: 3, last: a.last },
        Laden { shelf: theirs.clone(), count: 1, last: b.last },
    ];
    laden.sort_by(|a, b| a.shelf.cmp(&b.shelf));
    expected.sort_by(|a, b| a.shelf.cmp(&b.shelf));
    assert_eq!(laden, expected);
    let rows = shelves.page(second, &theirs, 0, 10).await.unwrap();
    shelves.remove(&theirs, &[rows[0].position]).await.unwrap();
    let (_, laden) = shelves.take_over(&mine.channel, mine.partition).await.unwrap();
    assert_eq!(laden.iter().map(|one| &one.shelf).collect::<Vec<_>>(), [&mine]);
}

/// It may not know yet that it is a former one.
pub async fn a_former_owner_can_no_longer_write_or_read(shelves: Arc<dyn Shelves>) {
    let shelf = shelf(&World::new());
    let former = turn(&shelves, &shelf).await;
    shelves.put(former, &shelf, &numbered(&shelf, 0..2)).await.unwrap();
    let current = turn(&shelves, &shelf).await;
    let refused = shelves.put(former, &shelf, &numbered(&shelf, 2..3)).await;
    assert_eq!(refused, Err(ShelfError::TakenOver));
    assert_eq!(shelves.page(former, &shelf, 0, 10).await, Err(ShelfError::TakenOver));
    assert_eq!(all(&shelves, current, &shelf, 10).await, numbered(&shelf, 0..2));
    // What it has carried out it may take away.
    let rows = shelves.page(current, &shelf, 0, 10).await.unwrap();
    shelves.remove(&shelf, &[rows[0].position]).await.unwrap();
    assert_eq!(all(&shelves, current, &shelf, 10).await, numbered(&shelf, 1..2));
}

/// While one puts, another takes over: either it stands and the other was told, or it was refused.
pub async fn of_a_race_the_new_owner_knows_all(shelves: Arc<dyn Shelves>) {
    for round in 0..20 {
        let shelf = shelf(&World::new());
        let former = turn(&shelves, &shelf).await;
        let putting = {
            let (shelves, shelf) = (shelves.clone(), shelf.clone());
            tokio::spawn(async move { shelves.put(former, &shelf, &numbered(&shelf, 0..3)).await })
        };
        let taking = {
            let (shelves, shelf) = (shelves.clone(), shelf.clone());
            tokio::spawn(async move { shelves.take_over(&shelf.channel, shelf.partition).await.unwrap().1 })
        };
        let (put, laden) = (putting.await.unwrap(), taking.await.unwrap());
        let told = laden.iter().find(|one| one.shelf == shelf).map(|one| (one.count, one.last));
        match put {
            Ok(put) => assert_eq!(told, Some((3, put.last)), "round {round}"),
            Err(error) => assert_eq!((error, told), (ShelfError::TakenOver, None), "round {round}"),
        }
    }
}

/// By account, organization (invariant 6), partition and channel.
pub async fn shelves_are_apart(shelves: Arc<dyn Shelves>) {
    let (world, other) = (World::new(), World::new());
    let mine = shelf(&world);
    let others = [
        Shelf { account: other.account, ..mine.clone() },
        Shelf { organization: other.organization, ..mine.clone() },
        Shelf { partition: Partition(4), ..mine.clone() },
        Shelf { channel: super::samples::channel("telegram"), ..mine.clone() },
    ];
    let own = turn(&shelves, &mine).await;
    shelves.put(own, &mine, &numbered(&mine, 0..2)).await.unwrap();
    let position = shelves.page(own, &mine, 0, 1).await.unwrap()[0].position;
    for shelf in &others {
        let turn = turn(&shelves, shelf).await;
        assert!(!shelves.holds(shelf, "m0").await.unwrap(), "{shelf:?}");
        assert_eq!(shelves.page(turn, shelf, 0, 10).await.unwrap(), [], "{shelf:?}");
        shelves.remove(shelf, &[position]).await.unwrap();
        // The same ids, elsewhere.
        assert_eq!(shelves.put(turn, shelf, &numbered(shelf, 0..1)).await.unwrap().added, 1, "{shelf:?}");
    }
    let own = turn(&shelves, &mine).await;
    assert_eq!(all(&shelves, own, &mine, 10).await, numbered(&mine, 0..2));
}
