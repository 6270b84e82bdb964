//! Media as files: written beside, synced, then renamed into place.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use adapter_sql::{private_file, private_folder};
use async_trait::async_trait;
use bytes::Bytes;
use ports::{Blobs, StoreError};

/// Longest key; with what is added it still is a file name everywhere.
const LONGEST_KEY: usize = 200;

/// A folder of blobs. A file holds one line with the MIME type, then the bytes.
#[derive(Debug)]
pub struct FileBlobs {
    root: PathBuf,
    written: AtomicU64,
}

impl FileBlobs {
    /// Opens (or makes) the folder.
    ///
    /// # Errors
    /// The system's, when it cannot be made.
    pub fn open(root: &Path) -> io::Result<Self> {
        private_folder(root)?;
        Ok(Self { root: root.to_path_buf(), written: AtomicU64::new(0) })
    }

    /// The file of a key: in one of 256 folders, its slashes replaced, so that no key can leave the root.
    fn file(&self, key: &str) -> Result<PathBuf, StoreError> {
        let plain = |part: &str| {
            !part.is_empty()
                && !part.starts_with('.')
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
        };
        if key.len() > LONGEST_KEY || !key.split('/').all(plain) {
            return Err(StoreError::Refused(
                "a blob's key is made of letters, digits, '.', '_' and '-' in parts separated by '/', at most 200"
                    .to_owned(),
            ));
        }
        let shard = key.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        Ok(self.root.join(format!("{:02x}", shard >> 24)).join(key.replace('/', "%")))
    }
}

#[async_trait]
impl Blobs for FileBlobs {
    async fn put(&self, key: &str, mime: &str, bytes: Bytes) -> Result<(), StoreError> {
        let file = self.file(key)?;
        if mime.contains(['\n', '\r']) {
            return Err(StoreError::Refused("a MIME type is one line".to_owned()));
        }
        let mime = mime.to_owned();
        let number = self.written.fetch_add(1, Ordering::Relaxed);
        let beside = self.root.join(format!("{}-{number}.part", std::process::id()));
        blocking(move || {
            let written = write(&file, &beside, &mime, &bytes);
            if written.is_err() {
                let _ = fs::remove_file(&beside);
            }
            written
        })
        .await
    }

    async fn get(&self, key: &str) -> Result<Option<(String, Bytes)>, StoreError> {
        let file = self.file(key)?;
        blocking(move || read(&file)).await
    }
}

fn write(file: &Path, beside: &Path, mime: &str, bytes: &[u8]) -> io::Result<()> {
    let folder = file.parent().unwrap_or(file);
    if !folder.is_dir() {
        private_folder(folder)?;
        sync_folder(folder.parent().unwrap_or(folder))?;
    }
    let mut out = private_file(beside)?;
    out.set_len(0)?;
    out.write_all(mime.as_bytes())?;
    out.write_all(b"\n")?;
    out.write_all(bytes)?;
    out.sync_all()?;
    fs::rename(beside, file)?;
    sync_folder(folder)
}

/// A rename is only safe once its folder is.
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn read(file: &Path) -> io::Result<Option<(String, Bytes)>> {
    let mut content = Vec::new();
    match File::open(file) {
        Ok(mut open) => open.read_to_end(&mut content)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let content = Bytes::from(content);
    let line = content
        .iter()
        .position(|byte| *byte == b'\n')
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a blob without its first line"))?;
    let mime = String::from_utf8_lossy(&content[..line]).into_owned();
    Ok(Some((mime, content.slice(line + 1..))))
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| StoreError::Unavailable(error.to_string()))?
        .map_err(|error| StoreError::Unavailable(format!("blob folder: {error}")))
}
