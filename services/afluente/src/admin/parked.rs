//! `afluente parked`: messages that could not go on.

use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use domain::{ParkedEntry, ParkedId, Ruling, Timestamp, error::codes};
use ports::{Asked, Clock as _, ParkedFilter, ParkedGroup, Standing};
use runtime::clock::SystemClock;
use serde_json::{Value, json};

use super::store;
use crate::{
    Place,
    exit::{Problem, say},
    redrive::{Outcome, ask},
};

/// Parked messages.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// List them, newest first.
    List(Box<List>),
    /// Show one with its body and what was decided about it.
    Show {
        #[command(flatten)]
        place: Place,
        /// Its id.
        id: ParkedId,
    },
    /// Send one, those with one cause, or all of them on their way again. Those in doubt stay: decide about each.
    Redrive(Box<Redrive>),
    /// Say what became of one in doubt.
    Decide {
        #[command(flatten)]
        place: Place,
        /// Its id.
        id: ParkedId,
        /// What became of it.
        fate: Fate,
        /// Why, for those who look it up.
        #[arg(long)]
        reason: Option<String>,
    },
    /// End one here. It is kept with its reason.
    Discard {
        #[command(flatten)]
        place: Place,
        /// Its id.
        id: ParkedId,
        /// Why.
        #[arg(long)]
        reason: String,
    },
}

/// What is listed, and how.
#[derive(Args)]
pub(crate) struct List {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    narrow: Narrow,
    /// Only those with this code.
    #[arg(long)]
    code: Option<String>,
    /// Count them by cause.
    #[arg(long)]
    group: bool,
    /// Those that went on their way or were ended, instead of those that wait.
    #[arg(long)]
    ended: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// At most this many.
    #[arg(long, default_value_t = 100)]
    limit: u32,
}

/// What goes on its way.
#[derive(Args)]
pub(crate) struct Redrive {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    narrow: Narrow,
    /// Its id.
    #[arg(required_unless_present_any = ["all", "group"])]
    id: Option<ParkedId>,
    /// Those with this code.
    #[arg(long, value_name = "CODE", conflicts_with = "id")]
    group: Option<String>,
    /// All of them.
    #[arg(long, conflicts_with_all = ["id", "group"])]
    all: bool,
}

/// What narrows.
#[derive(Args)]
pub(crate) struct Narrow {
    /// Only those on this channel; `none`: on no known channel.
    #[arg(long)]
    channel: Option<domain::Channel>,
    /// Only those of this account, by name or id; `none`: of no known account.
    #[arg(long)]
    account: Option<String>,
    /// Only those that were parked within this time: 90m, 24h, 7d.
    #[arg(long, value_parser = span, value_name = "TIME")]
    since: Option<Duration>,
}

/// The channel or account of those that none is known of.
const NONE: &str = "none";

/// What became of a message in doubt.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Fate {
    /// It arrived; nothing goes out.
    Arrived,
    /// It is sent to the contact again.
    Again,
    /// It failed; nothing goes out.
    Failed,
}

/// Runs the command.
pub(crate) async fn run(command: Command) -> Result<(), Problem> {
    match command {
        Command::List(list) => self::list(*list).await,
        Command::Show { place, id } => show(&place, id).await,
        Command::Redrive(redrive) => self::redrive(*redrive).await,
        Command::Decide { place, id, fate, reason } => {
            let ruling = match fate {
                Fate::Arrived => Ruling::Arrived,
                Fate::Again => Ruling::Again,
                Fate::Failed => Ruling::Failed,
            };
            decide(&place, id, Asked { ruling, reason, by: None }).await
        }
        Command::Discard { place, id, reason } => {
            decide(&place, id, Asked { ruling: Ruling::Discard, reason: Some(reason), by: None }).await
        }
    }
}

/// `90m`, `24h`, `7d`.
fn span(text: &str) -> Result<Duration, String> {
    let wrong = || format!("'{text}' is not a time like 90m, 24h or 7d");
    let (number, seconds) = [('m', 60), ('h', 3_600), ('d', 86_400)]
        .into_iter()
        .find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, seconds)))
        .ok_or_else(wrong)?;
    let number: u64 = number.parse().map_err(|_| wrong())?;
    Ok(Duration::from_secs(number.saturating_mul(seconds)))
}

/// Parked messages know their account by its name or its id: either finds both.
async fn filter(stores: &bootstrap::Stores, narrow: Narrow, code: Option<String>) -> Result<ParkedFilter, Problem> {
    let channels = narrow.channel.map(|channel| if channel.as_str() == NONE { Vec::new() } else { vec![channel] });
    let accounts = match narrow.account {
        None => None,
        Some(said) if said == NONE => Some(Vec::new()),
        Some(said) => {
            let all = stores.directory.accounts(None).await?;
            let known = all.into_iter().filter(|one| one.name == said || one.id.to_string() == said);
            let mut names: Vec<String> = known.flat_map(|one| [one.id.to_string(), one.name]).collect();
            names.push(said);
            Some(names)
        }
    };
    let since = narrow.since.map(|span| {
        let span = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        Timestamp::from_millis(SystemClock.now().millis().saturating_sub(span))
    });
    Ok(ParkedFilter { code, channels, accounts, since, ..ParkedFilter::default() })
}

