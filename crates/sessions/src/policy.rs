//! The table (SES-7): one row for each channel.
//!
//! | channel | window | outside it | consent | words that opt out |
//! |---|---|---|---|---|
//! | whatsapp | 24 h after the contact's last message | templates | needed; writing to us gives it | the unambiguous |
//! | telegram | none | | the contact must have started the chat | the unambiguous |
//! | webchat | none | | not refused | none: the visitor closes the page |
//! | messenger, instagram | 24 h | human-agent tag, 7 days | not refused | the unambiguous |
//! | sms | none | | needed | all |
//! | email | none | | not refused (unsubscribe) | none: links and headers do it |
//! | any other | none | | not refused | the unambiguous |
//!
//! Sources: shared provider notes 3 (WhatsApp), 4 (Messenger, Instagram), 5 (Telegram), 6.5 (opt-out words).

use std::time::Duration;

/// How long the session window is on the channels that have one: 24 hours after the contact's last message (WhatsApp:
/// developers' page on sending messages, 2026-05; Messenger and Instagram the same).
pub const WINDOW: Duration = Duration::from_secs(24 * 3600);
/// How long the human-agent tag stretches it on Messenger and Instagram: 7 days from the contact's last message.
pub const HUMAN_AGENT: Duration = Duration::from_secs(7 * 24 * 3600);

/// What may be sent when the window is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outside {
    /// Nothing.
    Nothing,
    /// Templates that the provider has registered.
    Template,
    /// Words written by a person, under this tag, until so long after the contact's last message.
    Tag {
        /// The provider's name of the tag.
        tag: &'static str,
        /// Counted from the contact's last message.
        until: Duration,
    },
}

/// What consent a channel asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consent {
    /// The contact must have agreed: by writing to us, or by an entry of the ledger (SES-4).
    Given,
    /// The contact must not have refused.
    NotRefused,
}

/// Which words of the contact opt them out at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopWords {
    /// All, the ordinary menu words among them (SAIR, CANCELAR, PARAR): who writes them in an SMS means it.
    All,
    /// Only those that nobody writes for another reason (STOP, UNSUBSCRIBE, DESCADASTRAR...). In a chat, CANCELAR may
    /// speak of an order, so it is left to the agent.
    Unambiguous,
    /// None.
    Nothing,
}

/// The rule of one channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// The channel's name; empty for the row of all others.
    pub channel: &'static str,
    /// How long after the contact's last message anything may be sent; none when always.
    pub window: Option<Duration>,
    /// What may be sent after that.
    pub outside: Outside,
    /// The consent that is needed.
    pub consent: Consent,
    /// The words that take it back.
    pub stop_words: StopWords,
    /// Whether a message of the contact lifts a refusal that the provider had reported: on Telegram a blocked bot
    /// cannot be written to, so a message proves that the block is gone.
    pub writing_lifts_block: bool,
}

const fn row(channel: &'static str, consent: Consent, stop_words: StopWords) -> Policy {
    Policy { channel, window: None, outside: Outside::Nothing, consent, stop_words, writing_lifts_block: false }
}

const fn human_agent(channel: &'static str) -> Policy {
    let outside = Outside::Tag { tag: "HUMAN_AGENT", until: HUMAN_AGENT };
    Policy { window: Some(WINDOW), outside, ..row(channel, Consent::NotRefused, StopWords::Unambiguous) }
}

/// The rows; the last one is for every other channel.
const TABLE: &[Policy] = &[
    Policy {
        window: Some(WINDOW),
        outside: Outside::Template,
        ..row("whatsapp", Consent::Given, StopWords::Unambiguous)
    },
    Policy { writing_lifts_block: true, ..row("telegram", Consent::Given, StopWords::Unambiguous) },
    row("webchat", Consent::NotRefused, StopWords::Nothing),
    human_agent("messenger"),
    human_agent("instagram"),
    row("sms", Consent::Given, StopWords::All),
    row("email", Consent::NotRefused, StopWords::Nothing),
];
const OTHERS: Policy = row("", Consent::NotRefused, StopWords::Unambiguous);

/// The rule of `channel`.
pub fn policy_of(channel: &str) -> &'static Policy {
    TABLE.iter().find(|policy| policy.channel == channel).unwrap_or(&OTHERS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ses_7_every_channel_has_one_row() {
        for (n, policy) in TABLE.iter().enumerate() {
            assert!(policy.channel.parse::<domain::Channel>().is_ok(), "{}", policy.channel);
            assert_eq!(TABLE.iter().position(|other| other.channel == policy.channel), Some(n));
            // What is allowed outside makes sense only where there is a window.
            assert!(policy.window.is_some() || policy.outside == Outside::Nothing);
        }
        assert_eq!(policy_of("whatsapp").window, Some(WINDOW));
        assert_eq!(policy_of("matrix"), &OTHERS);
    }
}
