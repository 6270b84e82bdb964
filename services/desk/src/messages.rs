//! Messages of a conversation.

use axum::{
    Json,
    extract::{Path, State},
};
use domain::{ChoiceOption, Command, Content, Conversation, Done, Location, Message, MessageId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    call::{Call, Nothing, orders},
    caller::{Caller, QueryOf},
    dto, media,
    problem::{Problem, ProblemDetails},
    state::{Desk, Shared},
    templates,
};

const DEFAULT_LIMIT: u32 = 50;
const MOST: u32 = 200;
/// Longer than the parts of any channel taken together; a guard, not a channel's limit.
const LONGEST_TEXT: usize = 64 * 1024;
const MOST_CARDS: usize = 50;
const MOST_OPTIONS: usize = 30;

/// Which messages.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Only those before this place in the conversation.
    before: Option<u64>,
    /// At most this many, up to 200.
    limit: Option<u32>,
}

/// Messages of a conversation, the last ones or those before a place.
#[utoipa::path(
    get, path = "/conversations/{id}/messages", operation_id = "list_messages", tag = "messages",
    params(("id" = String, Path), ListQuery),
    responses(
        (status = 200, body = dto::MessageList),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json", description = "not_found"),
    )
)]
pub(crate) async fn list(
    State(desk): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
    QueryOf(query): QueryOf<ListQuery>,
) -> Result<Json<dto::MessageList>, Problem> {
    let conversation = desk.visible(&caller, &id).await?;
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MOST);
    let views = &desk.env.views;
    let mut found = views.messages(caller.organization(), conversation.id, query.before, limit + 1).await?;
    // One more than asked for tells whether there are older ones.
    let has_more = found.len() > usize::try_from(limit).unwrap_or(usize::MAX);
    if has_more {
        found.remove(0);
    }
    let items = found.iter().map(|message| dto::Message::new(message, &caller.names)).collect();
    Ok(Json(dto::MessageList { items, has_more }))
}

/// A message to write.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct NewMessage {
    /// What to say.
    content: dto::Draft,
    /// The id of the message that it answers.
    #[serde(default)]
    reply_to: Option<String>,
}

/// A card to save.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct NewContact {
    /// The card.
    card: dto::Card,
}

/// A contact that was saved.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ContactSaved {
    /// Their id; the same card saved again has the same.
    id: String,
    /// Their name.
    name: String,
    /// Telephone numbers.
    phones: Vec<String>,
    /// E-mail addresses.
    emails: Vec<String>,
}

orders! {
    "messages";

    /// Write to the contact.
    send: post "/conversations/{id}/messages" on "id"; takes NewMessage;
        answers 201 CREATED dto::Message;
        refuses 400 "bad_request, template_unfilled", 403 "not_yours", 404 "not_found",
            409 "window_closed, no_opt_in, opted_out, conversation_closed, template_unavailable";
        |call: Call<NewMessage>| sent(call).await?;

    /// Try a failed message again.
    retry: post "/conversations/{id}/messages/{message}/retry" on "id", "message";
        answers 200 OK dto::Message;
        refuses 403 "not_yours", 404 "not_found", 409 "the message did not fail, or conversation_closed";
        |call: Call<Nothing, (String, String)>| {
            let Call { desk, caller, intent, on: (id, message), .. } = &call;
            let conversation = desk.subject(caller, intent, id).await?;
            let message = message_of(desk, caller, &conversation, message).await?.id;
            let done = desk.command(caller, intent, Command::Retry { conversation: conversation.id, message }).await?;
            written(caller, done)?
        };

    /// Save a contact card as a contact of the organization.
    save_contact: post "/conversations/{id}/contacts" on "id"; takes NewContact;
        answers 201 CREATED ContactSaved;
        refuses 400 "bad_request", 404 "not_found";
        |call: Call<NewContact>| {
            let Call { desk, caller, intent, on, body } = call;
            let conversation = desk.subject(&caller, &intent, &on).await?.id;
            let card = domain::ContactCard::from(body.card);
            let id = card.contact_id(caller.organization()).to_string();
            desk.command(&caller, &intent, Command::SaveContact { conversation, card: card.clone() }).await?;
            let domain::ContactCard { name, phones, emails, .. } = card;
            ContactSaved { id, name, phones, emails }
        };
}