async fn list(list: List) -> Result<(), Problem> {
    let (_, stores) = store(&list.place, false).await?;
    let standing = if list.ended { Standing::Ended } else { Standing::Listed };
    let filter = filter(&stores, list.narrow, list.code).await?;
    let filter = ParkedFilter { standing, limit: list.limit, ..filter };
    if list.group {
        let groups = stores.parking.groups(&filter).await?;
        if list.json {
            say(json!(groups));
        } else {
            groups.iter().for_each(say_group);
        }
        return Ok(());
    }
    let entries = stores.parking.find(&filter).await?;
    if list.json {
        say(json!(entries.iter().map(listed).collect::<Vec<_>>()));
    } else {
        entries.iter().for_each(say_entry);
    }
    Ok(())
}

fn say_group(group: &ParkedGroup) {
    let account = group.account.as_deref().unwrap_or("-");
    say(format_args!(
        "{:>6} {:<20} {:<24} {account:<20} {:>10}",
        group.count,
        group.code,
        group.place,
        ago(group.last_at)
    ));
}

/// How long ago, in the largest whole unit.
fn ago(at: Timestamp) -> String {
    let seconds = SystemClock.now().since(at).as_secs();
    let (number, unit) = match seconds {
        0..60 => (seconds, 's'),
        60..3_600 => (seconds / 60, 'm'),
        3_600..86_400 => (seconds / 3_600, 'h'),
        _ => (seconds / 86_400, 'd'),
    };
    format!("{number}{unit} ago")
}

fn say_entry(entry: &ParkedEntry) {
    let one = &entry.parked;
    let account = one.account.as_deref().unwrap_or("-");
    let asked = if entry.requested.is_some() { " (requested)" } else { "" };
    say(format_args!("{} {:<20} {:<24} {account:<20} {}{asked}", one.id, one.code, one.place, one.reason));
}

/// The message with where it stands, in one object; the body only where it was read.
fn listed(entry: &ParkedEntry) -> Value {
    let mut all = json!(entry.parked);
    if let Some(fields) = all.as_object_mut() {
        if entry.parked.body.is_empty() {
            fields.remove("body");
        }
        fields.insert("size".to_owned(), json!(entry.size));
        fields.insert("requested".to_owned(), json!(entry.requested));
        fields.insert("closed_at".to_owned(), json!(entry.closed_at));
    }
    all
}

async fn one(stores: &bootstrap::Stores, id: ParkedId) -> Result<ParkedEntry, Problem> {
    stores.parking.show(id).await?.ok_or_else(|| Problem::usage(format!("no parked message {id}")))
}

async fn show(place: &Place, id: ParkedId) -> Result<(), Problem> {
    let (_, stores) = store(place, false).await?;
    let mut shown = listed(&one(&stores, id).await?);
    shown["decisions"] = json!(stores.parking.decisions(id).await?);
    say(serde_json::to_string_pretty(&shown)?);
    Ok(())
}

async fn redrive(redrive: Redrive) -> Result<(), Problem> {
    let (_, stores) = store(&redrive.place, false).await?;
    let chosen = match redrive.id {
        Some(id) => vec![one(&stores, id).await?],
        None => {
            let filter = filter(&stores, redrive.narrow, redrive.group).await?;
            let listed = stores.parking.find(&ParkedFilter { limit: u32::MAX, ..filter }).await?;
            let (doubtful, chosen): (Vec<_>, Vec<_>) =
                listed.into_iter().partition(|entry| entry.parked.code == codes::IN_DOUBT);
            if !doubtful.is_empty() {
                say(format_args!("{} in doubt stay: see `afluente parked decide`", doubtful.len()));
            }
            chosen
        }
    };
    if let [one] = chosen.as_slice()
        && one.parked.is_in_doubt()
    {
        let id = one.parked.id;
        return Err(Problem::usage(format!("{id} is in doubt: `afluente parked decide {id} arrived|again|failed`")));
    }
    carry_out(&stores, &chosen, &Asked::of(Ruling::Redrive)).await
}

async fn decide(place: &Place, id: ParkedId, asked: Asked) -> Result<(), Problem> {
    let (_, stores) = store(place, false).await?;
    let chosen = one(&stores, id).await?;
    if asked.ruling == Ruling::Discard && asked.reason.as_ref().is_none_or(|reason| reason.trim().is_empty()) {
        return Err(Problem::usage("a reason is needed"));
    }
    if asked.ruling != Ruling::Discard && !chosen.parked.is_in_doubt() {
        return Err(Problem::usage(format!("{id} is not in doubt: redrive or discard it")));
    }
    carry_out(&stores, &[chosen], &asked).await
}

async fn carry_out(stores: &bootstrap::Stores, chosen: &[ParkedEntry], asked: &Asked) -> Result<(), Problem> {
    let mut failed = 0;
    for (id, outcome) in ask(stores, chosen, asked).await? {
        say(format_args!("{id} {outcome}"));
        failed += usize::from(matches!(outcome, Outcome::Failed(_)));
    }
    match failed {
        0 => Ok(()),
        _ => Err(Problem::failed(format!("{failed} of {} could not be done", chosen.len()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_its_unit() {
        assert_eq!(span("90m"), Ok(Duration::from_secs(5_400)));
        assert_eq!(span("7d"), Ok(Duration::from_secs(604_800)));
        for wrong in ["", "7", "d", "7w", "-1h"] {
            assert!(span(wrong).is_err(), "{wrong}");
        }
    }
}
