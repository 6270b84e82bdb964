//! A connection's life: connect, declare, watch, and again after any error.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures_util::StreamExt as _;
use lapin::{
    Channel, Connection, ConnectionProperties, Event,
    options::{BasicQosOptions, ConfirmSelectOptions, QueueDeclareOptions},
    protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError},
    types::FieldTable,
    uri::{AMQPScheme, AMQPUri},
};
use ports::bus::BusError;
use tokio::sync::{Mutex, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    lane::{Lane, Lanes},
    names::{Topology, short},
};

/// The broker notices a silent peer in two to three of these, in seconds, and until then keeps the messages and the
/// place of the dead one's consumers: nobody else gets them. RabbitMQ advises 5 or more, since a shorter one may see a
/// death that is none. But we give up such a connection ourselves within [`PROBE`] and [`ANSWER`], and from then on its
/// place is kept for nobody: so this is the shortest that lets us be the first. An operator sets another one in the
/// address.
const HEARTBEAT: u16 = 2;
/// The longest frame, in bytes; longer bodies are cut. A connection keeps room for 32 frames in each direction from its
/// beginning: with the broker's own 128 KiB, the two connections of a service that does nothing hold 16 MiB.
const FRAME_MAX: u32 = 16 << 10;
/// The longest that connecting may take: to a peer that is gone without a word it would take minutes.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);
/// The longest that declaring may take: a first start declares more than a hundred quorum queues.
const DECLARE_PATIENCE: Duration = Duration::from_secs(60);
/// How many numbers of channels are tried, where old errors lie together.
const NUMBERS: u32 = 64;
/// How often a connection is asked for a sign of life. Without, one that was cut silently is noticed by its heartbeat,
/// and a mesh is deaf meanwhile.
const PROBE: Duration = Duration::from_secs(1);
/// How long an answer may take before the connection counts as dead. A busy broker answers in tenths of a second.
const ANSWER: Duration = Duration::from_millis(2_500);
/// A connection that stood for so long begins the pauses between tries anew.
const STOOD: Duration = Duration::from_secs(5);
/// How often a connection is looked at besides its events: lapin does not report every kind of end.
const LOOK: Duration = Duration::from_millis(250);

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Publishing: the broker may block it when it is short of memory or disk.
    Publish,
    /// Consuming and settling.
    Consume,
}

/// A connection that is kept up.
#[derive(Clone)]
pub(crate) struct Link {
    state: watch::Receiver<State>,
}

enum State {
    Down(BusError),
    Up(Arc<Live>),
}

/// A connection that stands, or stood until a moment ago.
pub(crate) struct Live {
    /// How many came before it, and one.
    pub(crate) number: u64,
    connection: Connection,
    /// The channels to publish on.
    pub(crate) lanes: Lanes,
    /// The channel for questions, once there is one.
    asking: Mutex<Option<Channel>>,
    /// How many confirms came over it.
    confirms: AtomicU64,
}

impl Link {
    /// Starts to connect.
    pub(crate) fn open(
        purpose: Purpose,
        uri: AMQPUri,
        app_id: &str,
        topology: Option<Topology>,
        stop: CancellationToken,
    ) -> Self {
        let (sender, state) = watch::channel(State::Down(BusError::Unavailable("not connected yet".to_owned())));
        let dial = Dial { purpose, uri, app_id: app_id.to_owned(), topology };
        tokio::spawn(async move {
            stop.run_until_cancelled(dial.keep_up(&sender)).await;
            sender.send_replace(State::Down(BusError::Unavailable("the bus was closed".to_owned())));
        });
        Self { state }
    }

    /// The connection, or why there is none.
    pub(crate) fn current(&self) -> Result<Arc<Live>, BusError> {
        match &*self.state.borrow() {
            State::Up(live) if live.stands() => Ok(live.clone()),
            State::Up(_) => Err(lost()),
            State::Down(why) => Err(why.clone()),
        }
    }

    /// The connection, waiting for it at most `patience`. A broker that refuses is not waited for.
    pub(crate) async fn within(&self, patience: Duration) -> Result<Arc<Live>, BusError> {
        let mut state = self.state.clone();
        let settled = |state: &State| match state {
            State::Up(live) => live.stands(),
            State::Down(why) => !matches!(why, BusError::Unavailable(_)),
        };
        // Whether it came or not: `current` says.
        drop(tokio::time::timeout(patience, state.wait_for(settled)).await);
        self.current()
    }

