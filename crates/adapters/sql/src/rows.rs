//! The journal's values as rows, and back.

use domain::{AccountId, Author, Contact, Conversation, Message, Seat, Thread};
use ports::{StoreError, bus::Envelope};
use sea_orm::Value;

use crate::{
    row::Row,
    statement::{Table, clean, json, name, number, optional_printed, optional_text, printed, text},
};

/// The most changes in one row of desk events.
pub(crate) const CHANGES_IN_A_ROW: usize = 64;

/// A thread in one key: what lists of threads are asked by.
pub(crate) fn thread_key(thread: &Thread) -> String {
    clean(format!("{}/{}/{}", thread.organization, thread.account, thread.address.as_str()))
}

/// What lies in a table of an envelope: `id, route, kind, correlation, headers, body`.
pub(crate) fn envelope_values(envelope: &Envelope) -> Result<[Value; 6], StoreError> {
    Ok([
        text(&envelope.id),
        envelope.topic.route().into(),
        text(&envelope.kind),
        optional_text(envelope.correlation.as_deref()),
        json(&envelope.headers)?,
        envelope.body.to_vec().into(),
    ])
}

/// A provider's id in one key: ids are only unique in their account.
pub(crate) fn provider_key(account: AccountId, id: &str) -> String {
    clean(format!("{account}/{id}"))
}

pub(crate) const CONVERSATIONS: Table = Table {
    name: "conversations",
    columns: &[
        "id",
        "organization",
        "account",
        "address",
        "thread",
        "channel",
        "contact",
        "contact_name",
        "contact_email",
        "search",
        "queue",
        "stage",
        "agent",
        "assignment",
        "opened_at",
        "waiting_since",
        "last_inbound_at",
        "last_activity_at",
        "closed_at",
        "close_reason",
        "unread",
        "preview",
        "preview_kind",
        "next_sequence",
        "version",
    ],
};

pub(crate) fn conversation_values(conversation: &Conversation, values: &mut Vec<Value>) -> Result<(), StoreError> {
    let it = conversation;
    let search = [it.contact_name.as_deref(), it.contact_email.as_deref(), Some(it.thread.address.as_str())]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join("\n")
        .to_lowercase();
    values.extend([
        printed(it.id),
        printed(it.thread.organization),
        printed(it.thread.account),
        text(it.thread.address.as_str()),
        thread_key(&it.thread).into(),
        printed(&it.channel),
        printed(it.contact),
        optional_text(it.contact_name.as_deref()),
        optional_text(it.contact_email.as_deref()),
        text(&search),
        printed(it.queue),
        name(&it.stage)?.into(),
        optional_printed(it.agent),
        it.assignment.as_ref().map(json).transpose()?.unwrap_or(Value::String(None)),
        it.opened_at.millis().into(),
        it.waiting_since.millis().into(),
        it.last_inbound_at.map(domain::Timestamp::millis).into(),
        it.last_activity_at.millis().into(),
        it.closed_at.map(domain::Timestamp::millis).into(),
        Value::String(it.close_reason.as_ref().map(name).transpose()?),
        i64::from(it.unread).into(),
        text(&it.preview),
        text(&it.preview_kind),
        number(it.next_sequence),
        number(it.version + 1),
    ]);
    Ok(())
}

pub(crate) fn conversation(row: &Row) -> Result<Conversation, StoreError> {
    Ok(Conversation {
        id: row.parsed("id")?,
        thread: thread(row)?,
        channel: row.parsed("channel")?,
        contact: row.parsed("contact")?,
        contact_name: row.optional_text("contact_name")?,
        contact_email: row.optional_text("contact_email")?,
        queue: row.parsed("queue")?,
        stage: row.named("stage")?,
        agent: row.optional_parsed("agent")?,
        assignment: row.optional_json("assignment")?,
        opened_at: row.time("opened_at")?,
        waiting_since: row.time("waiting_since")?,
        last_inbound_at: row.optional_time("last_inbound_at")?,
        last_activity_at: row.time("last_activity_at")?,
        closed_at: row.optional_time("closed_at")?,
        close_reason: match row.optional_text("close_reason")? {
            Some(_) => Some(row.named("close_reason")?),
            None => None,
        },
        unread: row.number("unread")?,
        preview: row.text("preview")?,
        preview_kind: row.text("preview_kind")?,
        next_sequence: row.number("next_sequence")?,
        version: row.number("version")?,
    })
}

