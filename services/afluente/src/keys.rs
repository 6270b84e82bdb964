//! The secrets of one installation: the gate's signing key, the key of media links. Made once, kept in the data folder
//! with owner-only rights; in a mesh they come from the configuration instead.

use std::{
    fs,
    io::{self, Write as _},
    path::Path,
};

use rand::Rng as _;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use tempfile::NamedTempFile;

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

    /// The keys of a data folder, made at the first call. Processes that start side by side on an empty folder all get
    /// the same ones.
    ///
    /// # Errors
    /// When the folder cannot be read or written, or holds something else.
    pub(crate) fn of_folder(data: &Path) -> io::Result<Self> {
        made_once(&data.join("keys.json"), Self::generate)
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

/// What a file only its owner can read holds; `make` says what that is when there is no such file. Processes that ask
/// side by side all get the same.
///
/// # Errors
/// When the file cannot be read or written, or holds something else.
pub(crate) fn made_once<T: Serialize + DeserializeOwned>(
    path: &Path,
    make: impl FnOnce() -> io::Result<T>,
) -> io::Result<T> {
    if !path.try_exists()? {
        // Written whole under a name of our own, then given the name that all read: whoever comes second finds the name
        // taken, and nobody ever reads half a file.
        let mut fresh = NamedTempFile::new_in(path.parent().unwrap_or(Path::new(".")))?;
        fresh.write_all(&serde_json::to_vec_pretty(&make()?).map_err(io::Error::other)?)?;
        fresh.as_file().sync_all()?;
        match fresh.persist_noclobber(path) {
            Err(lost) if lost.error.kind() != io::ErrorKind::AlreadyExists => return Err(lost.error),
            _ => {}
        }
    }
    serde_json::from_slice(&fs::read(path)?).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::{collections::BTreeSet, os::unix::fs::PermissionsExt as _, sync::Barrier};

    use super::*;

    #[test]
    fn who_starts_side_by_side_on_an_empty_folder_gets_the_same_keys() {
        for _ in 0..20 {
            let data = tempfile::tempdir().unwrap();
            let start = Barrier::new(8);
            let seen: BTreeSet<String> = std::thread::scope(|scope| {
                let all: Vec<_> = (0..8)
                    .map(|_| {
                        scope.spawn(|| {
                            start.wait();
                            Keys::of_folder(data.path()).unwrap().media
                        })
                    })
                    .collect();
                all.into_iter().map(|one| one.join().unwrap()).collect()
            });
            assert_eq!(seen.len(), 1);
            let names: Vec<_> = fs::read_dir(data.path()).unwrap().map(|one| one.unwrap().file_name()).collect();
            assert_eq!(names, ["keys.json"], "nothing is left behind");
            let mode = fs::metadata(data.path().join("keys.json")).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "for its owner only");
        }
    }
}
