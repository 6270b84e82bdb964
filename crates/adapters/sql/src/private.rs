//! Files and folders that only their owner may read: they hold what people wrote, and secrets of accounts.

use std::{fs, io, path::Path};

/// Makes the folder, and those above it that are missing, for the owner alone. One that is there keeps its mode: the
/// operator gave it.
///
/// # Errors
/// The system's.
pub fn private_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Opens the file for writing, for the owner alone; makes it when it is missing, and takes others' rights away when it
/// is there.
///
/// # Errors
/// The system's.
pub fn private_file(file: &Path) -> io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let open = options.open(file)?;
    close_to_others(file, &open.metadata()?)?;
    Ok(open)
}

/// Takes others' rights to a file away, when there is such a file.
pub(crate) fn hide(file: &Path) -> io::Result<()> {
    match fs::metadata(file) {
        Ok(known) => close_to_others(file, &known),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(unix)]
fn close_to_others(file: &Path, known: &fs::Metadata) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    if !known.is_file() || known.permissions().mode() & 0o077 == 0 {
        return Ok(());
    }
    fs::set_permissions(file, fs::Permissions::from_mode(0o600))
}

#[cfg(not(unix))]
fn close_to_others(_: &Path, _: &fs::Metadata) -> io::Result<()> {
    Ok(())
}
