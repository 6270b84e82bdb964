//! The agent writes to the contact.

use domain::{
    Author, Class, Content, Conversation, Delivery, Message, MessageId, SendRequest, Timestamp, error::codes,
};

use crate::{
    Decision, Effect, State,
    message::PREVIEW,
    order::{Order, message_of},
};

pub(crate) fn decide(
    order: &Order<'_>,
    conversation: &Conversation,
    content: &Content,
    reply_to: Option<MessageId>,
) -> Decision {
    if let Some(refusal) = order.unless_serving(conversation) {
        return refusal;
    }
    if !says_something(content) {
        return Decision::refused(Class::Invalid, codes::BAD_REQUEST, "the message is empty");
    }
    let mut conversation = conversation.clone();
    let sequence = conversation.next_sequence;
    conversation.next_sequence = sequence.saturating_add(1);
    conversation.last_activity_at = conversation.last_activity_at.max(order.now);
    conversation.preview = content.preview(PREVIEW);
    content.kind().clone_into(&mut conversation.preview_kind);
    if conversation.agent == Some(order.by.actor) {
        conversation.unread = 0;
    }
    let message = Message {
        id: message_of(order.by.id),
        organization: order.by.organization,
        conversation: conversation.id,
        sequence,
        author: Author::User(order.by.actor),
        content: content.clone(),
        at: order.now,
        provider_id: None,
        reply_to,
        delivery: Some(Delivery::queued(order.now)),
        cause: order.by.id,
        version: 0,
    };
    let mut decision = Decision::unchanged("queued");
    let request = request(order.state, &conversation, &message, order.now);
    decision.effects.push(Effect::RequestSend(Box::new(request)));
    decision.conversation(conversation);
    decision.message(message);
    decision
}

/// What goes to the gate, with the evidence of the contact's last words.
pub(crate) fn request(state: &State, conversation: &Conversation, message: &Message, now: Timestamp) -> SendRequest {
    SendRequest {
        message: message.id,
        conversation: conversation.id,
        thread: conversation.thread.clone(),
        channel: conversation.channel.clone(),
        content: message.content.clone(),
        reply_to: message.reply_to.and_then(|id| provider_id(state, id)),
        author: match message.author {
            Author::User(user) => Some(user),
            Author::Contact | Author::System => None,
        },
        at: now,
        last_inbound_at: conversation.last_inbound_at,
    }
}

/// What the provider calls a message, in or out.
fn provider_id(state: &State, id: MessageId) -> Option<String> {
    let message = state.messages.get(&id)?;
    let sent = || message.delivery.as_ref()?.parts.first()?.provider_ids.first().cloned();
    message.provider_id.clone().or_else(sent)
}

fn says_something(content: &Content) -> bool {
    match content {
        Content::Text { text } => !text.trim().is_empty(),
        Content::Contacts { cards } => !cards.is_empty(),
        Content::Choices { text, options } => !text.trim().is_empty() && !options.is_empty(),
        Content::Unsupported { .. } => false,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use domain::{Command, DeliveryState, Role};

    use super::*;
    use crate::sample::World;

    #[test]
    fn the_message_is_queued_with_the_routers_evidence() {
        let mut world = World::serving("ana");
        let wrote = world.open("ana").last_inbound_at;
        world.pass(5);
        let conversation = world.open("ana").id;
        let content = Content::text("bom dia");
        let decision = world.order(0, Command::Send { conversation, content: content.clone(), reply_to: None });
        let [Effect::RequestSend(request)] = &decision.effects[..] else { panic!("one request") };
        assert_eq!((request.last_inbound_at, &request.content), (wrote, &content));
        assert_eq!(Some(request.message), decision.message);
        let message = &world.state.messages[&request.message];
        assert_eq!(message.delivery.as_ref().unwrap().state, DeliveryState::Queued);
        assert_eq!((message.sequence, world.open("ana").next_sequence), (2, 3));
        assert_eq!((world.open("ana").preview.as_str(), world.open("ana").unread), ("bom dia", 0));
    }

    #[test]
    fn an_answer_names_what_the_provider_calls_the_message() {
        let mut world = World::serving("ana");
        let asked = world.state.messages.values().next().unwrap().clone();
        let conversation = world.open("ana").id;
        let command = Command::Send { conversation, content: Content::text("a"), reply_to: Some(asked.id) };
        let decision = world.order(0, command);
        let [Effect::RequestSend(request)] = &decision.effects[..] else { panic!("one request") };
        assert_eq!(request.reply_to, asked.provider_id);
    }

    #[test]
    fn who_may_write_and_when() {
        let mut world = World::serving("ana");
        let text = |conversation| Command::Send { conversation, content: Content::text("a"), reply_to: None };
        assert_eq!(world.refusal(1, text, "ana"), "not_yours");
        let blank = |conversation| Command::Send { conversation, content: Content::text(" \n"), reply_to: None };
        assert_eq!(world.refusal(0, blank, "ana"), "bad_request");
        let conversation = world.open("ana").id;
        let mut command = world.command(1, text(conversation));
        command.role = Role::Supervisor;
        assert_eq!(world.carry_out(command).why, "queued");
        world.conclude(0, "ana");
        let command = world.command(0, text(conversation));
        assert_eq!(world.carry_out(command).refusal.unwrap().code, codes::CONVERSATION_CLOSED);
    }
}
