//! Conversations: lists, one of them, and what agents do with them.

use std::collections::BTreeMap;

use axum::{
    Json,
    extract::{Path, State},
};
use domain::{Channel, Command, Conversation, ConversationId, Done, QueueId, Stage, Target, UserId};
use ports::{ConversationFilter, StageCount};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::{
    call::{Call, orders},
    caller::{Caller, QueryOf},
    dto,
    names::Names,
    problem::{Problem, ProblemDetails},
    state::{Desk, Shared},
};

const DEFAULT_LIMIT: u32 = 100;
const MOST: u32 = 500;
/// More conversations than any capacity: enough to count an agent's own.
const OWN: u32 = 500;

/// Which conversations.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Stages, separated by commas (`waiting`, `active`, `inactive`, `closed`); all open ones when left out.
    state: Option<String>,
    /// On this channel.
    channel: Option<String>,
    /// In this queue.
    queue: Option<String>,
    /// Only those that the caller serves.
    mine: Option<bool>,
    /// Name, e-mail or address of the contact contains this.
    search: Option<String>,
    /// `oldest` waiting first (the default), or `newest` activity first.
    order: Option<Order>,
    /// At most this many, up to 500.
    limit: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Order {
    /// Longest wait first.
    Oldest,
    /// Latest activity first.
    Newest,
}

/// Conversations that the caller may see, with the counts of all open ones by channel.
#[utoipa::path(
    get, path = "/conversations", operation_id = "list_conversations", tag = "conversations", params(ListQuery),
    responses(
        (status = 200, body = dto::ConversationList),
        (status = 400, body = ProblemDetails, content_type = "application/problem+json", description = "bad_request"),
        (status = 401, body = ProblemDetails, content_type = "application/problem+json", description = "not_signed_in"),
    )
)]
pub(crate) async fn list(
    State(desk): State<Shared>,
    caller: Caller,
    QueryOf(query): QueryOf<ListQuery>,
) -> Result<Json<dto::ConversationList>, Problem> {
    let filter = query.filter()?;
    let mine = query.mine.unwrap_or(false);
    // Before the rest, so that nothing that changes meanwhile is missed.
    let (cursor, _) = desk.env.views.event_range(caller.organization()).await?;
    let found = select(&desk, &caller, filter, mine).await?;
    let counts = counts(&desk, &caller).await?.into_iter().map(dto::CountItem::from).collect();
    let mut items = Vec::with_capacity(found.len());
    for conversation in &found {
        items.push(desk.tell(conversation, &caller.names).await);
    }
    Ok(Json(dto::ConversationList { items, counts, cursor }))
}

impl ListQuery {
    fn filter(&self) -> Result<ConversationFilter, Problem> {
        let channel = self.channel.as_deref().filter(|text| !text.is_empty());
        let channel = channel.map(str::parse::<Channel>).transpose();
        let queue = self.queue.as_deref().filter(|text| !text.is_empty()).map(str::parse::<QueueId>).transpose();
        Ok(ConversationFilter {
            stages: stages(self.state.as_deref())?,
            queues: queue.map_err(|error| Problem::bad_request(format!("queue: {error}")))?.map(|queue| vec![queue]),
            agent: None,
            channel: channel.map_err(|error| Problem::bad_request(format!("channel: {error}")))?,
            search: self.search.clone().filter(|text| !text.trim().is_empty()),
            newest_first: self.order == Some(Order::Newest),
            limit: self.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MOST),
        })
    }
}

fn stages(text: Option<&str>) -> Result<Vec<Stage>, Problem> {
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        return Ok(vec![Stage::Waiting, Stage::Active, Stage::Inactive]);
    };
    let stage = |name: &str| match name.trim() {
        "waiting" => Ok(Stage::Waiting),
        "active" => Ok(Stage::Active),
        "inactive" => Ok(Stage::Inactive),
        "closed" => Ok(Stage::Closed),
        other => Err(Problem::bad_request(format!("state: '{other}' is not waiting, active, inactive or closed"))),
    };
    text.split(',').map(stage).collect()
}

/// What the filter finds among the conversations that the caller may see.
async fn select(
    desk: &Desk,
    caller: &Caller,
    mut filter: ConversationFilter,
    mine: bool,
) -> Result<Vec<Conversation>, Problem> {
    let organization = caller.organization();
    if mine {
        filter.agent = Some(caller.user.id);
        return Ok(desk.env.views.conversations(organization, &filter).await?);
    }
    let Some(served) = caller.viewer.queues() else {
        return Ok(desk.env.views.conversations(organization, &filter).await?);
    };
    // Two questions: the queues that they serve, and what they serve themselves elsewhere.
    let own = ConversationFilter { agent: Some(caller.user.id), ..filter.clone() };
    let asked = filter.queues.take();
    let queues: Vec<_> = match asked {
        Some(asked) => asked.into_iter().filter(|queue| served.contains(queue)).collect(),
        None => served,
    };
    let mut found = desk.env.views.conversations(organization, &own).await?;
    found.retain(|conversation| !queues.contains(&conversation.queue));
    if !queues.is_empty() {
        filter.queues = Some(queues);
        found.extend(desk.env.views.conversations(organization, &filter).await?);
    }
    if filter.newest_first {
        found.sort_by_key(|one| std::cmp::Reverse((one.newest_at(), one.id)));
    } else {
        found.sort_by_key(|one| (one.waiting_since, one.id));
    }
    found.truncate(usize::try_from(filter.limit).unwrap_or(usize::MAX));
    Ok(found)
}

