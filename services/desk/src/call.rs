//! The frame of the calls that give an order: who calls, on what, what they mean by it, and how the call is described.

use axum::extract::{FromRequest, FromRequestParts as _, Path, Request};
use serde::de::DeserializeOwned;

use crate::{
    caller::{Caller, Intent, Meant},
    problem::Problem,
    state::Shared,
};

/// An order as it came in. `on` is what the path names.
pub(crate) struct Call<B = Nothing, P = String> {
    pub(crate) desk: Shared,
    pub(crate) caller: Caller,
    pub(crate) intent: Intent,
    pub(crate) on: P,
    pub(crate) body: B,
}

/// The body of a call that takes none.
pub(crate) struct Nothing;

/// What may be said with an order.
pub(crate) trait Said: Sized {
    /// The intent, and the body where there is one.
    fn said(request: Request, desk: &Shared) -> impl Future<Output = Result<(Intent, Self), Problem>> + Send;
}

impl Said for Nothing {
    async fn said(request: Request, desk: &Shared) -> Result<(Intent, Self), Problem> {
        let intent = Intent::from_request_parts(&mut request.into_parts().0, desk).await?;
        Ok((intent, Self))
    }
}

impl<T: DeserializeOwned> Said for T {
    async fn said(request: Request, desk: &Shared) -> Result<(Intent, Self), Problem> {
        Meant::from_request(request, desk).await.map(|Meant(intent, body)| (intent, body))
    }
}

impl<B: Said, P: DeserializeOwned + Send> FromRequest<Shared> for Call<B, P> {
    type Rejection = Problem;

    async fn from_request(request: Request, desk: &Shared) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let caller = Caller::from_request_parts(&mut parts, desk).await?;
        let on = Path::from_request_parts(&mut parts, desk).await;
        let Path(on) = on.map_err(|fault| Problem::bad_request(fault.body_text()))?;
        let (intent, body) = B::said(Request::from_parts(parts, body), desk).await?;
        Ok(Self { desk: desk.clone(), caller, intent, on, body })
    }
}

/// Handlers of orders with their descriptions. Each reads: its name, method and path, what the path names and the body
/// that it takes; what it answers; how it may be refused; and what it does.
macro_rules! orders {
    ($tag:tt; $(
        $(#[$($doc:tt)*])*
        $name:ident: $method:ident $path:tt $(on $($param:tt),+)? $(; takes $body:ident)? $(; known as $operation:tt)?;
        answers $code:tt $status:ident $($answer:ident)::+; refuses $($refusal:tt $why:tt),+;
        |$call:ident: $kind:ty| $done:expr;
    )+) => {$(
        $(#[$($doc)*])*
        #[utoipa::path(
            $method, path = $path, $(operation_id = $operation,)? tag = $tag, $(request_body = $body,)?
            params(
                $($(($param = String, Path),)+)?
                ("Idempotency-Key" = Option<String>, Header, description = "one intent of the caller"),
            ),
            responses(
                (status = $code, body = $($answer)::+),
                $((status = $refusal, body = crate::problem::ProblemDetails, content_type = "application/problem+json",
                    description = $why),)+
            )
        )]
        pub(crate) async fn $name(
            $call: $kind,
        ) -> Result<(axum::http::StatusCode, axum::Json<$($answer)::+>), crate::problem::Problem> {
            Ok((axum::http::StatusCode::$status, axum::Json($done)))
        }
    )+};
}
pub(crate) use orders;
