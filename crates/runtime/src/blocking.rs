//! Work that blocks its thread, such as waiting for a disk.

use tokio::{
    runtime::{Handle, RuntimeFlavor},
    task::{JoinError, spawn_blocking},
};

/// Runs `work` where it holds nobody up. A runtime with a single thread has no such place, and gains nothing from
/// another thread but an order of events that hangs on the machine: there it runs at once.
///
/// # Errors
/// [`JoinError`] when it panicked on a thread of its own, or the runtime ended.
pub async fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, JoinError> {
    match Handle::current().runtime_flavor() {
        RuntimeFlavor::CurrentThread => Ok(work()),
        _ => spawn_blocking(work).await,
    }
}
