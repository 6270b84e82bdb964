//! Which parked messages a caller asks for.

use domain::{Channel, ParkedId, Timestamp};
use ports::{ParkedFilter, Standing};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use crate::{caller::Caller, names::Names, problem::Problem};

const DEFAULT_LIMIT: u32 = 50;
const MOST: u32 = 200;
/// The channel or account of those that none is known of.
const NONE: &str = "none";

/// Where they stand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ParkedStanding {
    /// They wait, or the router was asked and has not done it yet.
    #[default]
    Waiting,
    /// They went on their way, or were ended.
    Ended,
}

/// What narrows. What is not said does not.
#[derive(Debug, Clone, Default, Deserialize, IntoParams, ToSchema)]
#[into_params(parameter_in = Query)]
pub(crate) struct Selection {
    /// With this code.
    pub(crate) code: Option<String>,
    /// Stopped here.
    pub(crate) place: Option<String>,
    /// On this channel; `none` for those that no channel is known of.
    pub(crate) channel: Option<String>,
    /// Of this account, by id or name; `none` for those that no account is known of.
    pub(crate) account: Option<String>,
    /// Parked at this time or later, in milliseconds since 1970.
    pub(crate) since: Option<i64>,
    /// Parked before this time.
    pub(crate) until: Option<i64>,
}

impl Selection {
    pub(super) fn is_everything(&self) -> bool {
        let said = [&self.code, &self.place, &self.channel, &self.account];
        said.iter().all(|one| one.is_none()) && self.since.is_none() && self.until.is_none()
    }

    /// Always of the caller's own organization.
    pub(super) fn filter(self, caller: &Caller) -> Result<ParkedFilter, Problem> {
        let channels = self.channel.map(|text| channels(&text)).transpose()?;
        Ok(ParkedFilter {
            organization: Some(caller.organization()),
            code: self.code,
            place: self.place,
            channels,
            accounts: self.account.map(|text| accounts(&text, &caller.names)),
            since: self.since.map(Timestamp::from_millis),
            until: self.until.map(Timestamp::from_millis),
            ..ParkedFilter::default()
        })
    }
}

fn channels(said: &str) -> Result<Vec<Channel>, Problem> {
    if said == NONE {
        return Ok(Vec::new());
    }
    said.parse().map(|channel| vec![channel]).map_err(|error| Problem::bad_request(format!("channel: {error}")))
}

/// By which an account is known: some parked messages know its name, others its id.
fn accounts(said: &str, names: &Names) -> Vec<String> {
    if said == NONE {
        return Vec::new();
    }
    let known = names.accounts.values().find(|account| account.name == said || account.id.to_string() == said);
    known.map_or_else(|| vec![said.to_owned()], |account| vec![account.id.to_string(), account.name.clone()])
}

/// Which, and which page.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Paged {
    /// Where they stand; those that wait, when left out.
    state: Option<ParkedStanding>,
    /// What `next` of the page before said.
    before: Option<String>,
    /// At most this many, up to 200.
    limit: Option<u32>,
}

impl Paged {
    pub(super) fn narrow(self, filter: ParkedFilter) -> Result<ParkedFilter, Problem> {
        let before = self.before.as_deref().map(place).transpose()?;
        let standing = match self.state.unwrap_or_default() {
            ParkedStanding::Waiting => Standing::Listed,
            ParkedStanding::Ended => Standing::Ended,
        };
        Ok(ParkedFilter { standing, before, limit: self.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MOST), ..filter })
    }
}

/// `<time>.<id>`: where a page ended.
fn place(text: &str) -> Result<(Timestamp, ParkedId), Problem> {
    let read = || {
        let (at, id) = text.split_once('.')?;
        Some((Timestamp::from_millis(at.parse().ok()?), id.parse().ok()?))
    };
    read().ok_or_else(|| Problem::bad_request("before: not what 'next' said"))
}

pub(super) fn written(at: Timestamp, id: ParkedId) -> String {
    format!("{}.{id}", at.millis())
}

/// All that an organization may send on its way at once, a page at a time.
pub(super) fn redrivable(filter: ParkedFilter, before: Option<(Timestamp, ParkedId)>, limit: u32) -> ParkedFilter {
    ParkedFilter { standing: Standing::Redrivable, before, limit, ..filter }
}
