//! What one look of distribution proposes. It asks the store for no more than that needs: the first free seats, and of
//! the queues that they serve the conversations that have waited longest.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use domain::{ConversationId, OrganizationId, QueueId, Seat, Timestamp, UserId, Waiting};
use ports::{Journal, StoreError, journal::Lookup};
use routing::{PROPOSED_AT_MOST, Proposal, Roster, Rules, considered, distribute};

/// The most assignments in one commit, and so the most of anything that is read for them.
const AT_ONCE: u32 = PROPOSED_AT_MOST as u32;
/// How many queues are asked for their own free members, one by one, before all who are free are read instead.
const ASKED_ALONE: usize = 8;
/// How many members these queues may have together: each is looked up by name.
const NAMED_AT_MOST: usize = 1_024;

/// One look at an organization: the first of what knowing everything would propose, and nothing only where that would
/// propose nothing. The next look has the rest.
pub(crate) async fn propose(
    journal: &dyn Journal,
    organization: OrganizationId,
    roster: &Roster,
    now: Timestamp,
) -> Result<Vec<Proposal>, StoreError> {
    if roster.queues().next().is_none() {
        return Ok(Vec::new());
    }
    let mut free = Free::first(journal, organization).await?;
    if free.seats.is_empty() {
        return Ok(Vec::new());
    }
    let (mut queues, each) = free.asked(roster);
    let mut beyond = None;
    if queues.len() > PROPOSED_AT_MOST {
        // Many queues are looked at by their heads first, and those with the oldest are read on.
        let mut heads = journal.waiting(organization, &queues, 1).await?;
        free.learn(journal, roster, &heads, 1).await?;
        let served = free.served(roster);
        heads.retain(|one| served.contains_key(&one.queue));
        beyond = heads.get(PROPOSED_AT_MOST).copied();
        queues = heads.iter().take(PROPOSED_AT_MOST).map(|one| one.queue).collect();
    }
    let mut waiting = journal.waiting(organization, &queues, each).await?;
    if let Some(head) = beyond {
        // What has waited less than the first that was left out does not go before it.
        waiting.retain(|one| (one.since, one.conversation) < (head.since, head.conversation));
    }
    // Each proposal uses up one seat at most, so as many as wait are enough.
    free.learn(journal, roster, &waiting, waiting.len().min(PROPOSED_AT_MOST)).await?;
    let proposals = distribute(roster, &waiting, &free.seats(), now);
    let others = others(roster, &waiting, &proposals, &free);
    if others.is_empty() {
        return Ok(proposals);
    }
    let seats = others.into_iter().map(|user| (organization, user)).collect();
    let found = journal.load(&Lookup { seats, ..Lookup::default() }).await?;
    free.seats.extend(found.seats.into_values().map(|seat| (seat.user, seat)));
    // The same again, with the reasons of those who are not free.
    Ok(distribute(roster, &waiting, &free.seats(), now))
}

/// Those whose reasons are told and whose seats are not known yet: a few for each queue of which something is proposed.
fn others(roster: &Roster, waiting: &[Waiting], proposals: &[Proposal], free: &Free) -> BTreeSet<UserId> {
    let given: BTreeSet<ConversationId> = proposals.iter().map(|one| one.conversation).collect();
    let queues: BTreeSet<QueueId> =
        waiting.iter().filter(|one| given.contains(&one.conversation)).map(|one| one.queue).collect();
    let told = queues.into_iter().flat_map(|queue| considered(roster, queue));
    told.filter(|user| !free.seats.contains_key(user)).copied().collect()
}

/// The free seats of an organization, as far as they are known.
struct Free {
    organization: OrganizationId,
    seats: BTreeMap<UserId, Seat>,
    /// Nobody else is free.
    whole: bool,
}

impl Free {
    async fn first(journal: &dyn Journal, organization: OrganizationId) -> Result<Self, StoreError> {
        Ok(Self::of(organization, journal.free(organization, None, AT_ONCE).await?))
    }

