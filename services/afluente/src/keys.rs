//! The secrets of one installation: the gate's signing key, the key of media links. Made once, kept in the data folder
//! with owner-only rights; in a mesh they come from the configuration instead.

use std::{fs, io, path::Path};

use rand::Rng as _;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde::{Deserialize, Serialize};

use crate::exit::{Problem, say};

/// The keys.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Keys {
    /// Ed25519 seed of the session service, 32 bytes in hex. Only the session service needs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permit_seed: Option<String>,
    /// The public half, 32 bytes in hex. Channels need it.
    pub permit_public: String,
    /// Signs links to media, at least 16 bytes in hex. The same for all channels and replicas.
    pub media: String,
}

impl Keys {
    /// Fresh random keys.
    ///
    /// # Errors
    /// When the random seed is not a key, which does not happen.
    pub(crate) fn generate() -> io::Result<Self> {
        let mut seed = [0u8; 32];
        let mut media = [0u8; 32];
        rand::rng().fill_bytes(&mut seed);
        rand::rng().fill_bytes(&mut media);
        let pair =
            Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|problem| io::Error::other(problem.to_string()))?;
        Ok(Self {
            permit_seed: Some(hex::encode(seed)),
            permit_public: hex::encode(pair.public_key().as_ref()),
            media: hex::encode(media),
        })
    }

    /// The keys of a data folder, made at the first call.
    ///
    /// # Errors
    /// When the folder cannot be read or written, or holds something else.
    pub(crate) fn of_folder(data: &Path) -> io::Result<Self> {
        let path = data.join("keys.json");
        match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(io::Error::other),
            Err(problem) if problem.kind() == io::ErrorKind::NotFound => {
                let keys = Self::generate()?;
                write_private(&path, &serde_json::to_vec_pretty(&keys).map_err(io::Error::other)?)?;
                Ok(keys)
            }
            Err(problem) => Err(problem),
        }
    }
}

/// Prints fresh keys as the configuration's `[keys]`.
///
/// # Errors
/// See [`Keys::generate`].
pub(crate) fn print() -> Result<(), Problem> {
    let keys = Keys::generate()?;
    say("[keys]");
    if let Some(seed) = keys.permit_seed {
        say(format_args!("permit_seed = \"{seed}\""));
    }
    say(format_args!("permit_public = \"{}\"", keys.permit_public));
    say(format_args!("media = \"{}\"", keys.media));
    Ok(())
}

/// Writes a file that only its owner can read.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::{io::Write as _, os::unix::fs::OpenOptionsExt as _};
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
