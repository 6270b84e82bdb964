//! Who may write where: the spool of a channel is a folder of numbered slots, and a slot belongs to whoever holds the
//! lock on its `lock` file. The kernel gives the lock back when a process ends, however it ends. Blocking.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
};

/// A slot that is ours until this is dropped.
pub(super) struct Claim {
    pub(super) folder: PathBuf,
    _lock: File,
}

/// The first free slot below `root`, with whatever a former holder left in it; a new one when all are taken.
pub(super) fn first_free(root: &Path) -> io::Result<Claim> {
    fs::create_dir_all(root)?;
    for folder in slots(root)? {
        if let Some(claim) = claim(folder)? {
            take_unslotted(root, &claim.folder)?;
            return Ok(claim);
        }
    }
    // Another process may make the same one: then the lock decides, and the next number is tried.
    for number in 1_u32.. {
        let folder = root.join(format!("{number:04}"));
        fs::create_dir_all(&folder)?;
        if let Some(claim) = claim(folder)? {
            take_unslotted(root, &claim.folder)?;
            File::open(root)?.sync_all()?;
            return Ok(claim);
        }
    }
    Err(io::Error::other("no slot is free"))
}

/// The slots whose holder is gone and which still have something to publish.
pub(super) fn orphans(root: &Path) -> io::Result<Vec<Claim>> {
    let mut found = Vec::new();
    for folder in slots(root)? {
        if has_segments(&folder)?
            && let Some(claim) = claim(folder)?
        {
            found.push(claim);
        }
    }
    Ok(found)
}

fn has_segments(folder: &Path) -> io::Result<bool> {
    Ok(fs::read_dir(folder)?.flatten().any(|entry| entry.path().extension().is_some_and(|end| end == "spool")))
}

/// Segments that lie beside the slots, from before there were slots, go into one that has none of its own.
fn take_unslotted(root: &Path, folder: &Path) -> io::Result<()> {
    if has_segments(folder)? {
        return Ok(());
    }
    for path in fs::read_dir(root)?.flatten().map(|entry| entry.path()) {
        let Some(name) = path.file_name().filter(|_| path.extension().is_some_and(|end| end == "spool")) else {
            continue;
        };
        match fs::rename(&path, folder.join(name)) {
            // Another process was faster.
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

fn slots(root: &Path) -> io::Result<Vec<PathBuf>> {
    let mut folders: Vec<PathBuf> = fs::read_dir(root)?
        .flatten()
        .filter(|entry| entry.file_name().to_str().is_some_and(|name| name.parse::<u32>().is_ok()))
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .collect();
    folders.sort();
    Ok(folders)
}

fn claim(folder: PathBuf) -> io::Result<Option<Claim>> {
    let lock = OpenOptions::new().create(true).truncate(false).write(true).open(folder.join("lock"))?;
    match lock.try_lock() {
        Ok(()) => Ok(Some(Claim { folder, _lock: lock })),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}
