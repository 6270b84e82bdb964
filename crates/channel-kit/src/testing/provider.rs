//! A provider that answers by script and keeps what it was asked.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::Notify;

use crate::http::{AccountHttp, Exchange, NoAnswer, ProviderRequest, ProviderResponse};

/// One scripted reaction.
#[derive(Debug, Clone)]
pub enum Reply {
    /// An answer.
    Answer(ProviderResponse),
    /// No answer, for this reason.
    Silence(NoAnswer),
    /// This answer, once it is rung for.
    When(Arc<Notify>, ProviderResponse),
    /// The request hangs for ever, as when the process dies in the middle of it.
    Hang,
}

/// An answer with a JSON body.
pub fn answer(status: u16, body: &serde_json::Value) -> ProviderResponse {
    ProviderResponse {
        status,
        retry_after: None,
        content_type: Some("application/json".to_owned()),
        body: Bytes::from(body.to_string()),
    }
}

/// The scripted provider.
#[derive(Debug)]
pub struct FakeProvider {
    script: Mutex<VecDeque<Reply>>,
    usual: Mutex<Reply>,
    asked: Mutex<Vec<ProviderRequest>>,
    took: Mutex<Vec<ProviderRequest>>,
}

impl FakeProvider {
    /// Answers `usual` whenever the script has nothing.
    pub fn new(usual: Reply) -> Arc<Self> {
        let usual = Mutex::new(usual);
        Arc::new(Self { script: Mutex::default(), usual, asked: Mutex::default(), took: Mutex::default() })
    }

    /// From now on answers `usual` whenever the script has nothing.
    pub fn turn(&self, usual: Reply) {
        *self.usual.lock().unwrap() = usual;
    }

    /// Adds to the script.
    pub fn then(&self, replies: impl IntoIterator<Item = Reply>) {
        self.script.lock().unwrap().extend(replies);
    }

    /// What it was asked, in order.
    pub fn asked(&self) -> Vec<ProviderRequest> {
        self.asked.lock().unwrap().clone()
    }

    /// What it answered with 200, in order.
    pub fn took(&self) -> Vec<ProviderRequest> {
        self.took.lock().unwrap().clone()
    }

    /// A client for it, without the kit.
    pub fn http(self: &Arc<Self>) -> AccountHttp {
        AccountHttp::new(Arc::clone(self) as Arc<dyn Exchange>)
    }
}

#[async_trait]
impl Exchange for FakeProvider {
    async fn exchange(&self, request: ProviderRequest) -> Result<ProviderResponse, NoAnswer> {
        self.asked.lock().unwrap().push(request.clone());
        let reply = self.script.lock().unwrap().pop_front().unwrap_or_else(|| self.usual.lock().unwrap().clone());
        if matches!(&reply, Reply::Answer(answer) | Reply::When(_, answer) if answer.status == 200) {
            self.took.lock().unwrap().push(request);
        }
        match reply {
            Reply::Answer(answer) => Ok(answer),
            Reply::Silence(why) => Err(why),
            Reply::When(bell, answer) => {
                bell.notified().await;
                Ok(answer)
            }
            Reply::Hang => {
                tokio::time::sleep(Duration::from_secs(3600)).await;
                Err(NoAnswer::Unknown("hung".to_owned()))
            }
        }
    }
}