    /// Resolves when the connection `number` is no longer the current one.
    pub(crate) async fn over(&self, number: u64) {
        let mut state = self.state.clone();
        let over = |state: &State| !matches!(state, State::Up(live) if live.number == number);
        drop(state.wait_for(over).await);
    }

    /// The number of the current or last connection; 0 before the first.
    pub(crate) fn number(&self) -> u64 {
        match &*self.state.borrow() {
            State::Up(live) => live.number,
            State::Down(_) => 0,
        }
    }
}

impl Live {
    fn stands(&self) -> bool {
        self.connection.status().connected()
    }

    /// Whether the broker takes publishes.
    pub(crate) fn takes_publishes(&self) -> Result<(), BusError> {
        if self.connection.status().blocked() {
            let why = "the broker blocks publishers: it is short of memory or disk";
            return Err(BusError::Unavailable(why.to_owned()));
        }
        Ok(())
    }

    /// A new channel. When the broker closes one for an error, lapin keeps the error with its number, and tells it to
    /// whoever comes to have that number when they begin anew: then the next number is tried.
    pub(crate) async fn channel(&self) -> Result<Channel, BusError> {
        let mut last = lost();
        for _ in 0..NUMBERS {
            match self.connection.create_channel().await {
                Ok(channel) => return Ok(channel),
                Err(error) if self.stands() => last = BusError::Unavailable(format!("no channel: {error}")),
                Err(error) => return Err(refused(&error)),
            }
        }
        Err(last)
    }

    /// A channel with confirms, for one batch.
    pub(crate) async fn lane(&self) -> Result<Lane, BusError> {
        let place = self.lanes.place().await?;
        if let Some(channel) = self.lanes.take() {
            return Ok(Lane::new(channel, place));
        }
        let channel = self.channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await.map_err(|error| refused(&error))?;
        Ok(Lane::new(channel, place))
    }

    /// How many messages are ready in a queue that is there.
    pub(crate) async fn ready(&self, queue: &str) -> Result<u64, BusError> {
        let options = QueueDeclareOptions { passive: true, ..Default::default() };
        let ask = async {
            let mut asking = self.asking.lock().await;
            let channel = match asking.take().filter(|channel| channel.status().connected()) {
                Some(channel) => channel,
                None => self.channel().await?,
            };
            let declared = channel.queue_declare(short(queue)?, options, FieldTable::default()).await;
            let ready = declared.map_err(|error| refused(&error))?.message_count();
            *asking = Some(channel);
            Ok(u64::from(ready))
        };
        tokio::time::timeout(ANSWER, ask).await.unwrap_or_else(|_| Err(silent()))
    }

    /// Notes that the broker confirmed a publish: a sign of life.
    pub(crate) fn confirmed(&self) {
        self.confirms.fetch_add(1, Ordering::Relaxed);
    }

    /// Asks for a sign of life, on the channel that is kept for it. A broker that blocks publishers does not read from
    /// them, so it is not asked then; one that only slows them down confirms what it has read, and answers late.
    async fn probe(&self, kept: &mut Option<Channel>) -> Result<(), BusError> {
        if self.connection.status().blocked() {
            return Ok(());
        }
        let before = self.confirms.load(Ordering::Relaxed);
        let ask = async {
            let channel = match kept.take().filter(|channel| channel.status().connected()) {
                Some(channel) => channel,
                None => self.channel().await?,
            };
            // Kept whether it answers in time or not: one that is only slow is not left behind with each question.
            *kept = Some(channel.clone());
            // What it sets is of no account, as nothing is consumed there; the broker has to answer.
            channel.basic_qos(1, BasicQosOptions::default()).await.map_err(|error| refused(&error))
        };
        match tokio::time::timeout(ANSWER, ask).await {
            Ok(answer) => answer,
            Err(_) if self.confirms.load(Ordering::Relaxed) != before => Ok(()),
            Err(_) => Err(silent()),
        }
    }

