//! The clock of the machine.

use std::time::{SystemTime, UNIX_EPOCH};

use domain::Timestamp;
use ports::Clock;

/// The machine's own time. The only place of the mesh that asks for it on behalf of the rules.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that the others are told to ask")]
    fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}
