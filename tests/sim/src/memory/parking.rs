//! Parked messages and what is decided about them.

use std::collections::BTreeMap;

use async_trait::async_trait;
use domain::{
    Channel, MessageId, OrganizationId, Outcome, Parked, ParkedDecision, ParkedEntry, ParkedId, Ruling, Timestamp,
};
use ports::{Asked, ParkedFilter, ParkedGroup, Parking, Settled, Standing, StoreError};

use super::{Store, tables::Tables};

/// A parked message, where it stands.
#[derive(Debug, Clone)]
pub struct Kept {
    /// The message.
    pub parked: Parked,
    /// What the router was asked, and when.
    pub asked: Option<(Asked, Timestamp)>,
    closed_at: Option<Timestamp>,
    version: u64,
}

impl Kept {
    /// Neither on its way nor ended.
    pub const fn is_listed(&self) -> bool {
        self.parked.redriven_at.is_none() && self.closed_at.is_none()
    }

    pub(super) fn entry(&self, body: Vec<u8>) -> ParkedEntry {
        ParkedEntry {
            size: self.parked.body.len() as u64,
            parked: Parked { body, ..self.parked.clone() },
            requested: self.asked.as_ref().map(|(asked, _)| asked.ruling),
            closed_at: self.closed_at,
            version: self.version,
        }
    }

    fn fits(&self, filter: &ParkedFilter) -> bool {
        let one = &self.parked;
        let stands = match filter.standing {
            Standing::Listed => self.is_listed(),
            Standing::Redrivable => self.is_listed() && self.asked.is_none() && one.code.as_str() != "in_doubt",
            Standing::Ended => !self.is_listed(),
        };
        let account = |names: &Vec<String>| match &one.account {
            None => names.is_empty(),
            Some(account) => names.contains(account),
        };
        let channel = |channels: &Vec<Channel>| match &one.channel {
            None => channels.is_empty(),
            Some(channel) => channels.contains(channel),
        };
        stands
            && (filter.organization.is_none() || one.organization == filter.organization)
            && filter.code.as_deref().is_none_or(|code| one.code.as_str() == code)
            && filter.place.as_deref().is_none_or(|place| one.place == place)
            && filter.channels.as_ref().is_none_or(channel)
            && filter.accounts.as_ref().is_none_or(account)
            && filter.since.is_none_or(|since| one.at >= since)
            && filter.until.is_none_or(|until| one.at < until)
    }
}

impl Tables {
    /// The later parking counts, unless the message was redriven or ended after it.
    pub(super) fn park(&mut self, parked: &[Parked]) {
        self.hear_parked(parked);
        for one in parked {
            let known = self.parked.get(&one.id);
            let later = |known: &Kept| {
                let ends = [Some(known.parked.at), known.parked.redriven_at, known.closed_at];
                ends.into_iter().flatten().all(|end| one.at > end)
            };
            if known.is_none_or(later) {
                let version = known.map_or(0, |known| known.version + 1);
                self.parked.insert(one.id, Kept { parked: one.clone(), asked: None, closed_at: None, version });
            }
        }
    }

    /// Whether this may be decided: nobody else did.
    pub(super) fn may_decide(&self, decision: &ParkedDecision, version: u64) -> bool {
        self.parked.get(&decision.parked).is_some_and(|kept| kept.version == version && kept.is_listed())
    }

    pub(super) fn decide(&mut self, decision: &ParkedDecision) {
        if let Some(kept) = self.parked.get_mut(&decision.parked) {
            let ParkedDecision { ruling, reason, by, at, .. } = decision.clone();
            kept.asked = (ruling == Ruling::Redrive).then_some((Asked { ruling, reason, by }, at));
            match ruling {
                Ruling::Redrive => {}
                Ruling::Again => kept.parked.redriven_at = Some(at),
                Ruling::Arrived | Ruling::Failed | Ruling::Discard => kept.closed_at = Some(at),
            }
            kept.version += 1;
        }
        self.decisions.push(decision.clone());
    }

    /// Ends what is still parked of messages that are in doubt no longer.
    pub(super) fn settle(&mut self, settled: &[Settled]) {
        let Some(at) = settled.iter().map(|one| one.at).max() else { return };
        let doubted = |kept: &Kept| settled.iter().any(|one| kept.parked.message == Some(one.message));
        for kept in self.parked.values_mut().filter(|kept| kept.is_listed() && doubted(kept)) {
            (kept.closed_at, kept.asked) = (Some(at), None);
            kept.version += 1;
        }
    }

    /// See [`ports::Journal::known_after_all`].
    pub(super) fn known_after_all(&self, since: Timestamp, limit: u32) -> Vec<(OrganizationId, ParkedId)> {
        let known = |kept: &&Kept| {
            let Some(message) = kept.parked.message else { return false };
            let attempts =
                || self.attempts.range((message, 0)..=(message, u16::MAX)).map(|(_, attempt)| &attempt.outcome);
            attempts().any(|outcome| matches!(outcome, Some(Outcome::Accepted { .. })))
                && !attempts().any(|outcome| matches!(outcome, None | Some(Outcome::InDoubt { .. })))
        };
        let doubted = |kept: &&Kept| kept.is_listed() && kept.parked.at >= since && kept.parked.is_in_doubt();
        let mut found: Vec<_> = self.parked.values().filter(doubted).filter(known).map(|kept| &kept.parked).collect();
        found.sort_by_key(|parked| (parked.at, parked.id));
        found.into_iter().filter_map(|parked| Some((parked.organization?, parked.id))).take(limit as usize).collect()
    }