/// The thread of a row with organization, account and address.
pub(crate) fn thread(row: &Row) -> Result<Thread, StoreError> {
    Ok(Thread {
        organization: row.parsed("organization")?,
        account: row.parsed("account")?,
        address: domain::Address::new(row.text("address")?),
    })
}

pub(crate) const MESSAGES: Table = Table {
    name: "messages",
    columns: &[
        "id",
        "organization",
        "conversation",
        "sequence",
        "author",
        "author_user",
        "content",
        "at",
        "provider_id",
        "reply_to",
        "delivery",
        "delivery_state",
        "cause",
        "version",
    ],
};

pub(crate) fn message_values(message: &Message, values: &mut Vec<Value>) -> Result<(), StoreError> {
    let (author, user) = match message.author {
        Author::Contact => ("contact", None),
        Author::User(user) => ("user", Some(user)),
        Author::System => ("system", None),
    };
    values.extend([
        printed(message.id),
        printed(message.organization),
        printed(message.conversation),
        number(message.sequence),
        author.into(),
        optional_printed(user),
        json(&message.content)?,
        message.at.millis().into(),
        optional_text(message.provider_id.as_deref()),
        optional_printed(message.reply_to),
        message.delivery.as_ref().map(json).transpose()?.unwrap_or(Value::String(None)),
        Value::String(message.delivery.as_ref().map(|delivery| name(&delivery.state)).transpose()?),
        printed(message.cause),
        number(message.version + 1),
    ]);
    Ok(())
}

pub(crate) fn message(row: &Row) -> Result<Message, StoreError> {
    let author = match (row.text("author")?.as_str(), row.optional_parsed("author_user")?) {
        ("contact", _) => Author::Contact,
        ("user", Some(user)) => Author::User(user),
        _ => Author::System,
    };
    Ok(Message {
        id: row.parsed("id")?,
        organization: row.parsed("organization")?,
        conversation: row.parsed("conversation")?,
        sequence: row.number("sequence")?,
        author,
        content: row.json("content")?,
        at: row.time("at")?,
        provider_id: row.optional_text("provider_id")?,
        reply_to: row.optional_parsed("reply_to")?,
        delivery: row.optional_json("delivery")?,
        cause: row.parsed("cause")?,
        version: row.number("version")?,
    })
}

pub(crate) const CONTACTS: Table = Table {
    name: "contacts",
    columns: &[
        "id",
        "organization",
        "account",
        "address",
        "thread",
        "channel",
        "name",
        "email",
        "phone",
        "created_at",
        "version",
    ],
};

pub(crate) fn contact_values(contact: &Contact, values: &mut Vec<Value>) {
    values.extend([
        printed(contact.id),
        printed(contact.thread.organization),
        printed(contact.thread.account),
        text(contact.thread.address.as_str()),
        thread_key(&contact.thread).into(),
        printed(&contact.channel),
        optional_text(contact.name.as_deref()),
        optional_text(contact.email.as_deref()),
        optional_text(contact.phone.as_deref()),
        contact.created_at.millis().into(),
        number(contact.version + 1),
    ]);
}

pub(crate) fn contact(row: &Row) -> Result<Contact, StoreError> {
    Ok(Contact {
        id: row.parsed("id")?,
        thread: thread(row)?,
        channel: row.parsed("channel")?,
        name: row.optional_text("name")?,
        email: row.optional_text("email")?,
        phone: row.optional_text("phone")?,
        created_at: row.time("created_at")?,
        version: row.number("version")?,
    })
}

pub(crate) const SEATS: Table = Table {
    name: "seats",
    columns: &["organization", "user_id", "presence", "load", "capacity", "last_assigned_at", "version"],
};

pub(crate) fn seat_values(seat: &Seat, values: &mut Vec<Value>) -> Result<(), StoreError> {
    values.extend([
        printed(seat.organization),
        printed(seat.user),
        name(&seat.presence)?.into(),
        i64::from(seat.load).into(),
        i64::from(seat.capacity).into(),
        seat.last_assigned_at.millis().into(),
        number(seat.version + 1),
    ]);
    Ok(())
}

pub(crate) fn seat(row: &Row) -> Result<Seat, StoreError> {
    Ok(Seat {
        organization: row.parsed("organization")?,
        user: row.parsed("user_id")?,
        presence: row.named("presence")?,
        load: row.number("load")?,
        capacity: row.number("capacity")?,
        last_assigned_at: row.time("last_assigned_at")?,
        version: row.number("version")?,
    })
}
