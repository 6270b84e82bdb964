//! Templates: messages that the provider has registered and approved, with places to fill (SES-1, SES-8).

use serde::{Deserialize, Serialize};

use crate::{MediaKind, TemplateCall};

/// The longest body that a contact is sent, in characters, its values filled in (WhatsApp's limit).
pub const LONGEST_BODY: usize = 1024;

/// A template as the provider has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Template {
    /// The provider's id of it; it fixes the language.
    pub id: String,
    /// What its author called it.
    pub name: String,
    /// The provider's code of its language (`pt_BR`).
    pub language: String,
    /// What it is for.
    pub category: TemplateCategory,
    /// Whether it may be sent.
    pub status: TemplateStatus,
    /// What stands above the body.
    pub header: Option<TemplateHeader>,
    /// The text, with `{{1}}`, `{{2}}`... where values go.
    pub body: String,
    /// What stands below it.
    pub footer: Option<String>,
    /// What can be tapped.
    pub buttons: Vec<TemplateButton>,
}

/// What a template is for; providers charge and limit by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TemplateCategory {
    /// Offers and news.
    Marketing,
    /// About something that the contact has asked for or bought.
    Utility,
    /// One-time codes.
    Authentication,
    /// Something else.
    Other,
}

/// Where a template stands at the provider. Only an approved one can be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TemplateStatus {
    /// It may be sent.
    Approved,
    /// It is being looked at.
    Pending,
    /// It was refused.
    Rejected,
    /// It may not be sent for a while: contacts complained.
    Paused,
    /// It may not be sent any more.
    Disabled,
    /// It is gone.
    Deleted,
    /// Something that we have no word for.
    Other,
}

/// What stands above a template's body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum TemplateHeader {
    /// A line of text.
    Text {
        /// The line.
        text: String,
    },
    /// A file, chosen when the template is sent.
    Media {
        /// Its kind.
        media: MediaKind,
    },
    /// Something that we cannot fill.
    Other {
        /// The provider's name of it.
        name: String,
    },
}

/// A button of a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TemplateButton {
    /// What it says.
    pub label: String,
    /// What it does.
    pub action: TemplateAction,
}

/// What a template's button does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum TemplateAction {
    /// Answers with its label.
    Reply,
    /// Opens a page.
    Link {
        /// The address; `{{1}}` in it is a value of the template, after those of the body.
        url: String,
    },
    /// Dials.
    Call {
        /// The number.
        phone: String,
    },
    /// Something that we cannot fill.
    Other {
        /// The provider's name of it.
        name: String,
    },
}

/// Why a template cannot be filled by us, so it is not offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unfillable {
    /// The provider does not let it go out now.
    NotApproved,
    /// Its header needs something that cannot be given here.
    Header,
    /// A button needs more than a value in a link (a code, a flow, a catalogue).
    Button,
    /// Its places have names; providers take values by their order.
    Named,
}

/// Why values do not fill a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfilled {
    /// More or fewer values than places.
    #[error("the template has {wanted} places and was given {given} values")]
    Count {
        /// Places.
        wanted: usize,
        /// Values.
        given: usize,
    },
    /// A value that says nothing.
    #[error("value {0} is blank")]
    Blank(usize),
    /// A value with a line break, a tab or a run of spaces: providers refuse those.
    #[error("value {0} has a line break, a tab or more than four spaces in a row")]
    Spaced(usize),
    /// A body longer than [`LONGEST_BODY`].
    #[error("the filled text has {0} characters, {LONGEST_BODY} at most")]
    TooLong(usize),
}

impl Template {
    /// How many values it takes: the places of the body, then one for each link with a place.
    pub fn places(&self) -> usize {
        self.body_places() + self.links().count()
    }

    /// How many of them stand in the body.
    pub fn body_places(&self) -> usize {
        places(&self.body).iter().filter_map(|name| name.parse::<usize>().ok()).max().unwrap_or(0)
    }

    /// The links with a place, in their order.
    fn links(&self) -> impl Iterator<Item = &TemplateButton> {
        self.buttons.iter().filter(|button| match &button.action {
            TemplateAction::Link { url } => !places(url).is_empty(),
            _ => false,
        })
    }

    /// What stands against sending it.
    ///
    /// # Errors
    /// [`Unfillable`].
    pub fn check(&self) -> Result<(), Unfillable> {
        let named = |text: &str| places(text).iter().any(|name| !name.bytes().all(|byte| byte.is_ascii_digit()));
        if self.status != TemplateStatus::Approved {
            return Err(Unfillable::NotApproved);
        }
        match &self.header {
            // Where a header's value would stand among the others is not documented.
            Some(TemplateHeader::Text { text }) if !places(text).is_empty() => return Err(Unfillable::Header),
            Some(TemplateHeader::Media { .. } | TemplateHeader::Other { .. }) => return Err(Unfillable::Header),
            Some(TemplateHeader::Text { .. }) | None => {}
        }
        if self.buttons.iter().any(|button| matches!(button.action, TemplateAction::Other { .. })) {
            return Err(Unfillable::Button);
        }
        if named(&self.body) { Err(Unfillable::Named) } else { Ok(()) }
    }

