//! Opening a store: pools, the write gate, readiness.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use ports::StoreError;
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseBackend, DatabaseConnection, DatabaseTransaction, Statement,
    TransactionTrait, Value,
    sqlx::{
        self, Connection as _,
        sqlite::{SqliteJournalMode, SqliteSynchronous},
    },
};

use crate::{
    gate::{Gate, Turn},
    migrate::migrate,
    patience::Patience,
    private::{hide, private_file, private_folder},
    pulse::Pulse,
    relay::Relay,
    row::Row,
    statement::{Table, failure, insert_rows, statement},
};

/// Why a store could not be opened; each says plainly what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The folder cannot be made or written.
    #[error("the data folder {} cannot be written: {reason}", path.display())]
    Unwritable {
        /// The folder.
        path: PathBuf,
        /// The system's words.
        reason: String,
    },
    /// There is none, and it was not to be made.
    #[error("no store at {}", path.display())]
    NoStore {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// Another process has it open.
    #[error("the data folder {} is in use by another process", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// A newer release wrote it.
    #[error(
        "the store is of version {found}, newer than version {known} of this binary: run the newer release, or restore \
         a backup that was made before the upgrade"
    )]
    StoreTooNew {
        /// What the store says.
        found: u32,
        /// What this binary knows.
        known: u32,
    },
    /// The configuration counts partitions differently.
    #[error(
        "mesh.partitions is {configured}, and this mesh has {known}: its queues and timers are laid out for {known}. Take \
         the setting out"
    )]
    OtherPartitions {
        /// What is configured.
        configured: u16,
        /// What the mesh has.
        known: u16,
    },
    /// The database does not answer.
    #[error("cannot connect to the store: {0}")]
    Unreachable(String),
    /// It answers with an error that trying again will not mend.
    #[error("the store cannot be opened: {0}")]
    Refused(String),
}

impl OpenError {
    pub(crate) fn from_failure(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(reason) => Self::Unreachable(reason),
            StoreError::Refused(reason) => Self::Refused(reason),
        }
    }
}

/// When SQLite waits for the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Synchronous {
    /// At every commit: what was answered survives a power cut.
    #[default]
    Full,
    /// At checkpoints: survives a crash of the process, and may lose the last moments in a power cut.
    Normal,
}

/// How to open SQLite.
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    /// When it waits for the disk.
    pub synchronous: Synchronous,
    /// Connections for reading; writing has one.
    pub readers: u32,
    /// How long to wait for another process that writes.
    pub busy_timeout: Duration,
    /// Whether a store is made where there is none; else [`OpenError::NoStore`].
    pub create: bool,
}

impl Default for SqliteOptions {
    fn default() -> Self {
        Self { synchronous: Synchronous::Full, readers: 4, busy_timeout: Duration::from_secs(5), create: true }
    }
}

/// The store. Cheap to clone; all clones share the connections.
#[derive(Debug, Clone)]
pub struct SqlStore {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    writer: DatabaseConnection,
    readers: DatabaseConnection,
    /// SQLite has one writer; waiting for it in order, here, is fairer and faster than its busy handler.
    gate: Option<Gate>,
    /// The way to PostgreSQL, as long as the connections last.
    relay: Option<Relay>,
    /// A file answers, or says why not; a server may go silent.
    patience: Option<Patience>,
    /// Whether a server is still there is asked as long as anybody has this.
    _pulse: Option<Pulse>,
}

/// A transaction that may write. Dropped without [`Writing::commit`], it is rolled back.
pub struct Writing {
    transaction: Arc<DatabaseTransaction>,
    /// On SQLite, after the transaction: dropped last, it undoes what was done.
    turn: Option<Turn>,
}

impl Writing {
    /// What statements run on.
    pub fn connection(&self) -> &DatabaseTransaction {
        &self.transaction
    }

