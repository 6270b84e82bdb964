//! Every name that telemetry uses, in one place: span attributes, metrics, log fields.
//!
//! Attribute names are those of OpenTelemetry's semantic conventions, schema 1.42.0 ([`SCHEMA_URL`]): a rename there is
//! one line here. Own names start with `afluente`. Nothing here ever carries a telephone number, an e-mail, a name, a
//! message's words or a credential.

/// The schema that the attribute names follow.
pub const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.42.0";
/// The instrumentation scope.
pub const SCOPE: &str = "afluente";

/// Span attributes.
pub mod attribute {
    pub use opentelemetry_semantic_conventions::attribute::{
        ERROR_TYPE, HTTP_REQUEST_METHOD, HTTP_REQUEST_RESEND_COUNT, HTTP_RESPONSE_STATUS_CODE, HTTP_ROUTE,
        MESSAGING_BATCH_MESSAGE_COUNT, MESSAGING_DESTINATION_NAME, MESSAGING_MESSAGE_CONVERSATION_ID,
        MESSAGING_MESSAGE_ID, MESSAGING_OPERATION_NAME, MESSAGING_OPERATION_TYPE,
        MESSAGING_RABBITMQ_DESTINATION_ROUTING_KEY, MESSAGING_SYSTEM, RPC_METHOD, RPC_RESPONSE_STATUS_CODE,
        RPC_SYSTEM_NAME, SERVER_ADDRESS, SERVER_PORT, URL_FULL, URL_PATH, URL_SCHEME, URL_TEMPLATE,
    };

    /// The channel's name.
    pub const CHANNEL: &str = "afluente.channel.name";
    /// The organization's id: spans and logs only, never a metric label.
    pub const ORGANIZATION: &str = "afluente.organization.id";
    /// `inbound` or `outbound`.
    pub const DIRECTION: &str = "afluente.direction";
    /// `text`, `media`, `template`, `receipt`...
    pub const MESSAGE_KIND: &str = "afluente.message.kind";
    /// Which delivery of the same message this is, from 1.
    pub const ATTEMPT: &str = "afluente.attempt";
    /// What became of it: a name of a closed set.
    pub const OUTCOME: &str = "afluente.outcome";
}

/// Metric label names: the attribute names with dots as underscores, and our own.
pub mod label {
    /// `publish`, `process`.
    pub const OPERATION: &str = "messaging_operation_name";
    /// The destination without its partition.
    pub const DESTINATION: &str = "messaging_destination_name";
    /// A low-cardinality reason; empty on success.
    pub const ERROR: &str = "error_type";
    /// The HTTP method.
    pub const METHOD: &str = "http_request_method";
    /// The route's template.
    pub const ROUTE: &str = "http_route";
    /// The HTTP status.
    pub const STATUS: &str = "http_response_status_code";
    /// The host that was called.
    pub const SERVER: &str = "server_address";
    /// The template of the URL that was called.
    pub const TEMPLATE: &str = "url_template";
    /// `package.Service/Method`.
    pub const RPC: &str = "rpc_method";
    /// The gRPC status as text.
    pub const RPC_STATUS: &str = "rpc_response_status_code";
    /// The channel's name.
    pub const CHANNEL: &str = "channel";
    /// `inbound` or `outbound`.
    pub const DIRECTION: &str = "direction";
    /// A name of a closed set.
    pub const OUTCOME: &str = "outcome";
    /// Why: a name of a closed set.
    pub const REASON: &str = "reason";
    /// A stable code of `domain::error::codes`.
    pub const CODE: &str = "code";
    /// Where: a service or a step of it.
    pub const PLACE: &str = "place";
    /// A kind of thing: a name of a closed set.
    pub const KIND: &str = "kind";
    /// The stage of a conversation.
    pub const STAGE: &str = "stage";
    /// The name of a background task.
    pub const TASK: &str = "task";
    /// The release.
    pub const VERSION: &str = "version";
}

/// What a metric is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Shape {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts by size; the upper bounds of its buckets.
    Histogram(&'static [f64]),
}

/// A metric that may be used. An undeclared one is a mistake that a debug build asserts.
#[derive(Debug, Clone, Copy)]
pub struct Declared {
    /// Its Prometheus name, unit included.
    pub name: &'static str,
    /// What it says, for `/metrics`.
    pub help: &'static str,
    /// What it is.
    pub shape: Shape,
    /// Its labels; one that a call leaves out is empty.
    pub labels: &'static [&'static str],
}