    /// How many messages are ready in a queue; none when there is no such queue.
    pub(crate) async fn passive_count(&self, queue: &str) -> Result<Option<u64>, BusError> {
        // Asking for a queue that is not there closes the channel, hence one for each question.
        let channel = self.channel().await?;
        let options = QueueDeclareOptions { passive: true, ..Default::default() };
        match channel.queue_declare(short(queue)?, options, FieldTable::default()).await {
            Ok(declared) => {
                drop(channel.close(200, "counted".into()).await);
                Ok(Some(u64::from(declared.message_count())))
            }
            Err(error) => match refused(&error) {
                BusError::Unroutable(_) => Ok(None),
                other => Err(other),
            },
        }
    }
}

/// What is needed to connect again.
struct Dial {
    purpose: Purpose,
    uri: AMQPUri,
    app_id: String,
    topology: Option<Topology>,
}

impl Dial {
    async fn keep_up(&self, state: &watch::Sender<State>) {
        let mut number = 0;
        let mut failures = 0;
        loop {
            match self.connect(number + 1).await {
                Ok(live) => {
                    number = live.number;
                    let (live, begun) = (Arc::new(live), tokio::time::Instant::now());
                    tracing::info!(purpose = ?self.purpose, number, "connected to the broker");
                    state.send_replace(State::Up(live.clone()));
                    let why = watch_over(&live).await;
                    failures = failures_after(failures, begun.elapsed());
                    tracing::warn!(purpose = ?self.purpose, number, %why, "lost the broker");
                    state.send_replace(State::Down(BusError::Unavailable(why)));
                    // In good order if it still can. It may be half dead, and the next one does not wait for it.
                    tokio::spawn(async move {
                        let close = live.connection.close(200, "reconnecting".into());
                        drop(tokio::time::timeout(Duration::from_secs(1), close).await);
                    });
                }
                Err(error) => {
                    failures += 1;
                    if is_worth_telling(failures) {
                        tracing::warn!(purpose = ?self.purpose, failures, %error, "cannot reach the broker");
                    }
                    state.send_replace(State::Down(error));
                }
            }
            tokio::time::sleep(backoff(failures)).await;
        }
    }

    async fn connect(&self, number: u64) -> Result<Live, BusError> {
        let name = format!("{} {}", self.app_id, if self.purpose == Purpose::Publish { "out" } else { "in" });
        let properties = ConnectionProperties::default().with_connection_name(name.into());
        let connecting = Connection::connect_uri(self.uri.clone(), properties);
        let connection =
            within(CONNECT_PATIENCE, "connecting", async { connecting.await.map_err(|error| refused(&error)) }).await?;
        let lanes = Lanes::new(connection.configuration().channel_max());
        let live = Live { number, connection, lanes, asking: Mutex::default(), confirms: AtomicU64::new(0) };
        if let Some(topology) = &self.topology {
            within(DECLARE_PATIENCE, "declaring", async {
                let channel = live.channel().await?;
                topology.declare(&channel).await?;
                drop(channel.close(200, "declared".into()).await);
                Ok(())
            })
            .await?;
        }
        Ok(live)
    }
}

async fn within<T>(
    patience: Duration,
    what: &str,
    work: impl Future<Output = Result<T, BusError>>,
) -> Result<T, BusError> {
    let done = tokio::time::timeout(patience, work).await;
    done.unwrap_or_else(|_| Err(BusError::Unavailable(format!("{what} took longer than {patience:?}"))))
}

/// Resolves with the reason when the connection has ended, or no longer answers.
async fn watch_over(live: &Live) -> String {
    let silence = async {
        let mut kept = None;
        loop {
            tokio::time::sleep(PROBE).await;
            if let Err(error) = live.probe(&mut kept).await {
                return error.to_string();
            }
        }
    };
    tokio::select! {
        why = silence => why,
        why = until_ended(&live.connection) => why,
    }
}

/// Resolves with the reason when lapin says, or shows, that the connection has ended.
async fn until_ended(connection: &Connection) -> String {
    let mut events = std::pin::pin!(connection.events_listener());
    let mut look = tokio::time::interval(LOOK);
    loop {
        tokio::select! {
            event = events.next() => match event {
                // A channel's error is told here too, and is its user's affair.
                Some(Event::Error(error)) if !connection.status().connected() => return error.to_string(),
                Some(Event::ConnectionBlocked(reason)) => tracing::warn!(reason, "the broker blocks publishers"),
                Some(_) => {}
                None => return "the connection ended".to_owned(),
            },
            _ = look.tick() => if !connection.status().connected() {
                return "the connection ended".to_owned();
            },
        }
    }
}