    /// Makes it stand.
    ///
    /// # Errors
    /// The database's.
    pub async fn commit(self) -> Result<(), sea_orm::DbErr> {
        let Self { transaction, turn } = self;
        if let Some(turn) = turn {
            return turn.end(transaction).await;
        }
        match Arc::into_inner(transaction) {
            Some(transaction) => transaction.commit().await,
            // Does not happen: `connection` lends it out, and nobody keeps it.
            None => Err(sea_orm::DbErr::Custom("the transaction is still in use".to_owned())),
        }
    }
}

impl SqlStore {
    /// Opens (or makes, see [`SqliteOptions::create`]) the SQLite file at `path`, closes it to other users, and brings it to this binary's version.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn sqlite(path: impl AsRef<Path>, options: SqliteOptions) -> Result<Self, OpenError> {
        let path = path.as_ref();
        if !options.create && !path.is_file() {
            return Err(OpenError::NoStore { path: path.to_path_buf() });
        }
        let folder = path.parent().unwrap_or(path);
        check_folder(folder)?;
        close_files(path).map_err(|error| unwritable(folder, &error))?;
        let writer = connect_sqlite(path, &options, false).await?;
        migrate(&writer).await?;
        let readers = connect_sqlite(path, &options, true).await?;
        let (gate, patience) = (Some(Gate::default()), None);
        Ok(Self { inner: Arc::new(Inner { writer, readers, gate, relay: None, patience, _pulse: None }) })
    }

    /// Connects to PostgreSQL at `url` with at most `max_connections` and brings it to this binary's version.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn postgres(url: &str, max_connections: u32) -> Result<Self, OpenError> {
        let unreachable = |error: &dyn std::fmt::Display| OpenError::Unreachable(error.to_string());
        let parsed: sqlx::postgres::PgConnectOptions = url
            .parse()
            .map_err(|_| OpenError::Refused("the store's address is not a postgres:// address".to_owned()))?;
        let relay = Relay::start(&parsed).await.map_err(|error| unreachable(&error))?;
        let socket = relay.as_ref().map(|relay| relay.socket.clone());
        let patience = Patience::default();
        let guard = patience.clone();
        let mut options = ConnectOptions::new(url);
        options
            .max_connections(max_connections.max(2))
            .min_connections(1)
            .connect_timeout(Duration::from_secs(10))
            .acquire_timeout(Duration::from_secs(10))
            .sqlx_logging(false)
            .record_stmt_in_spans(false)
            .map_sqlx_postgres_pool_opts(move |pool| guard.guard(pool))
            .map_sqlx_postgres_opts(move |options| {
                let options = options.statement_cache_capacity(STATEMENTS).application_name("afluente");
                match &socket {
                    Some(socket) => options.socket(socket),
                    None => options,
                }
            });
        let connection = Database::connect(options).await.map_err(|error| unreachable(&error))?;
        migrate(&connection).await?;
        if let Some(relay) = &relay {
            relay.watch();
        }
        let pulse = Pulse::of(connection.get_postgres_connection_pool().clone(), patience.clone());
        let (writer, readers, patience, _pulse) = (connection.clone(), connection, Some(patience), Some(pulse));
        Ok(Self { inner: Arc::new(Inner { writer, readers, gate: None, relay, patience, _pulse }) })
    }

    /// Does work on the store, and gives it up when a server does not answer in time.
    pub(crate) async fn in_time<T, E: From<StoreError>>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        match &self.inner.patience {
            Some(patience) => patience.with(work).await,
            None => work.await,
        }
    }

    /// Whether it answers; for readiness.
    ///
    /// # Errors
    /// [`StoreError`] with what is wrong.
    pub async fn check(&self) -> Result<(), StoreError> {
        self.read_one("SELECT 1 AS one", vec![]).await.map(|_| ())
    }

    /// Ends the connections. SQLite folds its log back into the file.
    pub async fn close(&self) {
        for connection in [&self.inner.readers, &self.inner.writer] {
            if let Err(error) = connection.clone().close().await {
                tracing::warn!(%error, "a store connection did not close");
            }
        }
    }

    /// Which database it is.
    pub fn backend(&self) -> DatabaseBackend {
        self.inner.writer.get_database_backend()
    }

    /// Begins a transaction that may write. On SQLite it waits for its turn at the one writing connection.
    ///
    /// # Errors
    /// [`StoreError`] when the store is away.
    pub async fn begin(&self) -> Result<Writing, StoreError> {
        let writer = &self.inner.writer;
        if let Some(gate) = &self.inner.gate {
            let (turn, transaction) = gate.begin(writer).await.map_err(failure)?;
            return Ok(Writing { transaction, turn: Some(turn) });
        }
        let begun = match &self.inner.patience {
            Some(patience) => patience.begun(writer.begin()).await,
            None => writer.begin().await,
        };
        let transaction = Arc::new(begun.map_err(failure)?);
        Ok(Writing { transaction, turn: None })
    }

    /// What a statement runs on that writes and is a transaction by itself. None on SQLite, where writers take turns. One
    /// that is given up may stand all the same, as one whose COMMIT was not answered may.
    pub(crate) fn at_once(&self) -> Option<&DatabaseConnection> {
        self.inner.gate.is_none().then_some(&self.inner.writer)
    }

    /// What reads run on.
    pub fn readers(&self) -> &DatabaseConnection {
        &self.inner.readers
    }

    /// One statement that writes. Answers how many rows it touched.
    pub(crate) async fn write(&self, text: &str, values: Vec<Value>) -> Result<u64, StoreError> {
        let writer = &self.inner.writer;
        let statement = statement(writer, text, values);
        match &self.inner.gate {
            Some(gate) => gate.write(writer, statement).await,
            None => self
                .in_time(async { writer.execute_raw(statement).await.map_err(failure) })
                .await
                .map(|done| done.rows_affected()),
        }
    }

    /// Inserts rows in one transaction; see [`insert_rows`].
    pub(crate) async fn insert(&self, table: Table, tail: &str, values: Vec<Value>) -> Result<(), StoreError> {
        self.in_time(async {
            let writing = self.begin().await?;
            insert_rows(writing.connection(), table, tail, values).await.map_err(failure)?;
            writing.commit().await.map_err(failure)
        })
        .await
    }

    pub(crate) async fn read(&self, text: &str, values: Vec<Value>) -> Result<Vec<Row>, StoreError> {
        self.read_statement(statement(&self.inner.readers, text, values)).await
    }

    pub(crate) async fn read_statement(&self, statement: Statement) -> Result<Vec<Row>, StoreError> {
        self.in_time(self.rows(statement)).await
    }

    /// A read that may take long, such as a count over everything.
    pub(crate) async fn read_slowly(&self, statement: Statement) -> Result<Vec<Row>, StoreError> {
        let _slowly = self.inner.relay.as_ref().map(Relay::slowly);
        self.rows(statement).await
    }

    async fn rows(&self, statement: Statement) -> Result<Vec<Row>, StoreError> {
        let rows = self.inner.readers.query_all_raw(statement).await.map_err(failure)?;
        Ok(rows.into_iter().map(Row).collect())
    }

    pub(crate) async fn read_one(&self, text: &str, values: Vec<Value>) -> Result<Option<Row>, StoreError> {
        let readers = &self.inner.readers;
        let statement = statement(readers, text, values);
        let row = self.in_time(async { readers.query_one_raw(statement).await.map_err(failure) }).await?;
        Ok(row.map(Row))
    }

    pub(crate) async fn read_in(
        &self,
        text: &str,
        fixed: &[Value],
        keys: impl IntoIterator<Item = Value>,
    ) -> Result<Vec<Row>, StoreError> {
        let reading = crate::statement::select_in(&self.inner.readers, text, fixed, keys);
        let rows = self.in_time(async { reading.await.map_err(failure) }).await?;
        Ok(rows.into_iter().map(Row).collect())
    }
}

