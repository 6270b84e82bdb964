//! `afluente parked`: messages that could not go on.

use clap::Subcommand;
use domain::ParkedId;
use serde_json::json;

use super::store;
use crate::{
    Place,
    exit::{Problem, say},
    redrive::{Outcome, redrive},
};

/// Parked messages.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// List them, newest first.
    List {
        #[command(flatten)]
        place: Place,
        /// Print JSON.
        #[arg(long)]
        json: bool,
        /// At most this many.
        #[arg(long, default_value_t = 100)]
        limit: u32,
    },
    /// Show one with its body.
    Show {
        #[command(flatten)]
        place: Place,
        /// Its id.
        id: ParkedId,
    },
    /// Send one on its way again. One in doubt is sent to the contact again.
    Redrive {
        #[command(flatten)]
        place: Place,
        /// Its id.
        #[arg(required_unless_present = "all")]
        id: Option<ParkedId>,
        /// All of them.
        #[arg(long, conflicts_with = "id")]
        all: bool,
    },
}

/// Runs the command.
pub(crate) async fn run(command: Command) -> Result<(), Problem> {
    match command {
        Command::List { place, json, limit } => list(&place, json, limit).await,
        Command::Show { place, id } => show(&place, id).await,
        Command::Redrive { place, id, all } => redrive_chosen(&place, id, all).await,
    }
}

async fn list(place: &Place, as_json: bool, limit: u32) -> Result<(), Problem> {
    let (_, stores) = store(place, false).await?;
    let parked = stores.parking.list(None, limit).await?;
    if as_json {
        say(json!(parked));
        return Ok(());
    }
    for one in parked {
        let account = one.account.as_deref().unwrap_or("-");
        say(format_args!("{} {:<20} {:<24} {account:<20} {}", one.id, one.code, one.place, one.reason));
    }
    Ok(())
}

async fn show(place: &Place, id: ParkedId) -> Result<(), Problem> {
    let (_, stores) = store(place, false).await?;
    let one = stores.parking.show(id).await?.ok_or_else(|| Problem::usage(format!("no parked message {id}")))?;
    say(serde_json::to_string_pretty(&one)?);
    Ok(())
}

async fn redrive_chosen(place: &Place, id: Option<ParkedId>, all: bool) -> Result<(), Problem> {
    let (settings, stores) = store(place, false).await?;
    let chosen = match id {
        Some(id) => {
            vec![stores.parking.show(id).await?.ok_or_else(|| Problem::usage(format!("no parked message {id}")))?]
        }
        None if all => stores.parking.list(None, u32::MAX).await?,
        None => Vec::new(),
    };
    let mut failed = 0;
    for (id, outcome) in redrive(&settings, &stores, &chosen).await? {
        say(format_args!("{id} {outcome}"));
        failed += usize::from(matches!(outcome, Outcome::Failed(_)));
    }
    match failed {
        0 => Ok(()),
        _ => Err(Problem::failed(format!("{failed} of {} could not be redriven", chosen.len()))),
    }
}