    /// The message that says it with these values.
    ///
    /// # Errors
    /// [`Unfilled`].
    pub fn fill(&self, params: Vec<String>) -> Result<TemplateCall, Unfilled> {
        let (wanted, given) = (self.places(), params.len());
        if wanted != given {
            return Err(Unfilled::Count { wanted, given });
        }
        for (n, value) in params.iter().enumerate() {
            if value.trim().is_empty() {
                return Err(Unfilled::Blank(n + 1));
            }
            if value.contains(['\n', '\r', '\t']) || value.contains("     ") {
                return Err(Unfilled::Spaced(n + 1));
            }
        }
        let body = filled(&self.body, &params);
        let length = body.chars().count();
        if length > LONGEST_BODY {
            return Err(Unfilled::TooLong(length));
        }
        let above = match &self.header {
            Some(TemplateHeader::Text { text }) => Some(text.as_str()),
            _ => None,
        };
        let said: Vec<_> = [above, Some(body.as_str()), self.footer.as_deref()].into_iter().flatten().collect();
        let preview = said.join("\n\n");
        Ok(TemplateCall { id: self.id.clone(), language: self.language.clone(), params, preview })
    }
}

/// The names between `{{` and `}}`, each once, in their order.
fn places(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    for piece in text.split("{{").skip(1) {
        if let Some((name, _)) = piece.split_once("}}") {
            let name = name.trim();
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }
    names
}

/// `text` with `{{n}}` as the n-th value; what has no value stays as it stands.
fn filled(text: &str, params: &[String]) -> String {
    let mut pieces = text.split("{{");
    let mut said = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let place = piece.split_once("}}");
        let value = place.and_then(|(name, _)| name.trim().parse::<usize>().ok()?.checked_sub(1));
        match (place, value.and_then(|at| params.get(at))) {
            (Some((_, rest)), Some(value)) => {
                said.push_str(value);
                said.push_str(rest);
            }
            _ => {
                said.push_str("{{");
                said.push_str(piece);
            }
        }
    }
    said
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn template(body: &str) -> Template {
        Template {
            id: "t".into(),
            name: "pedido_pronto".into(),
            language: "pt_BR".into(),
            category: TemplateCategory::Utility,
            status: TemplateStatus::Approved,
            header: None,
            body: body.into(),
            footer: None,
            buttons: Vec::new(),
        }
    }

    fn values(values: &[&str]) -> Vec<String> {
        values.iter().map(|&value| value.to_owned()).collect()
    }

    #[test]
    fn ses_8_a_filled_template_reads_as_the_contact_will_read_it() {
        let link = TemplateAction::Link { url: "https://loja.test/{{1}}".into() };
        let full = Template {
            header: Some(TemplateHeader::Text { text: "Pedido".into() }),
            footer: Some("Loja Demo".into()),
            buttons: vec![TemplateButton { label: "Ver".into(), action: link }],
            ..template("Olá {{1}}, {{2}} chegou. Até logo, {{ 1 }}! {{3 {{x}}")
        };
        assert_eq!((full.body_places(), full.places()), (2, 3));
        let call = full.fill(values(&["Ana", "o nº {{1}}", "9"])).unwrap();
        let said = "Pedido\n\nOlá Ana, o nº {{1}} chegou. Até logo, Ana! {{3 {{x}}\n\nLoja Demo";
        assert_eq!(call.preview, said, "a value is not filled again");
        assert_eq!(call.params, ["Ana", "o nº {{1}}", "9"]);
        assert_eq!(template("Sem lugares").fill(Vec::new()).unwrap().preview, "Sem lugares");
    }

    #[test]
    fn ses_8_values_that_do_not_fill_are_refused() {
        let two = template("{{1}} e {{2}}");
        let refused = |given: &[&str]| two.fill(values(given)).unwrap_err();
        assert_eq!(refused(&["a"]), Unfilled::Count { wanted: 2, given: 1 });
        assert_eq!(refused(&["a", "b", "c"]), Unfilled::Count { wanted: 2, given: 3 });
        assert_eq!(refused(&["a", " \u{a0}"]), Unfilled::Blank(2));
        for spaced in ["a\nb", "a\tb", "a     b"] {
            assert_eq!(refused(&[spaced, "b"]), Unfilled::Spaced(1), "{spaced:?}");
        }
        assert!(two.fill(values(&["a    b", "b"])).is_ok());
        let long = "ã".repeat(LONGEST_BODY - 3);
        assert_eq!(refused(&[&long, "b"]), Unfilled::TooLong(LONGEST_BODY + 1));
        assert!(two.fill(values(&[&long[2..], "b"])).is_ok());
    }

    #[test]
    fn ses_1_only_what_can_be_sent_is_offered() {
        let fine = template("Olá {{1}}");
        assert_eq!(fine.check(), Ok(()));
        for status in [TemplateStatus::Pending, TemplateStatus::Rejected, TemplateStatus::Paused] {
            assert_eq!(Template { status, ..fine.clone() }.check(), Err(Unfillable::NotApproved));
        }
        let headed = |header| Template { header: Some(header), ..fine.clone() }.check();
        assert_eq!(headed(TemplateHeader::Text { text: "Oi".into() }), Ok(()));
        assert_eq!(headed(TemplateHeader::Text { text: "Oi {{1}}".into() }), Err(Unfillable::Header));
        assert_eq!(headed(TemplateHeader::Other { name: "CAROUSEL".into() }), Err(Unfillable::Header));
        let pressed = |action| Template { buttons: vec![TemplateButton { label: "x".into(), action }], ..fine.clone() };
        assert_eq!(pressed(TemplateAction::Reply).check(), Ok(()));
        assert_eq!(pressed(TemplateAction::Other { name: "OTP".into() }).check(), Err(Unfillable::Button));
        assert_eq!(template("Olá {{name}}").check(), Err(Unfillable::Named));
    }
}