/// Prepared statements that a connection keeps. SQLite has one for each size of a batch, about ten tables in a handful of
/// sizes; PostgreSQL one for each set of tables that commits write together.
const STATEMENTS: usize = 256;

async fn connect_sqlite(path: &Path, settings: &SqliteOptions, reading: bool) -> Result<DatabaseConnection, OpenError> {
    let synchronous = match settings.synchronous {
        Synchronous::Full => SqliteSynchronous::Full,
        Synchronous::Normal => SqliteSynchronous::Normal,
    };
    let file = path.to_path_buf();
    let (busy, create) = (settings.busy_timeout, settings.create && !reading);
    let mut options = ConnectOptions::new("sqlite://");
    options
        .max_connections(if reading { settings.readers.max(1) } else { 1 })
        .min_connections(1)
        // Connections to a file do not go stale, and a new one would prepare all its statements again.
        .idle_timeout(None)
        .max_lifetime(None)
        .acquire_timeout(Duration::from_secs(30))
        .test_before_acquire(false)
        .sqlx_logging(false)
        .record_stmt_in_spans(false)
        .map_sqlx_sqlite_pool_opts(
            move |pool| if reading { pool } else { pool.after_release(|one, _| Box::pin(is_clean(one))) },
        )
        .map_sqlx_sqlite_opts(move |options| {
            let options = options
                .filename(&file)
                .in_memory(false)
                .shared_cache(false)
                .create_if_missing(create)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(synchronous)
                .busy_timeout(busy)
                .foreign_keys(true)
                .statement_cache_capacity(STATEMENTS)
                .pragma("journal_size_limit", "67108864")
                // KiB, for each connection: the pages that commits come back to again and again.
                .pragma("cache_size", if reading { "-4096" } else { "-16384" })
                // Pages: a fold of the log into the file costs two syncs, whatever its size.
                .pragma("wal_autocheckpoint", "4000");
            if reading { options.pragma("query_only", "on") } else { options }
        });
    Database::connect(options).await.map_err(|error| unopened(path, &error))
}

