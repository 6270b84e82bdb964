//! `afluente broker`: the map on the broker and the rights of each service there, for who administers it.

use clap::{Args, Subcommand};

use crate::{
    Place,
    exit::{Problem, say},
    settings::Settings,
};

/// What to do.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Declare every exchange and queue, as the configured user: an administrator's.
    Setup {
        #[command(flatten)]
        place: Place,
    },
    /// Take away what earlier releases bound, as the same user: only once no process of theirs runs.
    Tidy {
        #[command(flatten)]
        place: Place,
    },
    /// Print how many partitions the mesh has: a channel that is not of this program must know.
    Partitions {
        #[command(flatten)]
        place: Place,
    },
    /// Print the `rabbitmqctl` lines that give each service's user the least rights that suffice.
    Rights(RightsOf),
}

/// Whose rights.
#[derive(Args)]
pub(crate) struct RightsOf {
    #[command(flatten)]
    place: Place,
    /// The users are called like their services, with this before.
    #[arg(long, value_name = "PREFIX", default_value = "afluente-")]
    user_prefix: String,
    /// The virtual host.
    #[arg(long, value_name = "NAME", default_value = "/")]
    vhost: String,
}

/// Does it.
pub(crate) async fn run(command: Command) -> Result<(), Problem> {
    match command {
        Command::Setup { place } => {
            let settings = Settings::load(&place)?;
            bootstrap::declare_broker(&settings.mesh).await?;
            say("the broker's map stands");
        }
        Command::Tidy { place } => {
            let settings = Settings::load(&place)?;
            bootstrap::tidy_broker(&settings.mesh).await?;
            say("the broker has nothing of earlier releases");
        }
        Command::Partitions { place } => {
            let settings = Settings::load(&place)?;
            say(bootstrap::partitions(&settings.mesh).await?);
        }
        Command::Rights(RightsOf { place, user_prefix, vhost }) => {
            let settings = Settings::load(&place)?;
            for (service, rights) in bootstrap::broker_rights(&settings.mesh)? {
                let words = [format!("{user_prefix}{service}"), rights.configure, rights.write, rights.read];
                let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
                say(format_args!("rabbitmqctl set_permissions -p {} {}", quoted(&vhost), words.join(" ")));
            }
        }
    }
    Ok(())
}

/// One word for a shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}
