//! Commands of people, for the desk: in process, or over gRPC.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use domain::{Class, Command, Commanded, Done, Refusal, error::codes};
use ports::apis::RouterApi;
use routing::Event;
use runtime::names::{label, metric};
use tracing::Span;

use crate::shell::{Item, Shell, Stop, pause};

/// The router for callers in the same process. Cheap to clone.
#[derive(Clone)]
pub struct RouterHandle {
    pub(crate) shell: Arc<Shell>,
}

#[async_trait]
impl RouterApi for RouterHandle {
    async fn command(&self, command: Commanded) -> Result<Done, Refusal> {
        let kind = kind(&command.command);
        let result = self.carry_out(command).await;
        let code = result.as_ref().err().map_or("", |refusal| refusal.code.as_str());
        self.shell.env.metrics.count(metric::COMMANDS, &[(label::KIND, kind), (label::CODE, code)], 1);
        result
    }
}

impl RouterHandle {
    async fn carry_out(&self, command: Commanded) -> Result<Done, Refusal> {
        let items = [Item::new(Event::Command(command), Span::current())];
        let mut tries = 0;
        loop {
            let stop = match self.shell.attempt(&items).await {
                Ok(carried) => {
                    let Some(one) = carried.into_iter().next() else {
                        return Err(Refusal::new(Class::Internal, codes::INTERNAL, "the command has no answer"));
                    };
                    tracing::debug!(why = one.why, "command");
                    return match one.refusal {
                        Some(refusal) => Err(refusal),
                        None => Ok(Done { conversation: one.conversation, message: one.message }),
                    };
                }
                Err(stop) => stop,
            };
            match stop {
                Stop::Conflict(reason) if tries >= self.shell.config.command_tries => {
                    return Err(Refusal::new(Class::Conflict, codes::CHANGED_MEANWHILE, reason));
                }
                Stop::Conflict(_) => {}
                Stop::Unavailable(reason) => {
                    tracing::warn!(reason, "a command found the store away");
                    return Err(Refusal::new(Class::Unavailable, codes::UNAVAILABLE, "the store is away"));
                }
                Stop::Refused(reason) => {
                    tracing::error!(reason, "the store refuses a command");
                    return Err(Refusal::new(Class::Internal, codes::INTERNAL, "the store refuses the command"));
                }
            }
            tokio::time::sleep(pause(tries, Duration::from_millis(2), Duration::from_millis(100))).await;
            tries += 1;
        }
    }
}

/// Low-cardinality name of a command.
const fn kind(command: &Command) -> &'static str {
    match command {
        Command::Take { .. } => "take",
        Command::Transfer { .. } => "transfer",
        Command::Return { .. } => "return",
        Command::Conclude { .. } => "conclude",
        Command::Send { .. } => "send",
        Command::Retry { .. } => "retry",
        Command::MarkRead { .. } => "mark_read",
        Command::SaveContact { .. } => "save_contact",
        Command::DecideParked { .. } => "decide_parked",
        Command::SetPresence { .. } => "set_presence",
    }
}
