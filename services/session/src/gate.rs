//! The gate: what is known about a contact, the verdict, and the permit.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use domain::{Channel, Class, ConsentEntry, Permit, Refusal, SendRequest, Thread, Timestamp, error::codes};
use ports::{
    StoreError,
    apis::{GateApi, Verdict},
};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use runtime::Env;
use sessions::{Standing, decide, policy_of};

use crate::{
    Config, windows,
    words::{self, Told, What},
};

/// How far behind a contact's last word one may stand that was not read yet: what the provider brings late may open
/// another conversation, and a session service of a release before notes windows in another order than the router's.
const SWAPPED: Duration = Duration::from_secs(60);

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
        Ok(Self { env, key, permit_for: config.permit_for, keep: config.keep_windows })
    }

    /// The public half of the key: channels verify permits with it.
    pub fn public_key(&self) -> Vec<u8> {
        self.key.public_key().as_ref().to_vec()
    }

    /// What is known about the contacts of these requests, with every word that was committed before they were written.
    ///
    /// The inbound pump hears what bears on consent from a queue of its own, and a request may be quicker than a STOP in
    /// it; of ordinary words it hears nothing. So the gate does not rely on the pump: what contacts wrote since they were
    /// last looked at is read here, in the router's store, where it stood before the request was written, and the window
    /// that it opened is noted, so that the next look begins there. A window store that is away or was emptied is the
    /// same case, and heals on the way.
    pub(crate) async fn known(&self, requests: &[&SendRequest]) -> Result<Known, StoreError> {
        let channels: BTreeMap<&Thread, &Channel> =
            requests.iter().map(|request| (&request.thread, &request.channel)).collect();
        let threads: Vec<Thread> = channels.keys().map(|thread| (*thread).clone()).collect();
        let noted = windows::last(&self.env, &threads).await;
        let away = noted.is_none();
        let mut wrote = noted.unwrap_or_default();
        // Consent is written before its window, so it is read after it.
        let mut consent = words::consent(&self.env, &threads).await?;
        let said = self.env.journal.said(&self.unsure(&channels, &wrote, &consent)).await?;
        let news = said.iter().filter_map(|said| {
            let channel = *channels.get(&said.thread)?;
            let what = What::Said { content: &said.content, provider_id: said.provider_id.as_deref().unwrap_or("") };
            let told = Told { cause: said.cause, thread: &said.thread, channel, at: said.at, what };
            words::is_news(&told, consent.get(&said.thread)).then_some(told)
        });
        if words::note(&self.env, &news.collect::<Vec<_>>(), consent.clone()).await? {
            consent = words::consent(&self.env, &threads).await?;
        }
        let ahead = said.into_iter().map(|said| (said.thread, said.at));
        let ahead: Vec<_> = ahead.filter(|(thread, at)| wrote.get(thread).is_none_or(|known| known < at)).collect();
        // Whoever waits for an answer does not wait for a store twice.
        if !away {
            windows::note(&self.env, &ahead, self.keep).await;
        }
        for (thread, at) in ahead {
            let last = wrote.entry(thread).or_insert(at);
            *last = at.max(*last);
        }
        Ok(Known { wrote, consent })
    }

    /// From when on the words of these contacts may not have been read: a little before their window's last word, or
    /// all that a window can still be about when there is none; but not what an entry of the ledger came after. Where any
    /// word lifts a refusal, all that came after it, however old: nobody was told of it.
    fn unsure(
        &self,
        channels: &BTreeMap<&Thread, &Channel>,
        wrote: &BTreeMap<Thread, Timestamp>,
        consent: &BTreeMap<Thread, ConsentEntry>,
    ) -> Vec<(Thread, Timestamp)> {
        let emptied = earlier(self.env.clock.now(), self.keep);
        let since = |thread: &Thread, channel: &Channel| {
            let read = wrote.get(thread).map_or(emptied, |at| earlier(*at, SWAPPED));
            let last = consent.get(thread);
            match words::settled(last) {
                Some(refused) if words::any_word_lifts(policy_of(channel.as_str()), last) => refused,
                settled => settled.map_or(read, |settled| settled.max(read)),
            }
        };
        channels.iter().map(|(thread, channel)| ((*thread).clone(), since(thread, channel))).collect()
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

fn earlier(at: Timestamp, by: Duration) -> Timestamp {
    Timestamp::from_millis(at.millis().saturating_sub(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
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
