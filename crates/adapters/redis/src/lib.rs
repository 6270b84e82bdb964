//! Windows, rate buckets and leases on Redis: what may be lost, because it can be built again.
//!
//! It is the adapter of `ports::Windows`, `ports::Buckets` and `ports::Leases`, and the only crate that knows the redis
//! client. It is not a store of truth: an emptied Redis costs a few extra questions, never a message. Windows heal from
//! the router's evidence, buckets fill up again, leases are claimed again.
//!
//! Read [`RedisStore`]. Each change is one script, so two replicas never see half of one. Keys carry ids and digests
//! only: keys reach slow logs and traces, and an address is personal data.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use domain::{EventId, Thread, Timestamp};
use ports::{Buckets, Leases, StoreError, Windows};
use redis::{
    Client, Cmd, ErrorKind, FromRedisValue, IntoConnectionInfo as _, RedisError, Script, ServerErrorKind,
    aio::{ConnectionManager, ConnectionManagerConfig},
    io::tcp::TcpSettings,
};
use tokio::time::Instant;

/// How many keys one script call or `MGET` takes: Redis does nothing else meanwhile.
const KEYS_AT_ONCE: usize = 500;
/// The longest wait for a connection or an answer. Callers go on without Redis, so waiting longer helps nobody.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long nobody asks a server that was silent when it was tried.
const REST: Duration = Duration::from_secs(1);

/// Raises each key to its value, never lowers it. `KEYS`: windows; `ARGV`: milliseconds to keep, then a value for each.
const NOTE: &str = "
    for i, key in ipairs(KEYS) do
      local known = tonumber(redis.call('GET', key))
      local wrote = tonumber(ARGV[i + 1])
      if not known or wrote > known then
        redis.call('SET', key, ARGV[i + 1], 'PX', ARGV[1])
      end
    end
    return 0";

/// Takes a token, or answers in how many milliseconds there is one. `ARGV`: rate per second, burst, now in milliseconds.
/// A clock that runs behind another replica's fills nothing and takes nothing away.
const TAKE: &str = "
    local rate, burst, now = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
    local kept = redis.call('HMGET', KEYS[1], 'tokens', 'at')
    local tokens, at = tonumber(kept[1]) or burst, tonumber(kept[2]) or now
    tokens = math.min(burst, tokens + math.max(0, now - at) * rate / 1000)
    if tokens < 1 then
      return math.max(1, math.ceil((1 - tokens) * 1000 / rate))
    end
    redis.call('HSET', KEYS[1], 'tokens', string.format('%.6f', tokens - 1),
               'at', string.format('%.0f', math.max(at, now)))
    redis.call('PEXPIRE', KEYS[1], math.ceil(burst * 1000 / rate) + 1000)
    return 0";

/// Claims or renews a lease. `ARGV`: owner, now, until, in milliseconds.
const CLAIM: &str = "
    local kept = redis.call('HMGET', KEYS[1], 'owner', 'until')
    if kept[1] and kept[1] ~= ARGV[1] and tonumber(kept[2]) > tonumber(ARGV[2]) then
      return 0
    end
    redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'until', ARGV[3])
    redis.call('PEXPIRE', KEYS[1], math.max(1, tonumber(ARGV[3]) - tonumber(ARGV[2])))
    return 1";

/// Redis. Cheap to clone; one connection, shared by all tasks, made again when it is lost.
#[derive(Clone)]
pub struct RedisStore {
    client: Client,
    connection: Arc<Mutex<Numbered>>,
    namespace: String,
    scripts: Arc<Scripts>,
}

/// A connection, and how many came before it.
struct Numbered {
    number: u64,
    connection: ConnectionManager,
    trust: Trust,
}

/// What is known of a connection. Behind a server that is silent each call would wait for as long as the first, one
/// after the other on the way of one message: so one call finds out for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trust {
    /// No call on it has waited in vain.
    Good,
    /// The one before it was silent. The next call tries it, from then on.
    Untried(Instant),
    /// Somebody tries it.
    Tried,
}

/// A call's turn on a connection. One that is given up while it tries lets the next one try.
struct Turn<'a> {
    store: &'a RedisStore,
    number: u64,
    connection: ConnectionManager,
    tries: bool,
}

impl Turn<'_> {
    /// What the call showed of the connection.
    fn over<T>(mut self, answer: Result<T, RedisError>) -> Result<T, StoreError> {
        match answer {
            Ok(answer) => {
                self.becomes(Trust::Good);
                Ok(answer)
            }
            Err(error) => {
                // The client keeps the answer of a server that would not let it in, and gives it to every later call.
                let shut_out = error.kind() == ErrorKind::AuthenticationFailed;
                if error.is_timeout() || shut_out {
                    self.store.replace(self.number, self.tries, &error);
                } else if !error.is_io_error() {
                    // It said no, so it is there.
                    self.becomes(Trust::Good);
                }
                Err(refused(&error))
            }
        }
    }

    fn becomes(&mut self, trust: Trust) {
        if std::mem::take(&mut self.tries) {
            let mut current = self.store.numbered();
            if current.number == self.number {
                current.trust = trust;
            }
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.becomes(Trust::Untried(Instant::now()));
    }
}

