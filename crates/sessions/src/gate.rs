//! Whether one send may pass.

use domain::{Code, ConsentEntry, Content, Timestamp, error::codes};

use crate::{
    Policy,
    policy::{Consent, Outside},
};

/// What is known about the contact when a send is asked for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Standing<'a> {
    /// When the contact last wrote, by the window store or by the router's evidence, whichever is later.
    pub last_inbound: Option<Timestamp>,
    /// The last entry of the consent ledger.
    pub consent: Option<&'a ConsentEntry>,
}

/// The rule that let a send pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ground {
    /// The channel has no window.
    Always,
    /// The window is open.
    Window,
    /// It is a template, and the window is closed.
    Template,
    /// It goes under the channel's tag.
    Tag(&'static str),
}

impl Ground {
    /// The word in the permit and in traces.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::Window => "window",
            Self::Template => "template",
            Self::Tag(tag) => tag,
        }
    }
}

/// The answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It may go.
    Permit {
        /// By which rule.
        ground: Ground,
        /// When that ends, if it does: a permit must not outlive it.
        until: Option<Timestamp>,
        /// When the window closes, on channels that have one and while it is open.
        window_closes_at: Option<Timestamp>,
    },
    /// It may not.
    Refuse {
        /// `opted_out`, `no_opt_in` or `window_closed`.
        code: Code,
        /// When the window closed, where that is the reason and it ever was open.
        window_closed_at: Option<Timestamp>,
    },
}

/// Decides about one send of `content`. Consent comes first: a refusal stands even while the window is open.
pub fn decide(policy: &Policy, content: &Content, standing: Standing<'_>, now: Timestamp) -> Verdict {
    match standing.consent {
        Some(entry) if !entry.change.granted => return refuse(codes::OPTED_OUT),
        // Writing to us is consent, even before the ledger has noted it.
        None if policy.consent == Consent::Given && standing.last_inbound.is_none() => return refuse(codes::NO_OPT_IN),
        _ => {}
    }
    let Some(window) = policy.window else {
        return Verdict::Permit { ground: Ground::Always, until: None, window_closes_at: None };
    };
    let closes_at = standing.last_inbound.map(|wrote| wrote + window);
    if closes_at.is_some_and(|closes| now < closes) {
        return Verdict::Permit { ground: Ground::Window, until: closes_at, window_closes_at: closes_at };
    }
    match policy.outside {
        Outside::Template if matches!(content, Content::Template(_)) => {
            Verdict::Permit { ground: Ground::Template, until: None, window_closes_at: None }
        }
        Outside::Tag { tag, until } => match standing.last_inbound.map(|wrote| wrote + until) {
            Some(ends) if now < ends => {
                Verdict::Permit { ground: Ground::Tag(tag), until: Some(ends), window_closes_at: None }
            }
            ended => Verdict::Refuse { code: codes::WINDOW_CLOSED, window_closed_at: ended },
        },
        Outside::Template | Outside::Nothing => {
            Verdict::Refuse { code: codes::WINDOW_CLOSED, window_closed_at: closes_at }
        }
    }
}

