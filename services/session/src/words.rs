//! What contacts say, and what it changes in the consent ledger. The inbound pump hears from the router what bears on
//! it; the gate reads for itself in the store what the pump may not have heard yet. Reading the same twice changes nothing.

use std::collections::BTreeMap;

use domain::{Channel, ConsentChange, ConsentEntry, Content, EventId, Inbound, InboundBody, Thread, Timestamp};
use ports::StoreError;
use runtime::{
    Env,
    names::{label, metric},
};
use sessions::{Policy, heard, policy_of};

/// The source of an agreement that nobody gave in words: the contact wrote at all.
const STARTED_CHAT: &str = "started_chat";

/// Something that bears on consent.
pub(crate) struct Told<'a> {
    pub(crate) cause: EventId,
    pub(crate) thread: &'a Thread,
    pub(crate) channel: &'a Channel,
    pub(crate) at: Timestamp,
    pub(crate) what: What<'a>,
}

pub(crate) enum What<'a> {
    /// The contact wrote.
    Said { content: &'a Content, provider_id: &'a str },
    /// The provider or a form says so.
    Consent(&'a ConsentChange),
}

/// What an event tells, if it bears on consent.
pub(crate) fn told(inbound: &Inbound) -> Option<Told<'_>> {
    let what = match &inbound.body {
        InboundBody::Message(said) => What::Said { content: &said.content, provider_id: &said.provider_id },
        InboundBody::Consent(change) => What::Consent(change),
        _ => return None,
    };
    let (cause, thread, channel) = (inbound.id, &inbound.thread, &inbound.channel);
    Some(Told { cause, thread, channel, at: inbound.wrote_at(), what })
}

