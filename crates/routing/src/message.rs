//! The contact wrote: a conversation opens or goes on.

use domain::{
    Author, Class, Contact, ContactId, Conversation, ConversationId, EventId, Inbound, InboundMessage, Message,
    MessageId, Profile, Stage, Timestamp, error::codes,
};

use crate::{Change, Decision, Rules, State, Timer, ownership};

/// The longest preview, in characters.
pub(crate) const PREVIEW: usize = 120;

pub(crate) fn decide(
    rules: &Rules,
    state: &State,
    inbound: &Inbound,
    said: &InboundMessage,
    now: Timestamp,
) -> Decision {
    let mut decision = Decision::unchanged("appended");
    let known = state.contacts.get(&inbound.thread);
    let contact = met(inbound, &said.profile, known, now);
    let mut conversation = match state.open_conversation(&inbound.thread) {
        Some(open) => open.clone(),
        None => match open(rules, inbound, &contact, now) {
            Some(new) => {
                decision.why = "opened";
                new
            }
            None => {
                let detail = format!("account {} is not known", inbound.thread.account);
                return Decision::refused(Class::NotFound, codes::ACCOUNT_UNKNOWN, detail);
            }
        },
    };
    conversation.contact_name.clone_from(&contact.name);
    conversation.contact_email.clone_from(&contact.email);
    if known != Some(&contact) {
        decision.changes.push(Change::Contact(Box::new(contact)));
    }
    if decision.why == "opened" {
        ownership::wait(&mut decision, rules, &mut conversation);
    } else if conversation.stage == Stage::Inactive {
        decision.why = "active_again";
        conversation.stage = Stage::Active;
        decision.timer(&conversation, Timer::Abandon, None);
        decision.timer(&conversation, Timer::Inactive, Some(now + rules.inactive_after(conversation.queue)));
    }
    let message = append(&mut conversation, inbound, said, state);
    decision.conversation(conversation);
    decision.message(message);
    decision
}

/// A new conversation in the account's queue; none when the account is not known.
fn open(rules: &Rules, inbound: &Inbound, contact: &Contact, now: Timestamp) -> Option<Conversation> {
    Some(Conversation {
        id: ConversationId::derive(&[&inbound.id.to_string()]),
        thread: inbound.thread.clone(),
        channel: inbound.channel.clone(),
        contact: contact.id,
        contact_name: None,
        contact_email: None,
        queue: *rules.accounts.get(&inbound.thread.account)?,
        stage: Stage::Waiting,
        agent: None,
        assignment: None,
        opened_at: now,
        waiting_since: now,
        last_inbound_at: None,
        last_activity_at: now,
        closed_at: None,
        close_reason: None,
        unread: 0,
        preview: String::new(),
        preview_kind: String::new(),
        next_sequence: 1,
        version: 0,
    })
}

/// The message that an event brings.
pub fn brought_by(event: EventId) -> MessageId {
    MessageId::derive(&[&event.to_string()])
}

fn append(conversation: &mut Conversation, inbound: &Inbound, said: &InboundMessage, state: &State) -> Message {
    let sequence = conversation.next_sequence;
    let wrote_at = inbound.wrote_at();
    conversation.next_sequence = sequence.saturating_add(1);
    conversation.unread = conversation.unread.saturating_add(1);
    conversation.last_inbound_at = conversation.last_inbound_at.max(Some(wrote_at));
    conversation.last_activity_at = conversation.last_activity_at.max(wrote_at);
    conversation.preview = said.content.preview(PREVIEW);
    said.content.kind().clone_into(&mut conversation.preview_kind);
    let account = inbound.thread.account;
    let answered = said.reply_to.as_ref().and_then(|id| state.by_provider_id.get(&(account, id.clone())));
    Message {
        id: brought_by(inbound.id),
        organization: inbound.thread.organization,
        conversation: conversation.id,
        sequence,
        author: Author::Contact,
        content: said.content.clone(),
        at: wrote_at,
        provider_id: Some(said.provider_id.clone()),
        reply_to: answered.copied(),
        delivery: None,
        cause: inbound.id,
        version: 0,
    }
}

