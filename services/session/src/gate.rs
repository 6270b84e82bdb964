//! The gate: what is known about a contact, the verdict, and the permit.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use domain::{Class, ConsentEntry, Permit, Refusal, SendRequest, Thread, Timestamp, error::codes};
use ports::{
    StoreError,
    apis::{GateApi, Verdict},
};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use runtime::Env;
use sessions::{Standing, decide, policy_of};

use crate::Config;

/// How fresh the router's evidence must be to wait for the words behind it. Older evidence that the window store does
/// not have means that the store was emptied, and it heals at once.
const FRESH: Duration = Duration::from_secs(60);
/// How often it looks while it waits.
const LOOK: Duration = Duration::from_millis(20);

/// A signing key that is none. Never quotes it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("session signing_key: must be an Ed25519 key in hex, a seed of 32 bytes or a PKCS#8 document")]
pub struct InvalidKey;

/// The gate. Cheap to clone; several of them share nothing but the stores.
#[derive(Clone)]
pub struct SessionGate {
    env: Env,
    key: Arc<Ed25519KeyPair>,
    permit_for: Duration,
    keep: Duration,
    catch_up: Duration,
}

/// What is known about the contacts of a batch.
pub(crate) struct Known {
    wrote: BTreeMap<Thread, Timestamp>,
    consent: BTreeMap<Thread, ConsentEntry>,
}

impl SessionGate {
    /// The gate with this key.
    ///
    /// # Errors
    /// [`InvalidKey`].
    pub fn new(config: &Config, env: Env) -> Result<Self, InvalidKey> {
        let bytes = hex::decode(config.signing_key.expose().trim()).map_err(|_| InvalidKey)?;
        let key = match bytes.len() {
            32 => Ed25519KeyPair::from_seed_unchecked(&bytes),
            _ => Ed25519KeyPair::from_pkcs8_maybe_unchecked(&bytes),
        };
        let key = Arc::new(key.map_err(|_| InvalidKey)?);
        let (permit_for, keep, catch_up) = (config.permit_for, config.keep_windows, config.catch_up);
        Ok(Self { env, key, permit_for, keep, catch_up })
    }

    /// The public half of the key: channels verify permits with it.
    pub fn public_key(&self) -> Vec<u8> {
        self.key.public_key().as_ref().to_vec()
    }

    /// Reads windows and consent for these requests: two round trips, whatever their number.
    ///
    /// The router's evidence may be newer than our window: then either the contact's last words are still on their
    /// way to us, and might be an opt-out, or the window store was emptied. Fresh evidence is waited for, for a
    /// bounded time; then it is only decided by, and never written: whoever finds a window relies on it that the words
    /// behind it were read. Old evidence is written, so the store heals.
    pub(crate) async fn known(&self, requests: &[&SendRequest]) -> Result<Known, StoreError> {
        let mut evidence: BTreeMap<Thread, Option<Timestamp>> = BTreeMap::new();
        for request in requests {
            let last = evidence.entry(request.thread.clone()).or_default();
            *last = (*last).max(request.last_inbound_at);
        }
        let threads: Vec<Thread> = evidence.keys().cloned().collect();
        let mut wrote = self.windows(&threads).await?;
        let behind = |wrote: &BTreeMap<Thread, Timestamp>| -> Vec<(Thread, Timestamp)> {
            let newer = |(thread, at): (&Thread, &Option<Timestamp>)| {
                at.filter(|at| wrote.get(thread).is_none_or(|known| known < at)).map(|at| (thread.clone(), at))
            };
            evidence.iter().filter_map(newer).collect()
        };
        let fresh = |(_, at): &(Thread, Timestamp)| self.env.clock.now().since(*at) < FRESH;
        let looks = self.catch_up.as_millis() / LOOK.as_millis();
        for _ in 0..looks {
            if !behind(&wrote).iter().any(fresh) {
                break;
            }
            tokio::time::sleep(LOOK).await;
            wrote = self.windows(&threads).await?;
        }
        let (waiting, healed): (Vec<_>, Vec<_>) = behind(&wrote).into_iter().partition(fresh);
        if !healed.is_empty() {
            self.env.windows.note(&healed, self.keep).await?;
        }
        wrote.extend(waiting.into_iter().chain(healed));
        // Consent is written before its window, so it is read after it.
        let last = self.env.consents.last(&threads).await?;
        let consent = threads.into_iter().zip(last).filter_map(|(thread, entry)| Some((thread, entry?))).collect();
        Ok(Known { wrote, consent })
    }

    async fn windows(&self, threads: &[Thread]) -> Result<BTreeMap<Thread, Timestamp>, StoreError> {
        let last = self.env.windows.last(threads).await?;
        Ok(threads.iter().cloned().zip(last).filter_map(|(thread, at)| Some((thread, at?))).collect())
    }

    /// The verdict on one request.
    pub(crate) fn verdict(&self, request: &SendRequest, known: &Known) -> sessions::Verdict {
        let standing = Standing {
            last_inbound: known.wrote.get(&request.thread).copied().max(request.last_inbound_at),
            consent: known.consent.get(&request.thread),
        };
        decide(policy_of(request.channel.as_str()), &request.content, standing, self.env.clock.now())
    }

    /// A signed permit for `request`.
    pub(crate) fn permit(&self, request: &SendRequest, ground: &str, until: Option<Timestamp>) -> Permit {
        let end = self.env.clock.now() + self.permit_for;
        let mut permit = Permit {
            message: request.message,
            organization: request.thread.organization,
            account: request.thread.account,
            expires_at: until.map_or(end, |until| until.min(end)),
            ground: ground.to_owned(),
            signature: Vec::new(),
        };
        permit.signature = self.key.sign(&wire::permit_bytes(request, &permit)).as_ref().to_vec();
        permit
    }
}

#[async_trait]
impl GateApi for SessionGate {
    async fn check(&self, request: &SendRequest) -> Result<Verdict, Refusal> {
        let known = self.known(&[request]).await.map_err(|error| {
            tracing::warn!(%error, "the gate cannot tell");
            Refusal::new(Class::Unavailable, codes::UNAVAILABLE, "the gate's store is away")
        })?;
        Ok(match self.verdict(request, &known) {
            sessions::Verdict::Permit { window_closes_at, .. } => Verdict::Permit { window_closes_at },
            sessions::Verdict::Refuse { code, window_closed_at } => Verdict::Refuse { code, window_closed_at },
        })
    }
}
