//! The ports in memory: one thread, no disk, and the same in every run. The conformance suites of `ports` hold them to
//! what the real adapters promise.

mod broker;
mod commit;
mod conservation;
mod directory;
mod parking;
mod read;
mod shelves;
mod small;
mod tables;
mod templates;
mod views;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ports::StoreError;

pub use broker::{Broker, Published};
pub use parking::Kept;
pub use tables::Tables;

use crate::air::Air;

/// The store, as one process sees it. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    tables: Arc<Mutex<Tables>>,
    air: Air,
}

impl Default for Store {
    fn default() -> Self {
        Self { tables: Arc::default(), air: Air::still() }
    }
}

impl Store {
    /// The same store through other air.
    #[must_use]
    pub fn through(&self, air: Air) -> Self {
        Self { tables: Arc::clone(&self.tables), air }
    }

    /// Looks at it, as nobody in the mesh can.
    pub fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One call: all of it happens at one moment, between the way there and the way back.
    async fn ask<T>(&self, call: impl FnOnce(&mut Tables) -> T) -> Result<T, StoreError> {
        self.air.there().await.map_err(StoreError::Unavailable)?;
        let answer = call(&mut self.tables());
        self.air.back().await.map_err(StoreError::Unavailable)?;
        Ok(answer)
    }
}