    fn request(&mut self, ids: &[ParkedId], asked: &Asked, at: Timestamp) {
        for id in ids {
            let Some(kept) = self.parked.get_mut(id).filter(|kept| kept.is_listed()) else { continue };
            kept.asked = Some((asked.clone(), at));
            kept.version += 1;
            if asked.ruling == Ruling::Redrive {
                let organization = kept.parked.organization;
                let Asked { ruling, reason, by } = asked.clone();
                self.decisions.push(ParkedDecision { parked: *id, organization, ruling, reason, by, at });
            }
        }
    }

    /// Whether a person ended it, and nothing came of it.
    pub(super) fn is_discarded(&self, kept: &Kept) -> bool {
        self.decisions.iter().any(|decision| {
            decision.parked == kept.parked.id
                && kept.closed_at == Some(decision.at)
                && matches!(decision.ruling, Ruling::Discard | Ruling::Failed)
        })
    }

    /// Whether a person said how the message ended, and the router took it.
    pub fn is_judged(&self, message: MessageId) -> bool {
        self.decisions.iter().any(|decision| {
            matches!(decision.ruling, Ruling::Arrived | Ruling::Failed | Ruling::Discard)
                && self.parked.get(&decision.parked).is_some_and(|kept| kept.parked.message == Some(message))
        })
    }

    fn found(&self, filter: &ParkedFilter) -> Vec<&Kept> {
        let mut found: Vec<_> = self.parked.values().filter(|kept| kept.fits(filter)).collect();
        found.sort_by_key(|kept| (std::cmp::Reverse(kept.parked.at), kept.parked.id));
        found
    }

    fn groups(&self, filter: &ParkedFilter) -> Vec<ParkedGroup> {
        let mut groups: BTreeMap<_, ParkedGroup> = BTreeMap::new();
        for kept in self.found(filter) {
            let one = &kept.parked;
            let key = (one.code.as_str().to_owned(), one.place.clone(), one.channel.clone(), one.account.clone());
            let group = groups.entry(key).or_insert_with(|| ParkedGroup {
                code: one.code.clone(),
                place: one.place.clone(),
                channel: one.channel.clone(),
                account: one.account.clone(),
                count: 0,
                requested: 0,
                first_at: one.at,
                last_at: one.at,
            });
            group.count += 1;
            group.requested += u64::from(kept.asked.is_some());
            group.first_at = group.first_at.min(one.at);
        }
        let mut groups: Vec<_> = groups.into_values().collect();
        groups.sort_by_key(|group| std::cmp::Reverse(group.last_at));
        groups
    }

    fn requested(&self, limit: u32) -> Vec<(Parked, Asked)> {
        let mut requested: Vec<_> =
            self.parked.values().filter_map(|kept| Some((kept, kept.asked.as_ref()?))).collect();
        requested.sort_by_key(|(kept, (_, at))| (*at, kept.parked.at, kept.parked.id));
        requested
            .into_iter()
            .take(limit as usize)
            .map(|(kept, (asked, _))| (kept.parked.clone(), asked.clone()))
            .collect()
    }
}

#[async_trait]
impl Parking for Store {
    async fn park(&self, parked: &[Parked]) -> Result<(), StoreError> {
        self.ask(|tables| tables.park(parked)).await
    }

    async fn list(&self, organization: Option<OrganizationId>, limit: u32) -> Result<Vec<Parked>, StoreError> {
        let filter = ParkedFilter { organization, ..ParkedFilter::default() };
        self.ask(|tables| {
            tables.found(&filter).into_iter().take(limit as usize).map(|kept| kept.parked.clone()).collect()
        })
        .await
    }

    async fn find(&self, filter: &ParkedFilter) -> Result<Vec<ParkedEntry>, StoreError> {
        let older = |kept: &Kept| {
            filter.before.is_none_or(|(at, id)| kept.parked.at < at || (kept.parked.at == at && kept.parked.id > id))
        };
        self.ask(|tables| {
            let page = tables.found(filter).into_iter().filter(|kept| older(kept)).take(filter.limit as usize);
            page.map(|kept| kept.entry(Vec::new())).collect()
        })
        .await
    }

    async fn groups(&self, filter: &ParkedFilter) -> Result<Vec<ParkedGroup>, StoreError> {
        self.ask(|tables| tables.groups(filter)).await
    }

    async fn show(&self, id: ParkedId) -> Result<Option<ParkedEntry>, StoreError> {
        self.ask(|tables| tables.parked.get(&id).map(|kept| kept.entry(kept.parked.body.clone()))).await
    }

    async fn decisions(&self, id: ParkedId) -> Result<Vec<ParkedDecision>, StoreError> {
        self.ask(|tables| tables.decisions.iter().filter(|decision| decision.parked == id).cloned().collect()).await
    }

    async fn request(&self, ids: &[ParkedId], asked: &Asked, at: Timestamp) -> Result<(), StoreError> {
        self.ask(|tables| tables.request(ids, asked, at)).await
    }

    async fn requested(&self, limit: u32) -> Result<Vec<(Parked, Asked)>, StoreError> {
        self.ask(|tables| tables.requested(limit)).await
    }

    async fn redriven(&self, id: ParkedId, at: Timestamp) -> Result<(), StoreError> {
        self.ask(|tables| {
            if let Some(kept) = tables.parked.get_mut(&id).filter(|kept| kept.parked.at <= at) {
                (kept.parked.redriven_at, kept.asked) = (Some(at), None);
                kept.version += 1;
            }
        })
        .await
    }

    async fn refused(&self, id: ParkedId, reason: &str) -> Result<(), StoreError> {
        self.ask(|tables| {
            if let Some(kept) = tables.parked.get_mut(&id) {
                reason.clone_into(&mut kept.parked.reason);
                kept.asked = None;
                kept.version += 1;
            }
        })
        .await
    }
}