/// The contact, with what the channel tells now. What it does not tell stays as it was.
fn met(inbound: &Inbound, profile: &Profile, known: Option<&Contact>, now: Timestamp) -> Contact {
    let mut contact = known.cloned().unwrap_or_else(|| Contact {
        id: ContactId::derive(&[
            &inbound.thread.organization.to_string(),
            &inbound.thread.account.to_string(),
            inbound.thread.address.as_str(),
        ]),
        thread: inbound.thread.clone(),
        channel: inbound.channel.clone(),
        name: None,
        email: None,
        phone: None,
        created_at: now,
        version: 0,
    });
    let told = |now: &Option<String>| now.clone().filter(|text| !text.trim().is_empty());
    contact.name = told(&profile.name).or_else(|| contact.name.take()).or_else(|| told(&profile.username));
    contact.email = told(&profile.email).or_else(|| contact.email.take());
    contact.phone = told(&profile.phone).or_else(|| contact.phone.take());
    contact
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use domain::{Content, InboundBody};

    use super::*;
    use crate::sample::{World, at};

    #[test]
    fn the_first_message_opens_a_conversation_in_the_accounts_queue() {
        let mut world = World::manual();
        let decision = world.says("ana", "oi");
        assert_eq!(decision.why, "opened");
        let conversation = world.open("ana");
        assert_eq!(conversation.stage, Stage::Waiting);
        assert_eq!(conversation.queue, world.queue());
        assert_eq!((conversation.unread, conversation.next_sequence), (1, 2));
        assert_eq!(conversation.preview, "oi");
        assert_eq!(conversation.contact_name.as_deref(), Some("ana"));
        assert!(domain::invariants::owned_once(&conversation));
    }

    #[test]
    fn the_next_one_is_appended_in_order() {
        let mut world = World::manual();
        world.says("ana", "1");
        assert_eq!(world.says("ana", "2").why, "appended");
        let conversation = world.open("ana");
        let mut texts: Vec<_> = world.state.messages.values().map(|m| (m.sequence, m.content.preview(9))).collect();
        texts.sort();
        assert_eq!(texts, [(1, "1".to_owned()), (2, "2".to_owned())]);
        assert_eq!(world.state.conversations.len(), 1);
        assert_eq!(conversation.next_sequence, 3);
    }

    #[test]
    fn a_duplicate_changes_nothing() {
        let mut world = World::manual();
        let inbound = world.message("ana", Content::text("oi"));
        assert_eq!(world.inbound(inbound.clone()).why, "opened");
        let before = world.state.clone();
        let again = world.inbound(inbound);
        assert_eq!((again.why, again.changes.len()), ("duplicate", 0));
        assert_eq!(world.state, before);
    }

    #[test]
    fn t_1_an_inactive_conversation_wakes_when_the_contact_writes() {
        let mut world = World::manual();
        world.says("ana", "oi");
        world.seat_online(0, 2);
        world.take(0, "ana");
        world.pass(1_800);
        world.due("ana", Timer::Inactive);
        assert_eq!(world.open("ana").stage, Stage::Inactive);
        let decision = world.says("ana", "voltei");
        assert_eq!(decision.why, "active_again");
        assert_eq!(world.open("ana").stage, Stage::Active);
        let moved: Vec<_> = decision
            .changes
            .iter()
            .filter_map(|change| match change {
                Change::Timer { timer, due_at, .. } => Some((*timer, *due_at)),
                _ => None,
            })
            .collect();
        let due = world.now + std::time::Duration::from_secs(1_800);
        assert_eq!(moved, [(Timer::Abandon, None), (Timer::Inactive, Some(due))]);
    }

    #[test]
    fn t_2_after_the_end_a_new_conversation_begins() {
        let mut world = World::manual();
        world.says("ana", "oi");
        let first = world.open("ana").id;
        world.seat_online(0, 2);
        world.take(0, "ana");
        world.conclude(0, "ana");
        assert_eq!(world.says("ana", "de novo").why, "opened");
        assert_ne!(world.open("ana").id, first);
        assert_eq!(world.open("ana").next_sequence, 2);
    }

    #[test]
    fn a_providers_clock_that_runs_ahead_is_not_believed() {
        let mut world = World::manual();
        let mut inbound = world.message("ana", Content::text("oi"));
        inbound.at = inbound.received_at + std::time::Duration::from_secs(3_600);
        world.inbound(inbound.clone());
        assert_eq!(world.open("ana").last_inbound_at, Some(inbound.received_at));
        // One that is late does not move the last time back.
        let mut late = world.message("ana", Content::text("antes"));
        late.at = at(1);
        world.inbound(late);
        assert_eq!(world.open("ana").last_inbound_at, Some(inbound.received_at));
    }

    #[test]
    fn an_unknown_account_is_refused_and_nothing_is_marked() {
        let mut world = World::manual();
        world.rules.accounts.clear();
        let decision = world.says("ana", "oi");
        assert_eq!(decision.refusal.map(|refusal| refusal.code), Some(codes::ACCOUNT_UNKNOWN));
        assert!(decision.changes.is_empty());
    }

    #[test]
    fn what_a_profile_does_not_tell_stays() {
        let mut world = World::manual();
        world.says("ana", "oi");
        let mut inbound = world.message("ana", Content::text("oi"));
        if let InboundBody::Message(said) = &mut inbound.body {
            said.profile = Profile { email: Some("ana@example.com".into()), ..Profile::default() };
        }
        world.inbound(inbound);
        let conversation = world.open("ana");
        assert_eq!(conversation.contact_name.as_deref(), Some("ana"));
        assert_eq!(conversation.contact_email.as_deref(), Some("ana@example.com"));
    }
}
