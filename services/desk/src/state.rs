//! What the handlers share.

use std::sync::Arc;

use domain::{Command, Commanded, Conversation, ConversationId, Done, EventId, OrganizationId, Role, UserId};
use ports::{apis::RouterApi, journal::Lookup};
use runtime::Env;
use tokio::sync::{Semaphore, broadcast};

use crate::{
    caller::{Caller, Intent},
    config::Config,
    dto,
    events::Hub,
    limits::Attempts,
    names::{Book, Names},
    phones::Phones,
    presence::Presences,
    problem::Problem,
    visibility::Facts,
};

/// The desk: one for each process, behind an `Arc`.
pub(crate) struct Desk {
    pub(crate) config: Config,
    pub(crate) env: Env,
    pub(crate) router: Arc<dyn RouterApi>,
    pub(crate) book: Book,
    pub(crate) phones: Phones,
    pub(crate) attempts: Attempts,
    pub(crate) hub: Hub,
    pub(crate) presences: Presences,
    /// Password checks at a time: each takes a core and 19 MiB.
    pub(crate) verifying: Semaphore,
    /// The hash that unknown e-mails are checked against, so that they take as long as known ones.
    pub(crate) decoy: tokio::sync::OnceCell<String>,
    /// The hashes of tokens that were signed out here, for live connections.
    pub(crate) ended: broadcast::Sender<String>,
}

/// The state of the routes.
pub(crate) type Shared = Arc<Desk>;

impl Desk {
    pub(crate) fn new(config: Config, env: Env, router: Arc<dyn RouterApi>) -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            book: Book::new(Arc::clone(&env.directory), Arc::clone(&env.clock), config.names()),
            phones: Phones::new(Arc::clone(&env.journal)),
            attempts: Attempts::new(Arc::clone(&env.buckets)),
            hub: Hub::default(),
            presences: Presences::default(),
            verifying: Semaphore::new(cores),
            decoy: tokio::sync::OnceCell::new(),
            ended: broadcast::channel(64).0,
            config,
            env,
            router,
        }
    }

    /// Asks the router. The same intent of the same person is the same command.
    pub(crate) async fn command(&self, caller: &Caller, intent: &Intent, command: Command) -> Result<Done, Problem> {
        let id = intent.of(caller);
        Ok(self.order(id, caller.organization(), caller.user.id, caller.user.role, command).await?)
    }

    /// Whether this intent was carried out before: its repetition answers the same, whatever has changed since.
    pub(crate) async fn was_done(&self, caller: &Caller, intent: &Intent) -> Result<bool, Problem> {
        let id = intent.of(caller);
        let lookup = Lookup { events: [id].into(), ..Lookup::default() };
        Ok(self.env.journal.load(&lookup).await?.processed.contains(&id))
    }

    /// The conversation that an intent is about: one that the caller may see, or gave away by this very intent.
    pub(crate) async fn subject(&self, caller: &Caller, intent: &Intent, id: &str) -> Result<Conversation, Problem> {
        let hidden = match self.visible(caller, id).await {
            Err(hidden) => hidden,
            seen => return seen,
        };
        let Ok(id) = id.parse::<ConversationId>() else { return Err(hidden) };
        if !self.was_done(caller, intent).await? {
            return Err(hidden);
        }
        self.env.views.conversation(caller.organization(), id).await?.ok_or(hidden)
    }

    pub(crate) async fn order(
        &self,
        id: EventId,
        organization: OrganizationId,
        actor: UserId,
        role: Role,
        command: Command,
    ) -> Result<Done, domain::Refusal> {
        let at = self.env.clock.now();
        self.router.command(Commanded { id, organization, actor, role, at, command }).await
    }

    /// A conversation that the caller may see; 404 otherwise.
    pub(crate) async fn visible(&self, caller: &Caller, id: &str) -> Result<Conversation, Problem> {
        let missing = || Problem::not_found("conversation");
        let id: ConversationId = id.parse().map_err(|_| missing())?;
        let found = self.env.views.conversation(caller.organization(), id).await?;
        found.filter(|conversation| caller.viewer.sees(&Facts::from(conversation))).ok_or_else(missing)
    }

    /// A conversation in the API's words.
    pub(crate) async fn tell(&self, conversation: &Conversation, names: &Names) -> dto::Conversation {
        dto::Conversation::new(conversation, names, self.phones.of(conversation).await)
    }
}