/// The scripts with their digests: Redis is sent a digest, and the text only when it does not know it.
struct Scripts {
    note: Script,
    take: Script,
    claim: Script,
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

impl RedisStore {
    /// Returns at once and connects with the first call. `namespace` is put before every key (`afluente:`). One server
    /// or a managed address of one; a sharded cluster is not supported, since scripts take many keys. Must be called
    /// inside a Tokio runtime.
    ///
    /// # Errors
    /// [`StoreError::Refused`] when the address cannot be read.
    pub fn open(url: &str, namespace: impl Into<String>) -> Result<Self, StoreError> {
        // The client's message may repeat the address with its password.
        let unreadable = |_| StoreError::Refused("the address of Redis is not a redis:// address".to_owned());
        // A small command must not wait for the acknowledgement of the one before it.
        let address = url.into_connection_info().map_err(unreadable)?;
        let address = address.set_tcp_settings(TcpSettings::default().set_nodelay(true));
        let client = Client::open(address).map_err(unreadable)?;
        let connection = connection(&client)?;
        let scripts = Scripts { note: Script::new(NOTE), take: Script::new(TAKE), claim: Script::new(CLAIM) };
        let connection = Arc::new(Mutex::new(Numbered { number: 0, connection, trust: Trust::Good }));
        Ok(Self { client, connection, namespace: namespace.into(), scripts: Arc::new(scripts) })
    }

    /// Connects and returns when Redis has answered.
    ///
    /// # Errors
    /// [`StoreError`] with what is wrong.
    pub async fn connect(url: &str, namespace: impl Into<String>) -> Result<Self, StoreError> {
        let store = Self::open(url, namespace)?;
        store.check().await?;
        Ok(store)
    }

    /// Whether Redis answers; for readiness.
    ///
    /// # Errors
    /// [`StoreError`] with what is wrong.
    pub async fn check(&self) -> Result<(), StoreError> {
        self.command(&redis::cmd("PING")).await
    }

    /// Runs a command. A connection that broke is noticed by the call after it, which did no wrong: that call is made
    /// again. All calls here may be made twice.
    async fn command<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, StoreError> {
        let mut turn = self.turn()?;
        let answer = match command.query_async(&mut turn.connection).await {
            Err(error) if error.is_connection_dropped() => command.query_async(&mut turn.connection).await,
            other => other,
        };
        turn.over(answer)
    }

    fn numbered(&self) -> MutexGuard<'_, Numbered> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turn(&self) -> Result<Turn<'_>, StoreError> {
        let mut current = self.numbered();
        let tries = match current.trust {
            Trust::Good => false,
            Trust::Untried(from) if from <= Instant::now() => true,
            Trust::Untried(_) | Trust::Tried => {
                return Err(StoreError::Unavailable("Redis does not answer".to_owned()));
            }
        };
        if tries {
            current.trust = Trust::Tried;
        }
        Ok(Turn { store: self, number: current.number, connection: current.connection.clone(), tries })
    }

    /// The client makes a connection anew that broke, but not one on which no answer comes: that is done here. The new
    /// one is tried at once, unless it takes the place of one that was tried in vain.
    fn replace(&self, number: u64, in_vain: bool, error: &RedisError) {
        let Ok(connection) = connection(&self.client) else { return };
        let mut current = self.numbered();
        if current.number == number {
            tracing::warn!(%error, "Redis does not answer; connecting anew");
            let from = if in_vain { Instant::now() + REST } else { Instant::now() };
            *current = Numbered { number: number + 1, connection, trust: Trust::Untried(from) };
        }
    }

    /// Runs a script, as [`Self::command`] runs a command.
    async fn script<T: FromRedisValue>(
        &self,
        script: &Script,
        keys: &[String],
        arguments: &[String],
    ) -> Result<T, StoreError> {
        let mut invocation = script.prepare_invoke();
        for key in keys {
            invocation.key(key);
        }
        for argument in arguments {
            invocation.arg(argument);
        }
        let mut turn = self.turn()?;
        let answer = match invocation.invoke_async(&mut turn.connection).await {
            Err(error) if error.is_connection_dropped() => invocation.invoke_async(&mut turn.connection).await,
            other => other,
        };
        turn.over(answer)
    }

    /// The organization stays readable, so that one tenant's keys can be found; the contact does not.
    fn window_key(&self, thread: &Thread) -> String {
        let organization = thread.organization.to_string();
        let digest = EventId::derive(&["window", &organization, &thread.account.to_string(), thread.address.as_str()]);
        format!("{}window:{organization}:{}", self.namespace, digest.uuid().simple())
    }

