//! Templates that may be sent.

use serde::Serialize;
use utoipa::ToSchema;

/// What a template is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TemplateCategory {
    /// Offers and news.
    Marketing,
    /// About something that the contact has asked for or bought.
    Utility,
    /// One-time codes.
    Authentication,
    /// Something else.
    Other,
}

/// What a template's button does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TemplateAction {
    /// Answers with its label.
    Reply,
    /// Opens a page.
    Link,
    /// Dials.
    Call,
}

/// A button of a template.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct TemplateButton {
    /// What it says.
    label: String,
    /// What it does.
    action: TemplateAction,
    /// The page or the number. A place in a page takes a value, after those of the body.
    #[schema(required = true)]
    target: Option<String>,
}

/// A template that may be sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Template {
    /// The provider's id of it.
    id: String,
    /// What its author called it.
    name: String,
    /// The provider's code of its language (`pt_BR`).
    language: String,
    /// What it is for.
    category: TemplateCategory,
    /// The line above the body.
    #[schema(required = true)]
    header: Option<String>,
    /// The text, with `{{1}}`, `{{2}}`... where values go.
    body: String,
    /// What stands below it.
    #[schema(required = true)]
    footer: Option<String>,
    /// What can be tapped.
    buttons: Vec<TemplateButton>,
    /// How many values it takes: `{{1}}` to `{{n}}` of the body, then one for each link with a place.
    places: usize,
    /// How many of them stand in the body.
    body_places: usize,
}

/// The templates of a conversation's account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct TemplateList {
    /// By name, then language.
    items: Vec<Template>,
    /// When they were read from the provider; none when they never were.
    #[schema(required = true)]
    read_at: Option<i64>,
    /// Why they could not be read since then, as a stable code.
    #[schema(required = true)]
    failed: Option<String>,
}

impl From<&ports::TemplateList> for TemplateList {
    fn from(list: &ports::TemplateList) -> Self {
        Self {
            items: list.templates.iter().filter_map(Template::offered).collect(),
            read_at: list.read_at.map(domain::Timestamp::millis),
            failed: list.failed.as_ref().map(|(_, failure)| failure.code.to_string()),
        }
    }
}

impl Template {
    /// None for one that cannot be sent from here.
    fn offered(template: &domain::Template) -> Option<Self> {
        template.check().ok()?;
        let header = match &template.header {
            Some(domain::TemplateHeader::Text { text }) => Some(text.clone()),
            _ => None,
        };
        Some(Self {
            id: template.id.clone(),
            name: template.name.clone(),
            language: template.language.clone(),
            category: match template.category {
                domain::TemplateCategory::Marketing => TemplateCategory::Marketing,
                domain::TemplateCategory::Utility => TemplateCategory::Utility,
                domain::TemplateCategory::Authentication => TemplateCategory::Authentication,
                domain::TemplateCategory::Other => TemplateCategory::Other,
            },
            header,
            body: template.body.clone(),
            footer: template.footer.clone(),
            buttons: template.buttons.iter().filter_map(TemplateButton::shown).collect(),
            places: template.places(),
            body_places: template.body_places(),
        })
    }
}

impl TemplateButton {
    fn shown(button: &domain::TemplateButton) -> Option<Self> {
        let (action, target) = match &button.action {
            domain::TemplateAction::Reply => (TemplateAction::Reply, None),
            domain::TemplateAction::Link { url } => (TemplateAction::Link, Some(url.clone())),
            domain::TemplateAction::Call { phone } => (TemplateAction::Call, Some(phone.clone())),
            domain::TemplateAction::Other { .. } => return None,
        };
        Some(Self { label: button.label.clone(), action, target })
    }
}