async fn sent(call: Call<NewMessage>) -> Result<dto::Message, Problem> {
    let Call { desk, caller, intent, on, body } = call;
    let conversation = desk.subject(&caller, &intent, &on).await?;
    let reply_to = match &body.reply_to {
        Some(answered) => Some(message_of(&desk, &caller, &conversation, answered).await?.id),
        None => None,
    };
    let content = match content(&desk, &caller, &conversation, body.content).await {
        Ok(content) => content,
        // Carried out before, whatever has become of its template or file since: the router answers the same again.
        Err(_) if desk.was_done(&caller, &intent).await? => Content::text(""),
        Err(problem) => return Err(problem),
    };
    let command = Command::Send { conversation: conversation.id, content, reply_to };
    written(&caller, desk.command(&caller, &intent, command).await?)
}

fn written(caller: &Caller, done: Done) -> Result<dto::Message, Problem> {
    let message = done.message.ok_or_else(|| Problem::internal("the router did not say which message it wrote"))?;
    Ok(dto::Message::new(&message, &caller.names))
}

/// A message of this conversation; 404 otherwise.
async fn message_of(desk: &Desk, caller: &Caller, of: &Conversation, id: &str) -> Result<Message, Problem> {
    let missing = || Problem::not_found("message");
    let id: MessageId = id.parse().map_err(|_| missing())?;
    let found = desk.env.views.message(caller.organization(), id).await?;
    found.filter(|message| message.conversation == of.id).ok_or_else(missing)
}

/// The draft as content, checked.
async fn content(
    desk: &Desk,
    caller: &Caller,
    conversation: &Conversation,
    draft: dto::Draft,
) -> Result<Content, Problem> {
    let content = match draft {
        dto::Draft::Text { text } => {
            words("text", &text)?;
            Content::Text { text }
        }
        dto::Draft::Media(draft) => Content::Media(media::drafted(desk, caller, draft).await?),
        dto::Draft::Location { latitude, longitude, name, address } => {
            if !(-90.0..=90.0).contains(&latitude) || !(-180.0..=180.0).contains(&longitude) {
                return Err(Problem::bad_request("latitude is -90 to 90, longitude is -180 to 180"));
            }
            Content::Location(Location { latitude, longitude, name, address })
        }
        dto::Draft::Contacts { cards } => {
            if cards.is_empty() || cards.len() > MOST_CARDS {
                return Err(Problem::bad_request(format!("cards: 1 to {MOST_CARDS}")));
            }
            Content::Contacts { cards: cards.into_iter().map(Into::into).collect() }
        }
        dto::Draft::Choices { text, options } => {
            words("text", &text)?;
            if options.is_empty() || options.len() > MOST_OPTIONS {
                return Err(Problem::bad_request(format!("options: 1 to {MOST_OPTIONS}")));
            }
            let options = options.into_iter().map(|option| {
                words("label", &option.label)?;
                let payload = option.payload.unwrap_or_else(|| option.label.clone());
                Ok(ChoiceOption { label: option.label, payload })
            });
            Content::Choices { text, options: options.collect::<Result<_, Problem>>()? }
        }
        dto::Draft::Template { id, params } => {
            Content::Template(templates::called(desk, caller, conversation, &id, params).await?)
        }
    };
    Ok(content)
}

fn words(field: &str, text: &str) -> Result<(), Problem> {
    if text.trim().is_empty() || text.len() > LONGEST_TEXT {
        return Err(Problem::bad_request(format!("{field}: not blank, at most {LONGEST_TEXT} bytes")));
    }
    Ok(())
}
