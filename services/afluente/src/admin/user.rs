//! `afluente user`: people who sign in.

use clap::{Args, Subcommand, ValueEnum};
use domain::{Distribution, Language, Organization, OrganizationId, Queue, QueueId, Role, Secret, User, UserId};

use super::{organization, random_text, store};
use crate::{
    Place,
    exit::{Problem, say},
};

/// People.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Add a person, or change the one with this e-mail.
    Add(Box<Add>),
}

/// What a person needs.
#[derive(Args)]
pub(crate) struct Add {
    #[command(flatten)]
    place: Place,
    /// What they sign in with.
    #[arg(long)]
    email: String,
    /// Their name.
    #[arg(long)]
    name: String,
    /// What they may do.
    #[arg(long, value_enum, default_value_t = As::Agent)]
    role: As,
    /// Their password; made at random and printed when left out.
    #[arg(long, env = "AFLUENTE_PASSWORD", hide_env_values = true)]
    password: Option<String>,
    /// How many conversations at a time, 0 to 80.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(0..=80))]
    capacity: u16,
    /// The queues that they serve, by name; a new name makes a queue.
    #[arg(long = "queue")]
    queues: Vec<String>,
    /// The organization, by name or id; a new name makes one.
    #[arg(long)]
    organization: Option<String>,
}

/// The roles on the command line.
#[derive(Clone, Copy, ValueEnum)]
enum As {
    Agent,
    SupervisorAgent,
    Supervisor,
    Administrator,
}

impl From<As> for Role {
    fn from(role: As) -> Self {
        match role {
            As::Agent => Self::Agent,
            As::SupervisorAgent => Self::SupervisorAgent,
            As::Supervisor => Self::Supervisor,
            As::Administrator => Self::Administrator,
        }
    }
}

/// Runs the command.
pub(crate) async fn run(command: Command) -> Result<(), Problem> {
    match command {
        Command::Add(add) => self::add(*add).await,
    }
}

async fn add(add: Add) -> Result<(), Problem> {
    let (_, stores) = store(&add.place, true).await?;
    let organization = match organization(&stores, add.organization.as_deref()).await {
        Ok(known) => known,
        Err(problem) => match add.organization {
            Some(name) => {
                let made = Organization { id: OrganizationId::derive(&["organization", &name]), name };
                stores.directory.save_organization(&made).await?;
                made
            }
            None => return Err(problem),
        },
    };
    let email = add.email.trim().to_lowercase();
    let made = add.password.is_none();
    let password = add.password.unwrap_or_else(|| format!("Af-{}", random_text()));
    service_desk::check_password_rule(&password).map_err(|problem| Problem::usage(problem.to_string()))?;
    let user = User {
        id: UserId::derive(&[&organization.id.to_string(), &email]),
        organization: organization.id,
        email,
        name: add.name,
        role: add.role.into(),
        language: Language::default(),
        password: Secret::new(
            service_desk::hash_password(&password).map_err(|problem| Problem::failed(problem.to_string()))?,
        ),
        capacity: add.capacity,
        active: true,
    };
    stores.directory.save_user(&user).await?;
    let known = stores.directory.queues(organization.id).await?;
    for name in add.queues {
        let mut queue = known.iter().find(|queue| queue.name == name).cloned().unwrap_or_else(|| Queue {
            id: QueueId::derive(&[&organization.id.to_string(), &name]),
            organization: organization.id,
            name,
            distribution: Distribution::Manual,
            inactive_after: 1_800,
            abandon_after: 172_800,
            members: Vec::new(),
            active: true,
        });
        if !queue.members.contains(&user.id) {
            queue.members.push(user.id);
            stores.directory.save_queue(&queue).await?;
        }
    }
    say(format_args!("{} {}", user.id, user.email));
    if made {
        say(format_args!("password: {password}"));
    }
    Ok(())
}