/// Of work that was under way when the connection went.
pub(crate) fn lost() -> BusError {
    BusError::Unavailable("the connection was lost".to_owned())
}

fn silent() -> BusError {
    BusError::Unavailable(format!("the broker did not answer within {ANSWER:?}"))
}

/// How many failures in a row there are when a connection has ended that stood for so long: a broker that takes
/// connections and drops them is as good as away.
fn failures_after(before: u32, stood: Duration) -> u32 {
    if stood < STOOD { before.saturating_add(1) } else { 0 }
}

/// The pause after so many failures in a row: 100 ms doubled up to 1 s, half of it by chance, so that the replicas of a
/// mesh do not come back to a restarted broker all at once.
pub(crate) fn backoff(failures: u32) -> Duration {
    let whole = Duration::from_millis(100).saturating_mul(1 << failures.min(6)).min(Duration::from_secs(1));
    whole.mul_f64(rand::random_range(0.5..=1.0))
}

/// Whether the `n`th failure in a row is told: the first, and then at growing intervals. A mesh has hundreds of
/// subscriptions, and a broker may be away for hours.
pub(crate) const fn is_worth_telling(n: u32) -> bool {
    n == 0 || n.is_power_of_two()
}

/// Reads an address and adds the heartbeat and the longest frame where it has none.
pub(crate) fn read(url: &str) -> Result<AMQPUri, BusError> {
    // The parser's message may repeat the address with its password.
    let mut uri: AMQPUri =
        url.parse().map_err(|_| BusError::Forbidden("the broker's address is not an amqp:// address".to_owned()))?;
    uri.query.heartbeat.get_or_insert(HEARTBEAT);
    uri.query.frame_max.get_or_insert(FRAME_MAX);
    uri.query.connection_timeout.get_or_insert(5_000);
    if uri.scheme == AMQPScheme::AMQPS {
        // Fails only when the process has one already, which is as good.
        drop(rustls::crypto::ring::default_provider().install_default());
    }
    Ok(uri)
}

/// A broker's or client's error in the port's terms.
pub(crate) fn refused(error: &lapin::Error) -> BusError {
    let kind = match error.kind() {
        lapin::ErrorKind::ProtocolError(protocol) => Some(protocol.kind().clone()),
        _ => None,
    };
    match kind {
        Some(AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND | AMQPSoftError::NOROUTE)) => {
            BusError::Unroutable(error.to_string())
        }
        Some(
            AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED | AMQPSoftError::PRECONDITIONFAILED)
            | AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED),
        ) => BusError::Forbidden(error.to_string()),
        _ => BusError::Unavailable(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn we_give_up_a_silent_connection_before_the_broker_does_and_the_broker_soon_after() {
        let ours = read("amqp://guest:guest@localhost/%2f").unwrap().query.heartbeat.unwrap();
        let (earliest, latest) = (2 * u64::from(ours), 3 * u64::from(ours));
        assert!(PROBE + ANSWER < Duration::from_secs(earliest));
        assert!(latest < 8, "for so long nobody gets what the dead one holds, and then it waits its turn");
        let set = read("amqp://guest:guest@localhost/%2f?heartbeat=20").unwrap().query.heartbeat;
        assert_eq!(set, Some(20), "the operator's own");
    }

    #[test]
    fn a_broker_that_is_back_is_found_within_a_second() {
        assert!((0..100).all(|failures| backoff(failures) <= Duration::from_secs(1)));
        assert!(backoff(0) <= Duration::from_millis(100));
    }

    #[test]
    fn a_broker_that_takes_connections_and_drops_them_is_left_alone_ever_longer() {
        let failures = (0..5).fold(0, |failures, _| failures_after(failures, STOOD / 2));
        assert!(backoff(failures) >= Duration::from_millis(500));
        assert_eq!(failures_after(failures, STOOD), 0, "one that stood is made again at once");
    }

    #[test]
    fn a_broker_that_stays_away_is_told_of_ever_more_rarely() {
        let told: Vec<u32> = (0..=1_000).filter(|n| is_worth_telling(*n)).collect();
        assert_eq!(told, [0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512]);
    }
}