    /// The first of the circle, [`AT_ONCE`] at most.
    fn of(organization: OrganizationId, first: Vec<Seat>) -> Self {
        let whole = first.len() < PROPOSED_AT_MOST;
        Self { organization, seats: first.into_iter().map(|seat| (seat.user, seat)).collect(), whole }
    }

    fn seats(&self) -> Vec<Seat> {
        self.seats.values().cloned().collect()
    }

    /// Which queues to look into, and how far: when all who are free are known, those that they serve, and as far as
    /// they have places.
    fn asked(&self, roster: &Roster) -> (Vec<QueueId>, u32) {
        if !self.whole {
            return (roster.queues().collect(), AT_ONCE);
        }
        let places: u32 = self.seats.values().map(|seat| u32::from(seat.capacity.saturating_sub(seat.load))).sum();
        // Few different numbers: the store keeps a statement prepared for each.
        (self.served(roster).into_keys().collect(), places.min(AT_ONCE).next_power_of_two())
    }

    /// How many free members are known of each queue that has any.
    fn served(&self, roster: &Roster) -> BTreeMap<QueueId, usize> {
        let mut served = BTreeMap::new();
        for queue in self.seats.keys().flat_map(|user| roster.served_by(*user)) {
            *served.entry(*queue).or_default() += 1;
        }
        served
    }

    /// The queues with something that waits of which fewer than `enough` free members are known: there are more free
    /// seats than were read, and those who serve the queue may all be behind them.
    fn scarce(&self, roster: &Roster, waiting: &[Waiting], enough: usize) -> BTreeSet<QueueId> {
        if self.whole {
            return BTreeSet::new();
        }
        let served = self.served(roster);
        // All members of a small queue are all there can be.
        let few =
            |queue: &QueueId| served.get(queue).copied().unwrap_or_default() < enough.min(roster.members(*queue).len());
        waiting.iter().map(|one| one.queue).filter(few).collect()
    }

    /// Learns of the first `enough` free members of each queue in which something waits.
    async fn learn(
        &mut self,
        journal: &dyn Journal,
        roster: &Roster,
        waiting: &[Waiting],
        enough: usize,
    ) -> Result<(), StoreError> {
        let scarce = self.scarce(roster, waiting, enough);
        let members: usize = scarce.iter().map(|queue| roster.members(*queue).len()).sum();
        if scarce.len() > ASKED_ALONE || members > NAMED_AT_MOST {
            let all = journal.free(self.organization, None, u32::MAX).await?;
            self.seats = all.into_iter().map(|seat| (seat.user, seat)).collect();
            self.whole = true;
            return Ok(());
        }
        for queue in scarce {
            let limit = u32::try_from(enough).unwrap_or(AT_ONCE);
            let own = journal.free(self.organization, Some(roster.members(queue)), limit).await?;
            self.seats.extend(own.into_iter().map(|seat| (seat.user, seat)));
        }
        Ok(())
    }
}

/// The roster of each organization, as long as its rules stay the same.
#[derive(Default)]
pub(crate) struct Rosters(BTreeMap<OrganizationId, (Arc<Rules>, Arc<Roster>)>);

