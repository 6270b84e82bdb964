//! The embedded mesh's world: a bus and a store in one SQLite file, and a folder of blobs. No server needed.
//!
//! It keeps the same promises as RabbitMQ, PostgreSQL and a blob store, for one process: confirmed publishes survive
//! `kill -9`, deliveries that were not settled come back, prefetch, retries, parking. It is not for two processes: the
//! folder is locked while it is open (the store may be read beside it, see [`store_path`]).
//!
//! Read `bus/mod.rs` first: the writer there is the heart. Tables and statements are the SQL adapter's.

mod blobs;
mod buckets;
mod bus;

use std::{
    fs::{File, TryLockError},
    path::{Path, PathBuf},
    sync::Arc,
};

use adapter_sql::{OpenError, SqlStore, SqliteOptions, private_file, private_folder};

pub use blobs::FileBlobs;
pub use buckets::MemoryBuckets;
pub use bus::EmbeddedBus;

/// The SQLite file in a data folder. Another process may open it with [`SqlStore::sqlite`] for a moment, as the
/// operator's command line does.
pub fn store_path(data: &Path) -> PathBuf {
    data.join("afluente.db")
}

/// How to open a data folder.
#[derive(Debug, Clone, Default)]
pub struct EmbeddedOptions {
    /// The SQLite file.
    pub sqlite: SqliteOptions,
}

/// An open data folder.
#[derive(Debug, Clone)]
pub struct Embedded {
    /// The broker.
    pub bus: Arc<EmbeddedBus>,
    /// Every port that keeps the truth, session windows among them.
    pub store: Arc<SqlStore>,
    /// Media.
    pub blobs: Arc<FileBlobs>,
    /// Rate buckets, in memory: there is one process.
    pub buckets: Arc<MemoryBuckets>,
    /// Held while the folder is open; the system lets go of it even after `kill -9`.
    _lock: Arc<File>,
}

impl Embedded {
    /// Opens (or makes) the data folder. A folder that is made is for its owner alone (0700), and so are the files in it
    /// (0600); a folder that is there keeps its mode.
    ///
    /// # Errors
    /// [`OpenError`]: the folder cannot be written, another process has it, or a newer release wrote it.
    pub async fn open(data: &Path, options: EmbeddedOptions) -> Result<Self, OpenError> {
        let unwritable =
            |error: std::io::Error| OpenError::Unwritable { path: data.to_path_buf(), reason: error.to_string() };
        private_folder(data).map_err(unwritable)?;
        let lock = private_file(&data.join("lock")).map_err(unwritable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(OpenError::InUse { path: data.to_path_buf() }),
            Err(TryLockError::Error(error)) => return Err(unwritable(error)),
        }
        let store = SqlStore::sqlite(store_path(data), options.sqlite).await?;
        let bus = EmbeddedBus::open(store.clone()).await?;
        let blobs = FileBlobs::open(&data.join("blobs")).map_err(unwritable)?;
        Ok(Self {
            bus: Arc::new(bus),
            store: Arc::new(store),
            blobs: Arc::new(blobs),
            buckets: Arc::default(),
            _lock: Arc::new(lock),
        })
    }

    /// Ends the bus (publishers and subscribers hear it), then the store.
    pub async fn close(&self) {
        self.bus.close().await;
        self.store.close().await;
    }
}