/// All open conversations that the caller may see, by channel and stage.
async fn counts(desk: &Desk, caller: &Caller) -> Result<Vec<StageCount>, Problem> {
    let organization = caller.organization();
    let Some(served) = caller.viewer.queues() else {
        return Ok(desk.env.views.counts(organization, None).await?);
    };
    let mut counted: BTreeMap<(Channel, Stage), u64> = BTreeMap::new();
    if !served.is_empty() {
        for count in desk.env.views.counts(organization, Some(&served)).await? {
            *counted.entry((count.channel, count.stage)).or_default() += count.count;
        }
    }
    let stages = vec![Stage::Active, Stage::Inactive];
    let own = ConversationFilter { stages, agent: Some(caller.user.id), limit: OWN, ..ConversationFilter::default() };
    for conversation in desk.env.views.conversations(organization, &own).await? {
        if !caller.viewer.serves(conversation.queue) {
            *counted.entry((conversation.channel, conversation.stage)).or_default() += 1;
        }
    }
    Ok(counted.into_iter().map(|((channel, stage), count)| StageCount { channel, stage, count }).collect())
}

/// One conversation.
#[utoipa::path(
    get, path = "/conversations/{id}", operation_id = "read_conversation", tag = "conversations",
    params(("id" = String, Path)),
    responses(
        (status = 200, body = dto::Conversation),
        (status = 401, body = ProblemDetails, content_type = "application/problem+json", description = "not_signed_in"),
        (status = 404, body = ProblemDetails, content_type = "application/problem+json", description = "not_found"),
    )
)]
pub(crate) async fn read(
    State(desk): State<Shared>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Json<dto::Conversation>, Problem> {
    let conversation = desk.visible(&caller, &id).await?;
    Ok(Json(desk.tell(&conversation, &caller.names).await))
}

/// Where a conversation goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TargetKind {
    /// An agent.
    Agent,
    /// A queue.
    Queue,
}

/// An agent or a queue.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct TransferTarget {
    /// Which of the two.
    #[serde(rename = "type")]
    kind: TargetKind,
    /// Its id.
    id: String,
}

/// A transfer.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct Transfer {
    /// To whom.
    to: TransferTarget,
}

orders! {
    "conversations";

    /// Take a waiting conversation.
    take: post "/conversations/{id}/take" on "id";
        answers 200 OK dto::Conversation;
        refuses 404 "not_found", 409 "already_taken, at_capacity, agent_unavailable, conversation_closed";
        |call: Call| act(&call, |conversation| Command::Take { conversation }).await?;

    /// Hand a conversation to a colleague or a queue.
    transfer: post "/conversations/{id}/transfer" on "id"; takes Transfer;
        answers 200 OK dto::Conversation;
        refuses 403 "not_yours", 404 "not_found: the conversation, the agent or the queue",
            409 "agent_unavailable, at_capacity, conversation_closed";
        |call: Call<Transfer>| {
            let to = target(&call.caller.names, &call.body.to)?;
            act(&call, |conversation| Command::Transfer { conversation, to }).await?
        };

    /// Put a conversation back into its queue.
    give_back: post "/conversations/{id}/return" on "id";
        answers 200 OK dto::Conversation; refuses 403 "not_yours", 404 "not_found", 409 "conversation_closed";
        |call: Call| act(&call, |conversation| Command::Return { conversation }).await?;

    /// End a conversation.
    conclude: post "/conversations/{id}/conclude" on "id";
        answers 200 OK dto::Conversation; refuses 403 "not_yours", 404 "not_found", 409 "conversation_closed";
        |call: Call| act(&call, |conversation| Command::Conclude { conversation }).await?;

    /// The caller has seen the contact's messages.
    mark_read: post "/conversations/{id}/read" on "id";
        answers 200 OK dto::Conversation; refuses 404 "not_found";
        |call: Call| act(&call, |conversation| Command::MarkRead { conversation }).await?;
}

/// Whom the caller means, among those who are active.
fn target(names: &Names, to: &TransferTarget) -> Result<Target, Problem> {
    match to.kind {
        TargetKind::Agent => {
            let user = to.id.parse::<UserId>().ok().filter(|id| names.users.get(id).is_some_and(|user| user.active));
            Ok(Target::User(user.ok_or_else(|| Problem::not_found("agent"))?))
        }
        TargetKind::Queue => {
            let queue = to.id.parse::<QueueId>().ok();
            let queue = queue.filter(|id| names.queues.get(id).is_some_and(|queue| queue.active));
            Ok(Target::Queue(queue.ok_or_else(|| Problem::not_found("queue"))?))
        }
    }
}

/// Orders it of the conversation that the call is about, and answers what became of that.
async fn act<B: Sync>(
    call: &Call<B>,
    command: impl FnOnce(ConversationId) -> Command,
) -> Result<dto::Conversation, Problem> {
    let Call { desk, caller, intent, on, .. } = call;
    let before = desk.subject(caller, intent, on).await?;
    let done = desk.command(caller, intent, command(before.id)).await?;
    let after = settled(desk, caller, done, &before).await?;
    Ok(desk.tell(&after, &caller.names).await)
}

/// The conversation as the router left it; from the store where the answer does not carry it.
async fn settled(desk: &Desk, caller: &Caller, done: Done, before: &Conversation) -> Result<Conversation, Problem> {
    if let Some(after) = done.conversation {
        return Ok(after);
    }
    let now = desk.env.views.conversation(caller.organization(), before.id).await?;
    now.ok_or_else(|| Problem::not_found("conversation"))
}