impl Rosters {
    pub(crate) fn of(&mut self, organization: OrganizationId, rules: Arc<Rules>) -> Arc<Roster> {
        if let Some((known, roster)) = self.0.get_mut(&organization) {
            if Arc::ptr_eq(known, &rules) {
                return Arc::clone(roster);
            }
            if **known == *rules {
                // Read again and found the same: the next look need not compare them.
                *known = rules;
                return Arc::clone(roster);
            }
        }
        let roster = Arc::new(Roster::new(&rules));
        self.0.insert(organization, (rules, Arc::clone(&roster)));
        roster
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use adapter_embedded::{Embedded, EmbeddedOptions};
    use domain::{Conversation, Distribution, Presence, Queue};
    use ports::{conformance::samples::World, journal::Commit};

    use super::*;

    fn queue(world: &World, n: u64, members: impl Iterator<Item = u64>) -> Queue {
        Queue {
            id: world.queue(n),
            organization: world.organization,
            name: n.to_string(),
            distribution: Distribution::Circular,
            inactive_after: 1_800,
            abandon_after: 172_800,
            members: members.map(|n| world.user(n)).collect(),
            active: true,
        }
    }

    fn rules(queues: Vec<Queue>) -> Rules {
        Rules { queues: queues.into_iter().map(|queue| (queue.id, queue)).collect(), ..Rules::default() }
    }

    fn seat(world: &World, n: u64) -> Seat {
        let last_assigned_at = Timestamp::from_secs(i64::try_from(n).unwrap());
        Seat { presence: Presence::Online, load: 1, capacity: 3, last_assigned_at, ..world.seat(n) }
    }

    fn waits(world: &World, queue: u64, n: u64) -> Conversation {
        Conversation { queue: world.queue(queue), ..world.conversation(n) }
    }

    #[test]
    fn few_free_seats_are_asked_about_their_own_queues_alone() {
        let world = World::new();
        let (busy, calm) = (queue(&world, 0, 0..4), queue(&world, 1, 4..9));
        let roster = Roster::new(&rules(vec![busy.clone(), calm]));
        let free = |users: &[u64]| Free::of(world.organization, users.iter().map(|n| seat(&world, *n)).collect());
        assert_eq!(free(&[1, 2]).asked(&roster), (vec![busy.id], 4));
        assert_eq!(free(&[11]).asked(&roster), (vec![], 2), "serves no queue that hands out");
        let waiting = [waits(&world, 1, 1).waits().unwrap()];
        assert_eq!(free(&[1]).scarce(&roster, &waiting, 1), [].into(), "all who are free are known");
    }

    #[test]
    fn behind_many_free_seats_a_queue_is_asked_for_its_own() {
        let world = World::new();
        let (wide, narrow) = (queue(&world, 0, 0..100), queue(&world, 1, 200..201));
        let roster = Roster::new(&rules(vec![wide.clone(), narrow.clone()]));
        let free = Free::of(world.organization, (0..u64::from(AT_ONCE)).map(|n| seat(&world, n)).collect());
        let (queues, each) = free.asked(&roster);
        assert_eq!((queues.into_iter().collect::<BTreeSet<_>>(), each), ([wide.id, narrow.id].into(), AT_ONCE));
        let [first, second] = [(0, 1), (1, 2)].map(|(queue, n)| waits(&world, queue, n).waits().unwrap());
        assert_eq!(free.scarce(&roster, &[], 1), [].into());
        assert_eq!(free.scarce(&roster, &[first], 1), [].into());
        assert_eq!(free.scarce(&roster, &[first, second], 2), [narrow.id].into());
        let mut known = free;
        known.seats.insert(world.user(200), seat(&world, 200));
        assert_eq!(known.scarce(&roster, &[first, second], 2), [].into(), "it has one member, who is known");
    }

    #[test]
    fn a_roster_is_made_again_when_the_rules_change() {
        let world = World::new();
        let mut rosters = Rosters::default();
        let one = Arc::new(rules(vec![queue(&world, 1, 0..3)]));
        let first = rosters.of(world.organization, Arc::clone(&one));
        let same = rosters.of(world.organization, Arc::new((*one).clone()));
        assert!(Arc::ptr_eq(&first, &same));
        let wider = rosters.of(world.organization, Arc::new(rules(vec![queue(&world, 1, 0..4)])));
        assert_eq!(wider.members(world.queue(1)).len(), 4);
    }

    /// Looks until nothing is proposed, and compares each look with what knowing all would give. Answers how much each
    /// look gave.
    async fn given(world: &World, roster: &Roster, seats: Vec<Seat>, waiting: Vec<Conversation>) -> Vec<usize> {
        let folder = tempfile::tempdir().unwrap();
        let store = Embedded::open(folder.path(), EmbeddedOptions::default()).await.unwrap().store;
        let journal: &dyn Journal = &*store;
        let mut left: Vec<Waiting> = waiting.iter().filter_map(Conversation::waits).collect();
        let users: Vec<_> = seats.iter().map(|seat| (world.organization, seat.user)).collect();
        journal.commit(&Commit { seats, conversations: waiting, ..Commit::default() }).await.unwrap();
        let (mut now, mut sizes) = (1_000_000, Vec::new());
        loop {
            now += 1;
            let at = Timestamp::from_secs(now);
            let lookup = Lookup { seats: users.iter().copied().collect(), ..Lookup::default() };
            let all: Vec<Seat> = journal.load(&lookup).await.unwrap().seats.into_values().collect();
            let owed = distribute(roster, &left, &all, at);
            let found = propose(journal, world.organization, roster, at).await.unwrap();
            assert_eq!(found.is_empty(), owed.is_empty(), "after {sizes:?}");
            assert!(owed.starts_with(&found), "after {sizes:?}: {found:?} is not the first of {owed:?}");
            if found.is_empty() {
                return sizes;
            }
            sizes.push(found.len());
            carry_out(journal, world.organization, &found, at).await;
            left.retain(|one| !found.iter().any(|given| given.conversation == one.conversation));
        }
    }

    async fn carry_out(journal: &dyn Journal, organization: OrganizationId, found: &[Proposal], at: Timestamp) {
        let lookup = Lookup {
            conversations: found.iter().map(|one| (organization, one.conversation)).collect(),
            seats: found.iter().map(|one| (organization, one.user)).collect(),
            ..Lookup::default()
        };
        let mut loaded = journal.load(&lookup).await.unwrap();
        for one in found {
            let seat = loaded.seats.get_mut(&(organization, one.user)).unwrap();
            assert!(seat.is_free(), "nobody gets more than their capacity");
            seat.load += 1;
            seat.last_assigned_at = at;
            let conversation = loaded.conversations.get_mut(&one.conversation).unwrap();
            conversation.stage = domain::Stage::Active;
            conversation.agent = Some(one.user);
        }
        let conversations = loaded.conversations.into_values().collect();
        let seats = loaded.seats.into_values().collect();
        journal.commit(&Commit { conversations, seats, ..Commit::default() }).await.unwrap();
    }

    #[tokio::test]
    async fn nobody_idles_behind_many_who_are_free_and_many_queues() {
        let world = World::new();
        // More free seats than are read serve a queue in which nothing waits; of the others every third has a member.
        let mut queues = vec![queue(&world, 0, 0..200)];
        queues.extend((1..=300).map(|n| queue(&world, n, (n % 3 == 0).then_some(1_000 + n / 12).into_iter())));
        let roster = Roster::new(&rules(queues));
        let users = (0..200).chain((3..=300).step_by(3).map(|n| 1_000 + n / 12).collect::<BTreeSet<u64>>());
        let seats = users.map(|n| seat(&world, n)).collect();
        let waiting = (0..900).map(|n| waits(&world, 1 + n % 300, n)).collect();
        let sizes = given(&world, &roster, seats, waiting).await;
        assert_eq!(sizes.iter().sum::<usize>(), 2 * 26, "the places of all who serve something that waits");
    }

    #[tokio::test]
    async fn one_member_behind_many_who_are_free_is_found() {
        let world = World::new();
        let roster = Roster::new(&rules(vec![queue(&world, 0, 0..200), queue(&world, 1, 500..501)]));
        let seats = (0..200).chain([500]).map(|n| seat(&world, n)).collect();
        let waiting = (0..100).map(|n| waits(&world, 1, n)).collect();
        assert_eq!(given(&world, &roster, seats, waiting).await, [2]);
    }

    #[tokio::test]
    async fn a_rush_is_given_in_full_commits() {
        let world = World::new();
        let roster = Roster::new(&rules(vec![queue(&world, 0, 0..100), queue(&world, 1, 50..120)]));
        let seats = (0..120).map(|n| seat(&world, n)).collect();
        let waiting = (0..400).map(|n| waits(&world, n % 2, n)).collect();
        assert_eq!(given(&world, &roster, seats, waiting).await, [64, 64, 64, 48]);
    }
}
