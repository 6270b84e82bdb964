//! A connection's life: connect, declare, watch, and again after any error.

use std::{sync::Arc, time::Duration};

use futures_util::StreamExt as _;
use lapin::{
    Connection, ConnectionProperties, Event,
    protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError},
    uri::{AMQPScheme, AMQPUri},
};
use ports::bus::BusError;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{live::Live, names::Topology, wire};

/// The broker notices a silent peer in two to three of these, in seconds, and until then keeps the messages and the
/// place of the dead one's consumers: nobody else gets them. RabbitMQ advises 5 or more, since a shorter one may see a
/// death that is none. But we give up such a connection ourselves within [`PROBE`] and [`ANSWER`], and from then on its
/// place is kept for nobody: so this is the shortest that lets us be the first. An operator sets another one in the
/// address.
///
/// [`ANSWER`]: crate::live::ANSWER
const HEARTBEAT: u16 = 2;
/// The longest frame, in bytes; longer bodies are cut. A connection keeps room for 32 frames in each direction from its
/// beginning: with the broker's own 128 KiB, the two connections of a service that does nothing hold 16 MiB.
const FRAME_MAX: u32 = 16 << 10;
/// The longest that connecting may take: to a peer that is gone without a word it would take minutes.
const CONNECT_PATIENCE: Duration = Duration::from_secs(5);
/// The longest that declaring may take: a first start declares more than a hundred quorum queues.
const DECLARE_PATIENCE: Duration = Duration::from_secs(60);
/// How often a connection is asked for a sign of life. Without, one that was cut silently is noticed by its heartbeat,
/// and a mesh is deaf meanwhile.
const PROBE: Duration = Duration::from_secs(1);
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
            let closed = State::Down(BusError::Unavailable("the bus was closed".to_owned()));
            if let State::Up(live) = sender.send_replace(closed) {
                live.end().await;
            }
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

    /// Does `work` on a connection, to its end or to the connection's. What is asked of one that was given up may be
    /// left without an answer for ever.
    pub(crate) async fn during<T>(
        &self,
        live: &Live,
        work: impl Future<Output = Result<T, BusError>>,
    ) -> Result<T, BusError> {
        tokio::select! {
            done = work => done,
            () = self.over(live.number) => Err(lost()),
        }
    }

    /// The number of the current or last connection; 0 before the first.
    pub(crate) fn number(&self) -> u64 {
        match &*self.state.borrow() {
            State::Up(live) => live.number,
            State::Down(_) => 0,
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
                    // It may be half dead, and the next one does not wait for it.
                    tokio::spawn(async move { live.end().await });
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
        let connecting = wire::connect(self.uri.clone(), properties);
        let connecting = async { connecting.await.map_err(|error| refused(&error)) };
        let (connection, wire) = within(CONNECT_PATIENCE, "connecting", connecting).await?;
        let live = Live::new(number, connection, wire);
        if let Some(topology) = &self.topology {
            let declared = within(DECLARE_PATIENCE, "declaring", async {
                let channel = live.channel().await?;
                topology.declare(&channel).await?;
                drop(channel.close(200, "declared".into()).await);
                Ok(())
            });
            if let Err(error) = declared.await {
                tokio::spawn(async move { live.end().await });
                return Err(error);
            }
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

/// Resolves with the reason when the connection has ended, no longer answers, or has no more channels to give.
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
        () = live.worn() => "old errors have used its channels up".to_owned(),
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
    use crate::live::ANSWER;

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
