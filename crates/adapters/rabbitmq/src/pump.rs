//! A subscription's life: one round after the other, each on a channel of its own, until it is dropped.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use lapin::{
    options::{BasicConsumeOptions, BasicQosOptions},
    types::FieldTable,
};
use ports::{
    bus::{BusError, Delivery, Subscription},
    topology::{Queue, Topic},
};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use crate::{
    link::{Link, backoff, is_worth_telling, refused},
    live::Live,
    names::{Names, short},
    publisher::Publisher,
    round::{Ended, Round},
};

/// How many deliveries of each queue are in this process's hands.
#[derive(Default)]
pub(crate) struct Census(Mutex<HashMap<String, u64>>);

impl Census {
    pub(crate) fn unsettled(&self, queue: &str) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(queue).copied().unwrap_or(0)
    }

    pub(crate) fn change(&self, queue: &str, by: impl FnOnce(&mut u64)) {
        by(self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(queue.to_owned()).or_default());
    }
}

/// What a subscription needs.
pub(crate) struct Pump {
    pub(crate) queue: Queue,
    pub(crate) prefetch: u16,
    pub(crate) declare: bool,
    pub(crate) names: Arc<Names>,
    pub(crate) link: Link,
    pub(crate) publisher: Arc<Publisher>,
    pub(crate) census: Arc<Census>,
    pub(crate) revived: Arc<dyn Fn(&Topic) + Send + Sync>,
}

type Ready = Option<oneshot::Sender<Result<(), BusError>>>;

impl Pump {
    /// Starts it, and returns when the queue is consumed for the first time.
    pub(crate) async fn start(self, patience: Duration, stop: CancellationToken) -> Result<Subscription, BusError> {
        let (sender, receiver) = mpsc::channel(self.prefetch.into());
        let (ready, is_ready) = oneshot::channel();
        let stop_this = stop.child_token();
        let until = stop_this.clone();
        tokio::spawn(async move { until.run_until_cancelled(self.run(sender, Some(ready))).await });
        let began = match tokio::time::timeout(patience, is_ready).await {
            Ok(Ok(began)) => began,
            Ok(Err(_)) => Err(BusError::Unavailable("the bus was closed".to_owned())),
            Err(_) => Err(BusError::Unavailable("the broker was not reachable in time to subscribe".to_owned())),
        };
        if began.is_err() {
            stop_this.cancel();
        }
        began.map(|()| Subscription::new(receiver))
    }

    async fn run(self, sender: mpsc::Sender<Delivery>, mut ready: Ready) {
        let mut failures = 0;
        // How often in a row the queue could not even be consumed.
        let mut unreached = 0;
        while !sender.is_closed() {
            let (progress, ended) = self.once(&sender, &mut ready, &mut unreached).await;
            if progress {
                failures = 0;
            }
            match ended {
                Ended::Closed => return,
                Ended::Again => {}
                Ended::Lost(error) if ready.is_some() && !matches!(error, BusError::Unavailable(_)) => {
                    return answer(&mut ready, Err(error));
                }
                Ended::Lost(error) if is_worth_telling(unreached) => {
                    tracing::warn!(queue = %self.queue, unreached, %error, "subscribing again");
                }
                Ended::Lost(error) => tracing::debug!(queue = %self.queue, unreached, %error, "subscribing again"),
            }
            if !progress {
                tokio::select! {
                    () = tokio::time::sleep(backoff(failures)) => {}
                    () = sender.closed() => return,
                }
                failures += 1;
            }
        }
    }

    /// One round, and whether it settled anything: one that did not is followed by a pause.
    async fn once(&self, sender: &mpsc::Sender<Delivery>, ready: &mut Ready, unreached: &mut u32) -> (bool, Ended) {
        let begun = match self.link.within(Duration::from_secs(1)).await {
            Ok(live) => self.link.during(&live, self.begin(&live)).await,
            Err(error) => Err(error),
        };
        match begun {
            Ok(round) => {
                *unreached = 0;
                answer(ready, Ok(()));
                round.run(sender).await
            }
            Err(error) => {
                *unreached = unreached.saturating_add(1);
                (false, Ended::Lost(error))
            }
        }
    }

    async fn begin(&self, live: &Arc<Live>) -> Result<Round<'_>, BusError> {
        let channel = live.channel().await?;
        channel.basic_qos(self.prefetch, BasicQosOptions::default()).await.map_err(|error| refused(&error))?;
        let name = self.names.queue_of(&self.queue, &format!("{:08x}", rand::random::<u32>()));
        let binding = self.names.binding(&self.queue, name.clone());
        if self.declare {
            binding.declare_whole(&channel).await?;
        } else if !self.queue.is_durable() {
            binding.declare(&channel).await?;
        }
        let consumer = channel
            .basic_consume(short(&name)?, "".into(), BasicConsumeOptions::default(), FieldTable::default())
            .await
            .map_err(|error| refused(&error))?;
        Ok(Round::new(self, live.clone(), name, channel, consumer))
    }
}

fn answer(ready: &mut Ready, with: Result<(), BusError>) {
    if let Some(ready) = ready.take() {
        // Nobody waits any more when the subscriber gave up.
        drop(ready.send(with));
    }
}
