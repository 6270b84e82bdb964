//! The telephone numbers of contacts, which conversations do not carry.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use domain::{Contact, ContactId, Conversation};
use ports::Journal;

/// More than this many and all are forgotten: they come back from the store.
const MOST: usize = 20_000;

/// Telephone numbers by contact.
pub(crate) struct Phones {
    journal: Arc<dyn Journal>,
    known: Mutex<HashMap<ContactId, Option<String>>>,
}

impl Phones {
    pub(crate) fn new(journal: Arc<dyn Journal>) -> Self {
        Self { journal, known: Mutex::default() }
    }

    /// The number of a conversation's contact. A number that the store cannot tell now is left out, not waited for.
    pub(crate) async fn of(&self, conversation: &Conversation) -> Option<String> {
        // A WhatsApp address is the number in E.164 without its plus sign.
        if conversation.channel.as_str() == "whatsapp" {
            return Some(format!("+{}", conversation.thread.address.as_str()));
        }
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&conversation.contact).cloned();
        if let Some(phone) = known {
            return phone;
        }
        match self.journal.contact(conversation.organization(), conversation.contact).await {
            Ok(Some(contact)) => {
                self.learn(&contact);
                contact.phone
            }
            Ok(None) | Err(_) => None,
        }
    }

    /// Takes note of a contact as it is now.
    pub(crate) fn learn(&self, contact: &Contact) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(contact.id, contact.phone.clone());
    }
}
