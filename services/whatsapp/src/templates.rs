//! The list of an app's templates: `GET /wa/app/{appId}/template`.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use channel_kit::{
    Templates,
    http::{AccountHttp, ProviderRequest, RequestBody},
};
use domain::{Failure, Template, error::codes};

use crate::outbound::Gupshup;

/// The list of one app.
pub(crate) struct List {
    pub(crate) app_id: String,
    pub(crate) gupshup: Arc<Gupshup>,
}

#[async_trait]
impl Templates for List {
    async fn list(&self, http: &AccountHttp) -> Result<Vec<Template>, Failure> {
        let request = ProviderRequest {
            method: http::Method::GET,
            url: format!("{}/wa/app/{}/template", self.gupshup.base_url, self.app_id),
            template: "/wa/app/{app}/template",
            headers: vec![("apikey", self.gupshup.api_key.expose().to_owned())],
            body: RequestBody::Empty,
            deadline: Duration::from_secs(20),
        };
        match http.call(request).await {
            Ok(answer) => provider_gupshup::templates(&answer),
            Err(lost) => Err(Failure { reason: Some(lost.to_string()), ..Failure::of(codes::PROVIDER_UNAVAILABLE) }),
        }
    }
}
