//! Templates: what may be sent when free text may not (SES-1, SES-8).

use axum::{
    Json,
    extract::{Path, State},
};
use domain::{Class, Conversation, TemplateCall, error::codes};

use crate::{
    caller::Caller,
    dto,
    problem::{Problem, ProblemDetails},
    state::{Desk, Shared},
};

/// The templates that may be sent in a conversation: those of its account that the provider has approved and that can
/// be filled in here.
#[utoipa::path(
    get, path = "/conversations/{id}/templates", operation_id = "list_templates", tag = "messages",
    params(("id" = String, Path)),
    responses(
        (status = 200, body = dto::TemplateList),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json", description = "not_found"),
    )
)]
pub(crate) async fn list(
    State(desk): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<dto::TemplateList>, Problem> {
    let conversation = desk.visible(&caller, &id).await?;
    let list = desk.env.templates.list(caller.organization(), conversation.thread.account).await?;
    Ok(Json(dto::TemplateList::from(&list)))
}

/// A template of the conversation's account with its values, as the contact will read it. The caller names it; its words
/// are the provider's.
pub(crate) async fn called(
    desk: &Desk,
    caller: &Caller,
    conversation: &Conversation,
    id: &str,
    params: Vec<String>,
) -> Result<TemplateCall, Problem> {
    let list = desk.env.templates.list(caller.organization(), conversation.thread.account).await?;
    let known = list.templates.iter().find(|template| template.id == id && template.check().is_ok());
    let template = known.ok_or_else(|| {
        let detail = "the account has no such template, or the provider does not let it go out";
        Problem::new(Class::Conflict, codes::TEMPLATE_UNAVAILABLE, detail)
    })?;
    template.fill(params).map_err(|problem| Problem::new(Class::Invalid, codes::TEMPLATE_UNFILLED, problem.to_string()))
}