/// Writes what `told` changes; `known` are the last entries of its threads. Answers whether anything was written.
pub(crate) async fn note(
    env: &Env,
    told: &[Told<'_>],
    known: BTreeMap<Thread, ConsentEntry>,
) -> Result<bool, StoreError> {
    let entries = entries(told, known);
    if entries.is_empty() {
        return Ok(false);
    }
    env.consents.append(&entries).await?;
    for entry in &entries {
        let outcome = if entry.change.granted { "granted" } else { "refused" };
        let labels = [(label::CHANNEL, entry.channel.as_str()), (label::OUTCOME, outcome)];
        env.metrics.count(metric::CONSENT_ENTRIES, &labels, 1);
    }
    Ok(true)
}

/// The last entry of each of these threads.
pub(crate) async fn consent(env: &Env, threads: &[Thread]) -> Result<BTreeMap<Thread, ConsentEntry>, StoreError> {
    let last = env.consents.last(threads).await?;
    Ok(threads.iter().cloned().zip(last).filter_map(|(thread, entry)| Some((thread, entry?))).collect())
}

/// The ledger's new entries, each decided on the one before it.
fn entries(told: &[Told<'_>], mut known: BTreeMap<Thread, ConsentEntry>) -> Vec<ConsentEntry> {
    let mut entries = Vec::new();
    for one in told {
        let last = known.get(one.thread);
        let change = match &one.what {
            What::Consent(change) => Some((*change).clone()),
            What::Said { content, provider_id } => spoken(policy_of(one.channel.as_str()), content, provider_id, last),
        };
        let Some(change) = change else { continue };
        // A STOP that the provider brought late does not fall behind an agreement that was only inferred.
        let inferred = last.filter(|entry| !change.granted && entry.change.source == STARTED_CHAT);
        let entry = ConsentEntry {
            cause: one.cause,
            thread: one.thread.clone(),
            channel: one.channel.clone(),
            change,
            at: inferred.map_or(one.at, |entry| one.at.max(entry.at)),
        };
        known.insert(one.thread.clone(), entry.clone());
        entries.push(entry);
    }
    entries
}

/// What the contact's message changes: its words, or the fact that they wrote at all.
fn spoken(policy: &Policy, content: &Content, provider_id: &str, last: Option<&ConsentEntry>) -> Option<ConsentChange> {
    let refused = last.is_some_and(|entry| !entry.change.granted);
    if let Some(change) = heard(policy, content, refused) {
        return Some(change);
    }
    (last.is_none() || any_word_lifts(policy, last)).then(|| ConsentChange {
        granted: true,
        source: STARTED_CHAT.to_owned(),
        evidence: format!("message {provider_id}"),
    })
}

/// Whether the contact's next message lifts this refusal, whatever it says.
pub(crate) fn any_word_lifts(policy: &Policy, last: Option<&ConsentEntry>) -> bool {
    let blocked = |entry: &ConsentEntry| !entry.change.granted && entry.change.source == "provider_event";
    policy.writing_lifts_block && last.is_some_and(blocked)
}

/// From when on words may still change `last`: all, while it is only inferred.
pub(crate) fn settled(last: Option<&ConsentEntry>) -> Option<Timestamp> {
    last.filter(|entry| entry.change.source != STARTED_CHAT).map(|entry| entry.at)
}

/// Whether something that was said, and may have been read before, comes after the ledger's last entry. At the same
/// moment only a refusal counts: two things of one second come in no order that could be trusted.
pub(crate) fn is_news(told: &Told<'_>, last: Option<&ConsentEntry>) -> bool {
    let refuses = || match &told.what {
        What::Said { content, .. } => {
            heard(policy_of(told.channel.as_str()), content, false).is_some_and(|change| !change.granted)
        }
        What::Consent(change) => !change.granted,
    };
    last.is_none_or(|entry| entry.cause != told.cause)
        && settled(last).is_none_or(|settled| told.at > settled || (told.at == settled && refuses()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use domain::{AccountId, Address, OrganizationId};

    use super::*;

    fn thread() -> Thread {
        let (organization, account) = (OrganizationId::derive(&["o"]), AccountId::derive(&["a"]));
        Thread { organization, account, address: Address::new("1") }
    }

    fn entry(granted: bool, source: &str, at: i64) -> ConsentEntry {
        ConsentEntry {
            cause: EventId::derive(&[source]),
            thread: thread(),
            channel: "telegram".parse().unwrap(),
            change: ConsentChange { granted, source: source.to_owned(), evidence: String::new() },
            at: Timestamp::from_secs(at),
        }
    }

    /// What saying `words` at second `at` makes of `last` when it is read again: the new entry, as granted or not.
    fn again(words: &str, at: i64, last: &ConsentEntry) -> Option<(bool, Timestamp)> {
        let (thread, channel, content) = (thread(), "telegram".parse().unwrap(), Content::text(words));
        let what = What::Said { content: &content, provider_id: "1" };
        let cause = EventId::derive(&[words]);
        let told = Told { cause, thread: &thread, channel: &channel, at: Timestamp::from_secs(at), what };
        if !is_news(&told, Some(last)) {
            return None;
        }
        let known = BTreeMap::from([(thread.clone(), last.clone())]);
        entries(&[told], known).first().map(|entry| (entry.change.granted, entry.at))
    }

    #[test]
    fn ses_5_words_that_were_read_before_do_not_undo_what_came_after() {
        let at = Timestamp::from_secs;
        // The contact blocked the bot after their last message: reading that message again lifts nothing.
        let blocked = entry(false, "provider_event", 10);
        assert_eq!(again("oi", 9, &blocked), None);
        assert_eq!(again("oi", 10, &blocked), None);
        assert_eq!(again("oi", 11, &blocked), Some((true, at(11))));
        // An agreement in words stands against an older STOP, and not against one of the same second or a later one.
        let agreed = entry(true, "keyword", 10);
        assert_eq!(again("STOP", 9, &agreed), None);
        assert_eq!(again("STOP", 10, &agreed), Some((false, at(10))));
        assert_eq!(again("STOP", 11, &agreed), Some((false, at(11))));
        // One that was only inferred does not stand against a STOP that the provider brought late.
        let inferred = entry(true, STARTED_CHAT, 10);
        assert_eq!(again("STOP", 9, &inferred), Some((false, at(10))));
        assert_eq!(again("oi", 12, &inferred), None);
        // The entry's own words are not read twice.
        let own = ConsentEntry { cause: EventId::derive(&["STOP"]), ..entry(false, "keyword", 10) };
        assert_eq!(again("STOP", 10, &own), None);
    }
}
