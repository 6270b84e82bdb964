//! What channels accepted and what was heard of it, and what contacts said.

use std::collections::BTreeMap;

use domain::{Author, Conversation, DeliveryState, Message, Parked, Partition, Thread, Timestamp};
use ports::{
    bus::headers,
    conservation::{Accepted, Fate, Heard, IntakeCounts, Period, Range, SEEN_EMPTY, SendCounts, Stamp, Stream, merged},
    journal::Said,
};

use super::tables::Tables;

fn asked(stream: &Stream, period: &Period) -> bool {
    period.account.is_none_or(|account| stream.account == account)
        && period.since.is_none_or(|since| stream.slot >= Stream::slot_of(since))
        && period.until.is_none_or(|until| stream.slot < until)
}

impl Tables {
    pub(super) fn note_accepted(&mut self, streams: &[Accepted]) {
        for one in streams {
            if self.accepted.get(&one.stream).is_none_or(|known| known.at <= one.at) {
                self.accepted.insert(one.stream.clone(), one.clone());
            }
        }
    }

    /// What is kept as parked was heard, if a channel accepted it.
    pub(super) fn hear_parked(&mut self, parked: &[Parked]) {
        let stamp = |one: &Parked| {
            let (_, stamp) = one.headers.iter().find(|(name, _)| name == headers::ACCEPTED)?;
            Some((stamp.parse::<Stamp>().ok()?, Fate::Parked))
        };
        self.heard.extend(Heard::of(parked.iter().filter_map(stamp)));
    }

    pub(super) fn fold_heard(&mut self, since: Timestamp) {
        let mut ranges: BTreeMap<(Stream, Fate), Vec<Range>> = BTreeMap::new();
        for one in self.heard.iter().filter(|one| one.stream.slot >= since) {
            ranges.entry((one.stream.clone(), one.fate)).or_default().push(one.range);
        }
        self.heard.retain(|one| one.stream.slot < since);
        for ((stream, fate), found) in ranges {
            let folded = merged(found).into_iter();
            self.heard.extend(folded.map(|range| Heard { stream: stream.clone(), fate, range }));
        }
    }

    pub(super) fn intake(&self, period: &Period) -> IntakeCounts {
        let empty = self.cursors.get(SEEN_EMPTY).and_then(|text| serde_json::from_str(text).ok());
        let empty: BTreeMap<u16, Timestamp> = empty.unwrap_or_default();
        let mut heard: BTreeMap<&Stream, Vec<(Fate, Range)>> = BTreeMap::new();
        for one in self.heard.iter().filter(|one| asked(&one.stream, period)) {
            heard.entry(&one.stream).or_default().push((one.fate, one.range));
        }
        for stream in self.accepted.keys().filter(|stream| asked(stream, period)) {
            heard.entry(stream).or_default();
        }
        let mut counts = IntakeCounts::default();
        for (stream, ranges) in heard {
            let Partition(partition) = stream.partition;
            counts.add(stream, self.accepted.get(stream), &ranges, empty.get(&partition).copied());
        }
        counts
    }

    pub(super) fn sends(&self, period: &Period) -> SendCounts {
        let account = |message: &Message| Some(self.conversations.get(&message.conversation)?.account());
        let asked = |message: &&Message| {
            period.account.is_none_or(|asked| account(message) == Some(asked))
                && period.since.is_none_or(|since| message.at >= since)
                && period.until.is_none_or(|until| message.at < until)
        };
        let mut counts = SendCounts::default();
        let (mut states, mut failed) = (BTreeMap::new(), BTreeMap::new());
        for delivery in self.messages.values().filter(asked).filter_map(|message| message.delivery.as_ref()) {
            counts.submitted += 1;
            *states.entry(format!("{:?}", delivery.state).to_lowercase()).or_default() += 1;
            if delivery.state == DeliveryState::Failed {
                let code = delivery.failure.as_ref().map(|failure| failure.code.to_string()).unwrap_or_default();
                *failed.entry(code).or_default() += 1;
            }
        }
        (counts.states, counts.failed) = (states.into_iter().collect(), failed.into_iter().collect());
        counts
    }

    pub(super) fn said(&self, since: &[(Thread, Timestamp)]) -> Vec<Said> {
        let since: BTreeMap<&Thread, Timestamp> = since.iter().map(|(thread, at)| (thread, *at)).collect();
        let mut of_threads: Vec<&Conversation> =
            self.conversations.values().filter(|one| since.contains_key(&one.thread)).collect();
        of_threads.sort_by_key(|one| (one.opened_at, one.id));
        let mut said = Vec::new();
        for conversation in of_threads {
            let from = since.get(&conversation.thread).copied().unwrap_or_default();
            let places = self.places.range((conversation.id, 0)..=(conversation.id, u64::MAX));
            let messages = places.filter_map(|(_, id)| self.messages.get(id));
            let theirs = messages.filter(|message| message.author == Author::Contact);
            said.extend(theirs.skip_while(|message| message.at < from).map(|message| Said {
                thread: conversation.thread.clone(),
                cause: message.cause,
                content: message.content.clone(),
                provider_id: message.provider_id.clone(),
                at: message.at,
            }));
        }
        said
    }
}
