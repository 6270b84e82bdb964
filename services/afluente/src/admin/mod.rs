//! The operator's command line. It works on the store directly, so it needs no running service.

pub(crate) mod account;
pub(crate) mod audit;
pub(crate) mod broker;
pub(crate) mod parked;
pub(crate) mod user;
mod when;

use crate::{Place, exit::Problem, settings::Settings};

/// The store of the configured place; only commands that add something may be the first to come to it.
async fn store(place: &Place, create: bool) -> Result<(Settings, bootstrap::Stores), Problem> {
    let settings = Settings::load(place)?;
    let stores = bootstrap::stores(&settings.mesh, create).await?;
    Ok((settings, stores))
}

/// The only organization, or the one with this id or name.
async fn organization(stores: &bootstrap::Stores, wanted: Option<&str>) -> Result<domain::Organization, Problem> {
    let all = stores.directory.organizations().await?;
    let found: Vec<_> = match wanted {
        Some(wanted) => all.into_iter().filter(|one| one.name == wanted || one.id.to_string() == wanted).collect(),
        None => all,
    };
    match found.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(Problem::usage("no such organization; make one with `afluente user add --organization NAME ...`")),
        _ => Err(Problem::usage("there are several organizations: say which with --organization")),
    }
}

/// `KEY=VALUE`.
fn pair(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .ok_or_else(|| format!("'{text}' is not KEY=VALUE"))
}

/// Letters that an operator reads aloud; 22 of them are more than 128 bits.
fn random_text() -> String {
    use rand::Rng as _;
    let mut bytes = [0u8; 16];
    rand::rng().fill_bytes(&mut bytes);
    hex::encode(bytes)
}