/// Whether a connection that comes back is outside of every transaction. A full disk makes SQLite roll back by itself; sqlx
/// finds nothing to roll back then and goes on counting, and what is begun later would be a savepoint in a transaction
/// that never ends. Such a connection is closed. The ping comes back when the rollback that is queued has been tried.
async fn is_clean(connection: &mut sqlx::SqliteConnection) -> Result<bool, sqlx::Error> {
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}

fn unopened(path: &Path, error: &sea_orm::DbErr) -> OpenError {
    let cannot = match error {
        sea_orm::DbErr::Conn(sea_orm::RuntimeErr::SqlxError(cause)) => match &**cause {
            // 8 read-only, 13 full, 14 cannot open.
            sqlx::Error::Database(database) => database
                .code()
                .and_then(|code| code.parse::<u32>().ok())
                .is_some_and(|code| matches!(code & 0xff, 8 | 13 | 14)),
            _ => false,
        },
        _ => false,
    };
    if cannot {
        let folder = path.parent().unwrap_or(path).to_path_buf();
        return OpenError::Unwritable { path: folder, reason: error.to_string() };
    }
    OpenError::Refused(format!("{}: {error}", path.display()))
}

fn unwritable(folder: &Path, error: &std::io::Error) -> OpenError {
    OpenError::Unwritable { path: folder.to_path_buf(), reason: error.to_string() }
}

/// Makes the folder and tries to write into it, so that the operator hears the system's own words.
fn check_folder(folder: &Path) -> Result<(), OpenError> {
    let written = || {
        private_folder(folder)?;
        let probe = folder.join(format!(".probe-{}", std::process::id()));
        std::fs::write(&probe, b"")?;
        std::fs::remove_file(&probe)
    };
    written().map_err(|error| unwritable(folder, &error))
}

/// SQLite gives its log and its index the mode of the file, so the file is made (empty) before SQLite opens it.
fn close_files(path: &Path) -> std::io::Result<()> {
    private_file(path)?;
    for beside in ["-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(beside);
        hide(Path::new(&name))?;
    }
    Ok(())
}