    /// A caller's key may hold an address.
    fn bucket_key(&self, key: &str) -> String {
        format!("{}bucket:{}", self.namespace, EventId::derive(&["bucket", key]).uuid().simple())
    }
}

#[async_trait]
impl Windows for RedisStore {
    async fn note(&self, wrote: &[(Thread, Timestamp)], keep: Duration) -> Result<(), StoreError> {
        let keep = millis(keep).to_string();
        for some in wrote.chunks(KEYS_AT_ONCE) {
            let keys: Vec<_> = some.iter().map(|(thread, _)| self.window_key(thread)).collect();
            let times = some.iter().map(|(_, at)| at.millis().to_string());
            let arguments: Vec<_> = std::iter::once(keep.clone()).chain(times).collect();
            self.script::<i64>(&self.scripts.note, &keys, &arguments).await?;
        }
        Ok(())
    }

    async fn last(&self, threads: &[Thread]) -> Result<Vec<Option<Timestamp>>, StoreError> {
        let mut answer = Vec::with_capacity(threads.len());
        for some in threads.chunks(KEYS_AT_ONCE) {
            let mut command = redis::cmd("MGET");
            for thread in some {
                command.arg(self.window_key(thread));
            }
            let found: Vec<Option<i64>> = self.command(&command).await?;
            answer.extend(found.into_iter().map(|at| at.map(Timestamp::from_millis)));
        }
        Ok(answer)
    }
}

#[async_trait]
impl Buckets for RedisStore {
    async fn take(&self, key: &str, rate: f64, burst: u32, now: Timestamp) -> Result<Option<Duration>, StoreError> {
        // A rate that is not a number or too small to matter means one token in about a day.
        let rate = if rate.is_finite() { rate.max(0.000_01) } else { 0.000_01 };
        let arguments = [rate.to_string(), burst.max(1).to_string(), now.millis().to_string()];
        let wait: u64 = self.script(&self.scripts.take, &[self.bucket_key(key)], &arguments).await?;
        Ok((wait > 0).then(|| Duration::from_millis(wait)))
    }
}

#[async_trait]
impl Leases for RedisStore {
    async fn claim(&self, name: &str, owner: &str, now: Timestamp, ttl: Duration) -> Result<bool, StoreError> {
        let until = now.millis().saturating_add(millis(ttl));
        let arguments = [owner.to_owned(), now.millis().to_string(), until.to_string()];
        let claimed: i64 =
            self.script(&self.scripts.claim, &[format!("{}lease:{name}", self.namespace)], &arguments).await?;
        Ok(claimed == 1)
    }
}

/// One that connects with its first call.
fn connection(client: &Client) -> Result<ConnectionManager, StoreError> {
    let config = ConnectionManagerConfig::new()
        .set_connection_timeout(Some(PATIENCE))
        .set_response_timeout(Some(PATIENCE))
        // Who calls next is the retry.
        .set_number_of_retries(0);
    ConnectionManager::new_lazy_with_config(client.clone(), config).map_err(|error| refused(&error))
}

/// At least 1, since Redis refuses to keep something for no time.
fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX).clamp(1, i64::MAX / 4)
}

fn refused(error: &RedisError) -> StoreError {
    // Their codes are none of the client's own: its disk, its memory, a script, its copies, who may enter.
    let unwell = ["MISCONF", "OOM", "BUSY", "NOREPLICAS", "NOAUTH", "WRONGPASS"];
    let full = |error: &RedisError| error.to_string().contains("max number of clients");
    let away = error.is_io_error()
        || error.is_timeout()
        || error.is_connection_dropped()
        || error.code().is_some_and(|code| unwell.contains(&code))
        || full(error)
        || matches!(
            error.kind(),
            ErrorKind::Server(
                ServerErrorKind::BusyLoading
                    | ServerErrorKind::TryAgain
                    | ServerErrorKind::ClusterDown
                    | ServerErrorKind::MasterDown
                    | ServerErrorKind::ReadOnly
            )
        );
    if away { StoreError::Unavailable(error.to_string()) } else { StoreError::Refused(error.to_string()) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_server_that_is_unwell_is_away_and_one_that_is_asked_wrongly_refuses() {
        let said = |line: &str| {
            let answer = redis::parse_redis_value(format!("-{line}\r\n").as_bytes()).unwrap();
            refused(&answer.extract_error().unwrap_err())
        };
        for unwell in [
            "MISCONF Redis is configured to save RDB snapshots, but it is currently unable to persist to disk.",
            "OOM command not allowed when used memory > 'maxmemory'.",
            "BUSY Redis is busy running a script.",
            "LOADING Redis is loading the dataset in memory",
            "READONLY You can't write against a read only replica.",
            "NOREPLICAS Not enough good replicas to write.",
            "ERR max number of clients reached",
        ] {
            assert!(matches!(said(unwell), StoreError::Unavailable(_)), "{unwell}");
        }
        for wrong in ["WRONGTYPE Operation against a key holding the wrong kind of value", "ERR unknown command"] {
            assert!(matches!(said(wrong), StoreError::Refused(_)), "{wrong}");
        }
    }
}