/// Bounds of durations of calls, in seconds, as the conventions advise.
pub const CALL_SECONDS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
/// Bounds of durations of statements, in seconds.
pub const STATEMENT_SECONDS: &[f64] = &[0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0];
/// Bounds of the time a message takes through the mesh, in seconds.
pub const END_TO_END_SECONDS: &[f64] = &[0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0];
/// Bounds of batch sizes.
pub const BATCH_SIZES: &[f64] = &[1.0, 2.0, 5.0, 10.0, 25.0, 50.0, 100.0, 250.0, 500.0, 1000.0];

/// Declares the metrics: a constant for each name, and [`metric::ALL`].
macro_rules! metrics {
    ($($(#[doc = $help:literal])+ $constant:ident = $name:literal, $shape:expr, [$($label:ident),*];)*) => {
        /// Every metric of this release. A service adds its own here, with help text and bounded labels.
        pub mod metric {
            use super::{BATCH_SIZES, CALL_SECONDS, Declared, END_TO_END_SECONDS, STATEMENT_SECONDS, Shape, label};
            $($(#[doc = $help])+ pub const $constant: &str = $name;)*
            /// All of them.
            pub const ALL: &[Declared] = &[$(Declared {
                name: $name,
                help: concat!($($help),+),
                shape: $shape,
                labels: &[$(label::$label),*],
            }),*];
        }
    };
}

metrics! {
    /// Time of one operation on the broker: publish or settle.
    MESSAGING_OPERATION = "messaging_client_operation_duration_seconds", Shape::Histogram(CALL_SECONDS), [OPERATION, DESTINATION, ERROR];
    /// Time of handling one delivery.
    MESSAGING_PROCESS = "messaging_process_duration_seconds", Shape::Histogram(CALL_SECONDS), [OPERATION, DESTINATION, ERROR];
    /// Messages published.
    MESSAGING_SENT = "messaging_client_sent_messages_total", Shape::Counter, [DESTINATION, ERROR];
    /// Messages delivered to us.
    MESSAGING_CONSUMED = "messaging_client_consumed_messages_total", Shape::Counter, [DESTINATION, ERROR];
    /// Consumers that had gone silent and were made anew.
    CONSUMER_REVIVED = "messaging_client_consumers_revived_total", Shape::Counter, [DESTINATION];
    /// Time of one HTTP request to us.
    HTTP_SERVER = "http_server_request_duration_seconds", Shape::Histogram(CALL_SECONDS), [METHOD, ROUTE, STATUS, ERROR];
    /// Time of one HTTP request of ours.
    HTTP_CLIENT = "http_client_request_duration_seconds", Shape::Histogram(CALL_SECONDS), [METHOD, SERVER, TEMPLATE, STATUS, ERROR];
    /// Time of one gRPC call to us.
    RPC_SERVER = "rpc_server_call_duration_seconds", Shape::Histogram(CALL_SECONDS), [RPC, RPC_STATUS, ERROR];
    /// Time of one gRPC call of ours.
    RPC_CLIENT = "rpc_client_call_duration_seconds", Shape::Histogram(CALL_SECONDS), [RPC, RPC_STATUS, ERROR];
    /// Time of one operation on the store.
    STORE_OPERATION = "db_client_operation_duration_seconds", Shape::Histogram(STATEMENT_SECONDS), [KIND, PLACE, ERROR];
    /// Time from the provider's or our own acceptance to the end of the message's way.
    END_TO_END = "afluente_message_end_to_end_duration_seconds", Shape::Histogram(END_TO_END_SECONDS), [CHANNEL, DIRECTION, OUTCOME];
    /// Webhook calls that were accepted.
    WEBHOOK_ACCEPTED = "afluente_webhook_accepted_total", Shape::Counter, [CHANNEL];
    /// Webhook calls that were refused, by reason.
    WEBHOOK_REJECTED = "afluente_webhook_rejected_total", Shape::Counter, [CHANNEL, REASON];
    /// Requests to a provider to send a part.
    DELIVERY_ATTEMPTS = "afluente_delivery_attempts_total", Shape::Counter, [CHANNEL];
    /// What became of them.
    DELIVERY_OUTCOMES = "afluente_delivery_outcomes_total", Shape::Counter, [CHANNEL, OUTCOME];
    /// Duplicates that changed nothing.
    DEDUP_HITS = "afluente_dedup_hits_total", Shape::Counter, [PLACE];
    /// Receipts about a try that a later one took the place of; they changed nothing.
    RECEIPTS_SUPERSEDED = "afluente_receipts_superseded_total", Shape::Counter, [CHANNEL];
    /// Messages parked, by place and code.
    PARKED = "afluente_parked_messages_total", Shape::Counter, [PLACE, CODE];
    /// Those of them that say not whose they are, so that no supervisor sees them.
    PARKED_NOBODYS = "afluente_parked_nobodys_total", Shape::Counter, [PLACE, CODE];
    /// Rows of the outbox that wait to be published.
    OUTBOX_BACKLOG = "afluente_outbox_backlog", Shape::Gauge, [];
    /// Age of the oldest row of the outbox, in seconds.
    OUTBOX_AGE = "afluente_outbox_age_seconds", Shape::Gauge, [];
    /// Messages that went to the shelf of an account that had more than its share in hand.
    SHELVED = "afluente_shelved_total", Shape::Counter, [CHANNEL];
    /// Messages on the shelves of accounts, in the partitions that this replica has.
    SHELF_MESSAGES = "afluente_shelf_messages", Shape::Gauge, [CHANNEL];
    /// Messages in the disk spool.
    SPOOL_MESSAGES = "afluente_spool_messages", Shape::Gauge, [CHANNEL];
    /// Bytes in the disk spool.
    SPOOL_BYTES = "afluente_spool_bytes", Shape::Gauge, [CHANNEL];
    /// The gate's answers.
    GATE_VERDICTS = "afluente_gate_verdicts_total", Shape::Counter, [CHANNEL, OUTCOME];
    /// Consent entries written.
    CONSENT_ENTRIES = "afluente_consent_entries_total", Shape::Counter, [CHANNEL, OUTCOME];
    /// Conversations opened.
    CONVERSATIONS_OPENED = "afluente_conversations_opened_total", Shape::Counter, [CHANNEL];
    /// Conversations closed.
    CONVERSATIONS_CLOSED = "afluente_conversations_closed_total", Shape::Counter, [CHANNEL, REASON];
    /// Conversations by stage.
    CONVERSATIONS = "afluente_conversations", Shape::Gauge, [CHANNEL, STAGE];
    /// Conversations given to agents, by ground.
    ASSIGNMENTS = "afluente_assignments_total", Shape::Counter, [KIND];
    /// Deliveries that one commit of the router carried out.
    ROUTER_BATCH = "afluente_router_batch_size", Shape::Histogram(BATCH_SIZES), [];
    /// Commits of the router that met a newer version and were decided again.
    ROUTER_CONFLICTS = "afluente_router_conflicts_total", Shape::Counter, [];
    /// Commands carried out or refused, by code; empty when carried out.
    COMMANDS = "afluente_commands_total", Shape::Counter, [KIND, CODE];
    /// Timers that fired.
    TIMERS_FIRED = "afluente_timers_fired_total", Shape::Counter, [KIND];
    /// Pages connected to the desk.
    DESK_SOCKETS = "afluente_desk_sockets", Shape::Gauge, [];
    /// Events sent to pages.
    DESK_EVENTS = "afluente_desk_events_total", Shape::Counter, [KIND];
    /// Time from a change to its way to the pages.
    DESK_DELAY = "afluente_desk_event_delay_seconds", Shape::Histogram(CALL_SECONDS), [KIND];
    /// Tries to sign in.
    SIGN_INS = "afluente_sign_ins_total", Shape::Counter, [OUTCOME];
    /// Live links of a channel.
    LINKS = "afluente_links", Shape::Gauge, [CHANNEL];
    /// Media jobs finished.
    MEDIA_JOBS = "afluente_media_jobs_total", Shape::Counter, [CHANNEL, OUTCOME];
    /// Accounts that cannot work until somebody mends them.
    ACCOUNTS_QUARANTINED = "afluente_accounts_quarantined", Shape::Gauge, [CHANNEL];
    /// Readings of an account's templates from its provider.
    TEMPLATE_READINGS = "afluente_template_readings_total", Shape::Counter, [CHANNEL, OUTCOME];
    /// Sends that waited for a rate bucket.
    RATE_LIMITED = "afluente_rate_limited_total", Shape::Counter, [CHANNEL, KIND];
    /// Background tasks started again after a failure.
    TASK_RESTARTS = "afluente_task_restarts_total", Shape::Counter, [TASK];
    /// Requests that panicked and were answered 500.
    PANICS = "afluente_panics_total", Shape::Counter, [PLACE];
    /// What channels accepted in the last two hours, by what became of it; `unaccounted` must stay 0.
    AUDIT_INTAKE = "afluente_audit_accepted", Shape::Gauge, [OUTCOME];
    /// Sends that have been queued for long with nothing on its way; must stay 0.
    AUDIT_SENDS = "afluente_audit_sends_unaccounted", Shape::Gauge, [];
    /// Invariants found broken; must stay 0.
    INVARIANT_VIOLATIONS = "afluente_invariant_violations_total", Shape::Counter, [KIND];
    /// The release, always 1.
    BUILD_INFO = "afluente_build_info", Shape::Gauge, [VERSION];
}
