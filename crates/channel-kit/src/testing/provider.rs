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
    usual: Reply,
    asked: Mutex<Vec<ProviderRequest>>,
}

impl FakeProvider {
    /// Answers `usual` whenever the script has nothing.
    pub fn new(usual: Reply) -> Arc<Self> {
        Arc::new(Self { script: Mutex::default(), usual, asked: Mutex::default() })
    }

    /// Adds to the script.
    pub fn then(&self, replies: impl IntoIterator<Item = Reply>) {
        self.script.lock().unwrap().extend(replies);
    }

    /// What it was asked, in order.
    pub fn asked(&self) -> Vec<ProviderRequest> {
        self.asked.lock().unwrap().clone()
    }

    /// A client for it, without the kit.
    pub fn http(self: &Arc<Self>) -> AccountHttp {
        AccountHttp::new(Arc::clone(self) as Arc<dyn Exchange>)
    }
}

#[async_trait]
impl Exchange for FakeProvider {
    async fn exchange(&self, request: ProviderRequest) -> Result<ProviderResponse, NoAnswer> {
        self.asked.lock().unwrap().push(request);
        let reply = self.script.lock().unwrap().pop_front().unwrap_or_else(|| self.usual.clone());
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
