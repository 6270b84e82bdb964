//! A contact card that the contact sent becomes a contact of the organization (CH-14).

use domain::{Address, Class, Contact, ContactCard, Conversation, Thread, error::codes};

use crate::{Change, Decision, order::Order};

/// Where a saved card is kept: beside the conversation's account, under an address that no channel has. The shell
/// loads it before it decides.
pub fn saved_thread(conversation: &Conversation, card: &ContactCard) -> Thread {
    let id = card.contact_id(conversation.organization());
    Thread {
        organization: conversation.organization(),
        account: conversation.account(),
        address: Address::new(format!("card:{}", id.uuid().simple())),
    }
}

pub(crate) fn decide(order: &Order<'_>, conversation: &Conversation, card: &ContactCard) -> Decision {
    if card.name.trim().is_empty() && card.phones.is_empty() && card.emails.is_empty() {
        return Decision::refused(Class::Invalid, codes::BAD_REQUEST, "the card is empty");
    }
    let thread = saved_thread(conversation, card);
    let known = order.state.contacts.get(&thread);
    let phone = |text: &String| text.chars().filter(|c| c.is_ascii_digit() || *c == '+').collect::<String>();
    let contact = Contact {
        id: card.contact_id(conversation.organization()),
        channel: conversation.channel.clone(),
        name: Some(card.name.trim().to_owned()).filter(|name| !name.is_empty()),
        email: card.emails.first().map(|text| text.trim().to_owned()),
        phone: card.phones.first().map(phone).filter(|text| !text.is_empty()),
        created_at: known.map_or(order.now, |known| known.created_at),
        version: known.map_or(0, |known| known.version),
        thread,
    };
    if known == Some(&contact) {
        return Decision::unchanged("already_saved");
    }
    let mut decision = Decision::unchanged("saved");
    decision.changes.push(Change::Contact(Box::new(contact)));
    decision
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use domain::Command;

    use super::*;
    use crate::sample::World;

    #[test]
    fn ch_14_the_card_is_saved_once() {
        let mut world = World::serving("ana");
        let conversation = world.open("ana").id;
        let card = ContactCard {
            name: "Bia".into(),
            phones: vec!["+55 (11) 99999-0000".into()],
            emails: vec!["bia@example.com".into()],
            organization: None,
        };
        let id = card.contact_id(world.organization());
        let command = Command::SaveContact { conversation, card };
        assert_eq!(world.order(0, command.clone()).why, "saved");
        let saved = world.state.contacts.values().find(|contact| contact.id == id).unwrap();
        assert_eq!(saved.phone.as_deref(), Some("+5511999990000"));
        assert_eq!(world.order(1, command).why, "already_saved");
        let empty = |conversation| Command::SaveContact { conversation, card: ContactCard::default() };
        assert_eq!(world.refusal(0, empty, "ana"), "bad_request");
    }
}
