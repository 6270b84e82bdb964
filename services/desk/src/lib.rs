//! The desk: the HTTP/JSON API, live events and the page with which people serve conversations.
//!
//! It signs people in, shows them what they may see of their organization, and passes what they ask for on to the
//! router as commands. It is not where decisions about conversations are made (that is `routing`, behind
//! [`ports::apis::RouterApi`]), and it writes no conversation itself. The page's source is in `web/`.
//!
//! Read `docs/api.md` first, then [`service`], then `routes.rs` (the calls), `visibility.rs` (who sees what) and
//! `events/` (live events).

mod call;
mod caller;
mod config;
mod conversations;
mod dto;
mod error_pages;
mod events;
mod guard;
mod limits;
mod me;
mod media;
mod messages;
mod mime;
mod names;
mod page;
mod parked;
mod password;
mod phones;
mod presence;
mod problem;
mod ranges;
mod routes;
mod sign_in;
mod state;
mod templates;
mod visibility;
mod words;

use std::sync::Arc;

use ports::apis::RouterApi;
use runtime::{Check, Env, OnFailure, Service, Task};

pub use config::{ChannelTraits, Config};
pub use password::{PasswordFlaw, check_password_rule, hash_password};

use state::Desk;

/// The largest JSON body, in bytes.
const JSON_LIMIT: u64 = 1024 * 1024;

/// The desk as a value: its routes and its three tasks.
pub fn service(config: Config, env: Env, router: Arc<dyn RouterApi>) -> Service {
    let views = Arc::clone(&env.views);
    let desk = Arc::new(Desk::new(config, env, router));
    let task = |name: &str, desk: &Arc<Desk>, run: fn(state::Shared, runtime::Drain) -> runtime::BoxFuture<_>| {
        let desk = Arc::clone(desk);
        Task::new(name, OnFailure::Restart, move |drain| run(Arc::clone(&desk), drain))
    };
    Service {
        name: "desk".to_owned(),
        http: routes::all(&desk),
        grpc: None,
        grpc_names: Vec::new(),
        tasks: vec![
            task("desk announcements", &desk, |desk, drain| Box::pin(events::announcements(desk, drain))),
            task("desk catch-up", &desk, |desk, drain| Box::pin(events::catch_up(desk, drain))),
            task("desk presence", &desk, |desk, drain| Box::pin(presence::sweep(desk, drain))),
        ],
        checks: vec![Check {
            name: "store".to_owned(),
            run: Arc::new(move || {
                let views = Arc::clone(&views);
                Box::pin(async move {
                    // An organization that nobody has: only whether the store answers.
                    let nobody = domain::OrganizationId::derive(&["nobody"]);
                    views.event_range(nobody).await.map(|_| ()).map_err(|error| error.to_string())
                })
            }),
        }],
    }
}