const fn refuse(code: Code) -> Verdict {
    Verdict::Refuse { code, window_closed_at: None }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use std::time::Duration;

    use domain::{AccountId, Address, ConsentChange, EventId, OrganizationId, TemplateCall, Thread};

    use super::*;
    use crate::policy::{HUMAN_AGENT, WINDOW, policy_of};

    const WROTE: Timestamp = Timestamp::from_secs(1_000_000);

    fn ask(
        channel: &str,
        content: &Content,
        wrote: Option<Timestamp>,
        granted: Option<bool>,
        now: Timestamp,
    ) -> String {
        let entry = granted.map(|granted| ConsentEntry {
            cause: EventId::derive(&["cause"]),
            thread: Thread {
                organization: OrganizationId::derive(&["o"]),
                account: AccountId::derive(&["a"]),
                address: Address::new("5511999990000"),
            },
            channel: channel.parse().unwrap(),
            change: ConsentChange { granted, source: "import".into(), evidence: "form 12".into() },
            at: WROTE,
        });
        let standing = Standing { last_inbound: wrote, consent: entry.as_ref() };
        match decide(policy_of(channel), content, standing, now) {
            Verdict::Permit { ground, .. } => ground.as_str().to_owned(),
            Verdict::Refuse { code, .. } => code.to_string(),
        }
    }

    fn template() -> Content {
        let (id, language, preview) = ("t".to_owned(), "pt_BR".to_owned(), "Olá".to_owned());
        Content::Template(TemplateCall { id, language, params: Vec::new(), preview })
    }

    fn text() -> Content {
        Content::text("bom dia")
    }

    #[test]
    fn ses_1_free_text_passes_for_24_hours_and_not_a_millisecond_longer() {
        let last = Timestamp::from_millis((WROTE + WINDOW).millis() - 1);
        assert_eq!(ask("whatsapp", &text(), Some(WROTE), None, last), "window");
        assert_eq!(ask("whatsapp", &text(), Some(WROTE), None, WROTE + WINDOW), "window_closed");
        assert_eq!(ask("whatsapp", &template(), Some(WROTE), None, WROTE + WINDOW), "template");
        assert_eq!(ask("whatsapp", &template(), Some(WROTE), None, last), "window");
    }

    #[test]
    fn ses_1_the_answer_says_when_the_window_closes_or_closed() {
        let standing = Standing { last_inbound: Some(WROTE), consent: None };
        let closes = Some(WROTE + WINDOW);
        let open = decide(policy_of("whatsapp"), &text(), standing, WROTE);
        assert_eq!(open, Verdict::Permit { ground: Ground::Window, until: closes, window_closes_at: closes });
        let shut = decide(policy_of("whatsapp"), &text(), standing, WROTE + 2 * WINDOW);
        assert_eq!(shut, Verdict::Refuse { code: codes::WINDOW_CLOSED, window_closed_at: closes });
    }

    #[test]
    fn ses_4_nobody_is_written_to_who_never_agreed() {
        for content in [text(), template()] {
            assert_eq!(ask("whatsapp", &content, None, None, WROTE), "no_opt_in");
        }
        assert_eq!(ask("telegram", &text(), None, None, WROTE), "no_opt_in", "the user must start the chat");
        assert_eq!(ask("whatsapp", &template(), None, Some(true), WROTE), "template", "an import with its proof");
        assert_eq!(ask("whatsapp", &text(), None, Some(true), WROTE), "window_closed");
        assert_eq!(ask("webchat", &text(), None, None, WROTE), "always");
    }

    #[test]
    fn ses_5_a_refusal_stands_even_in_an_open_window() {
        for channel in ["whatsapp", "telegram", "webchat", "messenger", "sms", "email", "matrix"] {
            assert_eq!(ask(channel, &text(), Some(WROTE), Some(false), WROTE), "opted_out", "{channel}");
            assert_eq!(ask(channel, &template(), Some(WROTE), Some(false), WROTE), "opted_out", "{channel}");
        }
    }

    #[test]
    fn ses_7_each_channel_has_its_own_rule() {
        let later = WROTE + WINDOW;
        let day = Duration::from_secs(24 * 3600);
        assert_eq!(ask("telegram", &text(), Some(WROTE), None, later + 300 * day), "always");
        assert_eq!(ask("messenger", &text(), Some(WROTE), None, WROTE), "window");
        assert_eq!(ask("instagram", &text(), Some(WROTE), None, later), "HUMAN_AGENT");
        assert_eq!(ask("instagram", &text(), Some(WROTE), None, WROTE + HUMAN_AGENT), "window_closed");
        assert_eq!(ask("sms", &text(), None, Some(true), later), "always");
        assert_eq!(ask("email", &text(), None, None, later), "always");
    }
}
