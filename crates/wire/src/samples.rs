//! One full value of each kind, for the tests: every field set.

#![allow(clippy::expect_used)]

use std::time::Duration;

use domain::{
    AccountId, Address, Assignment, Attempted, Author, Capabilities, Channel, ChoiceLimit, ChoiceOption, Class,
    CloseReason, Code, Command, Commanded, ConsentChange, ConsentEntry, Considered, Contact, ContactCard, ContactId,
    Content, Conversation, ConversationId, Delivery, DeliveryState, DeskChange, DeskEvent, DeskPage, Done, EventId,
    Failure, GateRefusal, Inbound, InboundBody, InboundMessage, LengthUnit, Location, Media, MediaJob, MediaKind,
    MediaLimit, MediaSettled, MediaSource, Message, MessageId, OrganizationId, Outcome, Parked, ParkedId, ParkedMoved,
    PartDelivery, Permit, Permitted, Presence, Profile, QueueId, Receipt, ReceiptSupport, Refusal, Role, Ruling, Seat,
    SendRequest, Stage, Target, TemplateCall, Thread, Timestamp, UserId, error::codes,
};

fn at(second: i64) -> Timestamp {
    Timestamp::from_millis(1_764_000_000_123 + second * 1000)
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

pub(crate) fn channel() -> Channel {
    "whatsapp".parse().expect("a channel's name")
}

pub(crate) fn thread() -> Thread {
    Thread {
        organization: OrganizationId::derive(&["sample"]),
        account: AccountId::derive(&["sample"]),
        address: Address::new("5511999990000"),
    }
}

fn conversation_id() -> ConversationId {
    ConversationId::derive(&["sample"])
}

fn message_id() -> MessageId {
    MessageId::derive(&["sample"])
}

fn event_id() -> EventId {
    EventId::derive(&["sample"])
}

fn user() -> UserId {
    UserId::derive(&["sample"])
}

fn failure() -> Failure {
    Failure { code: codes::PROVIDER_REJECTED, provider_code: some("131047"), reason: some("re-engagement") }
}

pub(crate) fn media(source: MediaSource) -> Media {
    Media {
        kind: MediaKind::Document,
        mime: "application/pdf".to_owned(),
        name: some("contrato.pdf"),
        caption: some("Segue o contrato ✅"),
        size: Some(123_456),
        source,
    }
}

fn card() -> ContactCard {
    ContactCard {
        name: "João".to_owned(),
        phones: vec!["+55 11 99999-0000".to_owned()],
        emails: vec!["joao@example.org".to_owned()],
        organization: some("ACME"),
    }
}

pub(crate) fn contents() -> Vec<Content> {
    let option = |n: u8| ChoiceOption { label: format!("Opção {n}"), payload: format!("p{n}") };
    vec![
        Content::text("Olá, tudo bem? 👋"),
        Content::Media(media(MediaSource::Pending { reference: "file-1".to_owned(), expires_at: Some(at(60)) })),
        Content::Media(media(MediaSource::Stored { key: "org/ab/cd".to_owned(), sha256: "00ff".to_owned() })),
        Content::Media(media(MediaSource::Lost { reason: "expired".to_owned() })),
        Content::Location(Location { latitude: -23.55, longitude: -46.63, name: some("Sé"), address: some("Praça") }),
        Content::Contacts { cards: vec![card(), ContactCard::default()] },
        Content::Choice { label: "Sim".to_owned(), payload: some("yes") },
        Content::Choices { text: "Confirma?".to_owned(), options: vec![option(1), option(2)] },
        Content::Template(TemplateCall {
            id: "hsm-1".to_owned(),
            language: "pt-BR".to_owned(),
            params: vec!["Ana".to_owned(), String::new()],
            preview: "Olá, Ana".to_owned(),
        }),
        Content::Unsupported { kind: "poll".to_owned() },
    ]
}

pub(crate) fn outcomes() -> Vec<Outcome> {
    let failure = failure();
    vec![
        Outcome::Accepted { provider_ids: vec!["gs-1".to_owned(), "wamid.1".to_owned()] },
        Outcome::Rejected { failure: failure.clone() },
        Outcome::Unreachable { opted_out: true, failure: failure.clone() },
        Outcome::Throttled { after: Some(Duration::from_millis(1500)) },
        Outcome::Throttled { after: None },
        Outcome::Unavailable { failure: failure.clone() },
        Outcome::InDoubt { failure: failure.clone() },
        Outcome::WindowClosed { failure: failure.clone() },
        Outcome::Misconfigured { failure },
    ]
}

pub(crate) fn inbound(body: InboundBody) -> Inbound {
    Inbound { id: event_id(), thread: thread(), channel: channel(), at: at(0), received_at: at(1), body }
}

pub(crate) fn inbound_bodies() -> Vec<InboundBody> {
    let profile =
        Profile { name: some("Ana"), email: some("ana@example.org"), phone: some("+5511"), username: some("@ana") };
    let mut bodies: Vec<InboundBody> = contents()
        .into_iter()
        .map(|content| {
            InboundBody::Message(InboundMessage {
                provider_id: "wamid.2".to_owned(),
                content,
                profile: profile.clone(),
                reply_to: some("wamid.1"),
            })
        })
        .collect();
    bodies.extend(
        outcomes()
            .into_iter()
            .map(|outcome| InboundBody::Attempted(Attempted { message: message_id(), part: 1, planned: 3, outcome })),
    );
    for state in states() {
        bodies.push(InboundBody::Receipt(Receipt {
            provider_ids: vec!["gs-1".to_owned()],
            state,
            at: at(2),
            failure: (state == DeliveryState::Failed).then(failure),
        }));
    }
    bodies.push(InboundBody::Consent(consent_change()));
    bodies.push(InboundBody::MediaSettled(MediaSettled {
        message_event: event_id(),
        source: MediaSource::Stored { key: "k".to_owned(), sha256: "ab".to_owned() },
        mime: some("image/png"),
        size: Some(9),
    }));
    bodies.push(InboundBody::Refused(GateRefusal { message: message_id(), failure: Failure::of(codes::OPTED_OUT) }));
    bodies
}

pub(crate) fn states() -> [DeliveryState; 7] {
    use DeliveryState::{Accepted, Delivered, Failed, Parked, Queued, Read, Sent};
    [Queued, Accepted, Sent, Delivered, Read, Failed, Parked]
}

fn consent_change() -> ConsentChange {
    ConsentChange { granted: false, source: "keyword".to_owned(), evidence: "SAIR".to_owned() }
}

pub(crate) fn consent_entry() -> ConsentEntry {
    ConsentEntry { cause: event_id(), thread: thread(), channel: channel(), change: consent_change(), at: at(3) }
}

pub(crate) fn send_request() -> SendRequest {
    SendRequest {
        message: message_id(),
        conversation: conversation_id(),
        thread: thread(),
        channel: channel(),
        content: Content::text("Bom dia"),
        reply_to: some("wamid.2"),
        author: Some(user()),
        at: at(4),
        last_inbound_at: Some(at(0)),
    }
}

pub(crate) fn permit() -> Permit {
    Permit {
        message: message_id(),
        organization: thread().organization,
        account: thread().account,
        expires_at: at(304),
        ground: "window".to_owned(),
        signature: (0..64).collect(),
    }
}

pub(crate) fn second_permit() -> Permit {
    Permit {
        message: MessageId::derive(&["other"]),
        organization: OrganizationId::derive(&["other"]),
        account: AccountId::derive(&["other"]),
        ..permit()
    }
}

pub(crate) fn permitted() -> Permitted {
    Permitted { request: send_request(), permit: permit() }
}

pub(crate) fn media_job() -> MediaJob {
    let source = MediaSource::Pending { reference: "file-1".to_owned(), expires_at: None };
    MediaJob { message_event: event_id(), thread: thread(), channel: channel(), media: media(source) }
}

pub(crate) fn capabilities() -> Capabilities {
    Capabilities {
        unit: LengthUnit::Utf16,
        text: 4096,
        caption: 1024,
        media: vec![MediaLimit {
            kind: MediaKind::Image,
            mimes: vec!["image/*".to_owned()],
            max_bytes: 5 << 20,
            caption: true,
        }],
        location: true,
        contacts: false,
        choices: Some(ChoiceLimit { max: 3, label: 20 }),
        templates: true,
        replies: true,
        receipts: ReceiptSupport { sent: true, delivered: true, read: false },
        account_rate: 80,
        pair_interval: 1000,
    }
}

pub(crate) fn conversation() -> Conversation {
    Conversation {
        id: conversation_id(),
        thread: thread(),
        channel: channel(),
        contact: ContactId::derive(&["sample"]),
        contact_name: some("Ana"),
        contact_email: some("ana@example.org"),
        queue: QueueId::derive(&["sample"]),
        stage: Stage::Closed,
        agent: Some(user()),
        assignment: Some(Assignment {
            user: user(),
            at: at(5),
            ground: Code::new("circular"),
            by: Some(user()),
            considered: vec![Considered { user: user(), verdict: Code::new("chosen") }],
        }),
        opened_at: at(0),
        waiting_since: at(0),
        last_inbound_at: Some(at(6)),
        last_activity_at: at(7),
        closed_at: Some(at(8)),
        close_reason: Some(CloseReason::Abandoned),
        unread: 2,
        preview: "Olá".to_owned(),
        preview_kind: "text".to_owned(),
        next_sequence: 12,
        version: 7,
    }
}

pub(crate) fn message() -> Message {
    Message {
        id: message_id(),
        organization: thread().organization,
        conversation: conversation_id(),
        sequence: 11,
        author: Author::User(user()),
        content: Content::text("Bom dia"),
        at: at(4),
        provider_id: some("wamid.3"),
        reply_to: Some(MessageId::derive(&["earlier"])),
        delivery: Some(Delivery {
            state: DeliveryState::Failed,
            parts: vec![PartDelivery { state: DeliveryState::Failed, provider_ids: vec!["gs-1".to_owned()] }],
            planned: 2,
            failure: Some(failure()),
            at: at(9),
        }),
        cause: event_id(),
        version: 3,
    }
}

pub(crate) fn contact() -> Contact {
    Contact {
        id: ContactId::derive(&["sample"]),
        thread: thread(),
        channel: channel(),
        name: some("Ana"),
        email: some("ana@example.org"),
        phone: some("+5511999990000"),
        created_at: at(0),
        version: 1,
    }
}

pub(crate) fn seat() -> Seat {
    Seat {
        organization: thread().organization,
        user: user(),
        presence: Presence::Paused,
        load: 4,
        capacity: 10,
        last_assigned_at: at(5),
        version: 9,
    }
}

pub(crate) fn desk_events() -> Vec<DeskEvent> {
    let event = |change| DeskEvent { organization: thread().organization, sequence: 42, at: at(10), change };
    vec![
        event(DeskChange::Conversation(Box::new(conversation()))),
        event(DeskChange::Message(Box::new(message()))),
        event(DeskChange::Seat(seat())),
        event(DeskChange::Contact(Box::new(contact()))),
        event(DeskChange::Parked(ParkedMoved {
            parked: vec![ParkedId::derive(&["sample"])],
            settled: vec![message_id()],
        })),
    ]
}

pub(crate) fn desk_page() -> DeskPage {
    let changes = desk_events().into_iter().zip(10..).map(|(event, second)| (at(second), event.change));
    DeskPage { organization: thread().organization, first: 42, changes: changes.collect() }
}

pub(crate) fn commands() -> Vec<Commanded> {
    let conversation = conversation_id();
    let all = vec![
        Command::Take { conversation },
        Command::Transfer { conversation, to: Target::User(user()) },
        Command::Transfer { conversation, to: Target::Queue(QueueId::derive(&["sample"])) },
        Command::Return { conversation },
        Command::Conclude { conversation },
        Command::Send { conversation, content: Content::text("oi"), reply_to: Some(message_id()) },
        Command::Retry { conversation, message: message_id() },
        Command::MarkRead { conversation },
        Command::SaveContact { conversation, card: card() },
        Command::SetPresence { presence: Presence::Online, capacity: 8 },
        decide(Ruling::Redrive),
        decide(Ruling::Again),
        decide(Ruling::Arrived),
        decide(Ruling::Failed),
        decide(Ruling::Discard),
    ];
    let roles = [Role::Agent, Role::SupervisorAgent, Role::Supervisor, Role::Administrator];
    let commanded = |(command, role): (Command, &Role)| Commanded {
        id: event_id(),
        organization: thread().organization,
        actor: user(),
        role: *role,
        at: at(11),
        command,
    };
    all.into_iter().zip(roles.iter().cycle()).map(commanded).collect()
}

fn decide(ruling: Ruling) -> Command {
    Command::DecideParked { parked: vec![ParkedId::derive(&["sample"])], ruling, reason: some("a test") }
}

pub(crate) fn done() -> Done {
    Done { conversation: Some(conversation()), message: Some(message()) }
}

pub(crate) fn parked() -> Parked {
    Parked {
        id: ParkedId::derive(&["sample"]),
        organization: Some(thread().organization),
        place: "whatsapp webhook".to_owned(),
        code: codes::WEBHOOK_MALFORMED,
        reason: "not JSON".to_owned(),
        account: some("demo-whatsapp"),
        channel: None,
        provider_code: None,
        message: None,
        route: "webhook:whatsapp:demo-whatsapp".to_owned(),
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: vec![0, 159, 146, 150],
        at: at(12),
        redriven_at: Some(at(13)),
    }
}

pub(crate) fn parked_in_doubt() -> Parked {
    Parked {
        code: codes::IN_DOUBT,
        channel: Some(send_request().channel),
        provider_code: some("504"),
        message: Some(message_id()),
        redriven_at: None,
        ..parked()
    }
}

pub(crate) fn refusal() -> Refusal {
    Refusal::new(Class::Conflict, codes::ALREADY_TAKEN, "Ana has it")
}

pub(crate) fn bundle() -> crate::Bundle {
    let bundled = |id: &str, correlation: Option<String>| crate::Bundled {
        id: id.to_owned(),
        kind: "afluente.channel.v1.Inbound".to_owned(),
        correlation,
        headers: [("afluente-organization".to_owned(), "org_1".to_owned())].into(),
        body: vec![0, 1, 2, 255].into(),
    };
    crate::Bundle(vec![bundled("one", some("cnv_1")), bundled("two", None)])
}
