//! The tables. One text for both databases; four words differ: `{serial}` (a growing number that is the primary key),
//! `{rowid}` (a number that is the primary key), `{bytes}` (bytes) and `{clustered}` (rows kept in the primary key,
//! where the database can). What begins with `{postgres}` is for PostgreSQL alone.
//!
//! Ids are TEXT in their printed form, times BIGINT milliseconds, enums TEXT in their serde names, structures TEXT with
//! JSON. `thread` columns hold organization, account and address in one key, so that a batch asks for its threads with
//! one list.

/// The statements of each version, oldest first. A released version never changes: mend it with the next one.
pub(crate) const VERSIONS: &[&[&str]] = &[
    VERSION_1, VERSION_2, VERSION_3, VERSION_4, VERSION_5, VERSION_6, VERSION_7, VERSION_8, VERSION_9, VERSION_10,
    VERSION_11, VERSION_12, VERSION_13, VERSION_14, VERSION_15,
];

const VERSION_1: &[&str] = &[
    // ---- the journal
    "CREATE TABLE processed (event TEXT NOT NULL PRIMARY KEY, organization TEXT NOT NULL, kind TEXT NOT NULL,
        at BIGINT NOT NULL) {clustered}",
    "CREATE TABLE conversations (id TEXT NOT NULL PRIMARY KEY, organization TEXT NOT NULL, account TEXT NOT NULL,
        address TEXT NOT NULL, thread TEXT NOT NULL, channel TEXT NOT NULL, contact TEXT NOT NULL, contact_name TEXT,
        contact_email TEXT, search TEXT NOT NULL, queue TEXT NOT NULL, stage TEXT NOT NULL, agent TEXT, assignment TEXT,
        opened_at BIGINT NOT NULL, waiting_since BIGINT NOT NULL, last_inbound_at BIGINT,
        last_activity_at BIGINT NOT NULL, closed_at BIGINT, close_reason TEXT, unread BIGINT NOT NULL,
        preview TEXT NOT NULL, preview_kind TEXT NOT NULL, next_sequence BIGINT NOT NULL, version BIGINT NOT NULL)",
    // At most one open conversation of a thread: what makes two first messages on two replicas one conversation.
    "CREATE UNIQUE INDEX conversations_open ON conversations (thread) WHERE stage <> 'closed'",
    "CREATE INDEX conversations_board ON conversations (organization, waiting_since) WHERE stage <> 'closed'",
    "CREATE INDEX conversations_waiting ON conversations (organization, queue, waiting_since) WHERE stage = 'waiting'",
    "CREATE INDEX conversations_recent ON conversations (organization, last_activity_at)",
    "CREATE INDEX conversations_agent ON conversations (agent) WHERE agent IS NOT NULL",
    "CREATE TABLE messages (id TEXT NOT NULL PRIMARY KEY, organization TEXT NOT NULL, conversation TEXT NOT NULL,
        sequence BIGINT NOT NULL, author TEXT NOT NULL, author_user TEXT, content TEXT NOT NULL, at BIGINT NOT NULL,
        provider_id TEXT, reply_to TEXT, delivery TEXT, delivery_state TEXT, cause TEXT NOT NULL,
        version BIGINT NOT NULL)",
    "CREATE UNIQUE INDEX messages_place ON messages (conversation, sequence)",
    "CREATE INDEX messages_cause ON messages (cause)",
    "CREATE TABLE contacts (id TEXT NOT NULL PRIMARY KEY, organization TEXT NOT NULL, account TEXT NOT NULL,
        address TEXT NOT NULL, thread TEXT NOT NULL, channel TEXT NOT NULL, name TEXT, email TEXT, phone TEXT,
        created_at BIGINT NOT NULL, version BIGINT NOT NULL)",
    "CREATE INDEX contacts_thread ON contacts (thread)",
    "CREATE TABLE seats (organization TEXT NOT NULL, user_id TEXT NOT NULL, presence TEXT NOT NULL,
        load BIGINT NOT NULL, capacity BIGINT NOT NULL, last_assigned_at BIGINT NOT NULL, version BIGINT NOT NULL,
        PRIMARY KEY (user_id, organization)) {clustered}",
    "CREATE INDEX seats_organization ON seats (organization)",
    "CREATE TABLE provider_ids (provider_key TEXT NOT NULL PRIMARY KEY, message TEXT NOT NULL,
        organization TEXT NOT NULL, trace TEXT) {clustered}",
    "CREATE TABLE held_receipts (provider_key TEXT NOT NULL, event TEXT NOT NULL, organization TEXT NOT NULL,
        held TEXT NOT NULL, held_at BIGINT NOT NULL, PRIMARY KEY (provider_key, event)) {clustered}",
    "CREATE INDEX held_receipts_event ON held_receipts (event)",
    "CREATE INDEX held_receipts_age ON held_receipts (held_at)",
    "CREATE TABLE timers (conversation TEXT NOT NULL, kind TEXT NOT NULL, organization TEXT NOT NULL,
        lane BIGINT NOT NULL, due_at BIGINT NOT NULL, PRIMARY KEY (conversation, kind)) {clustered}",
    "CREATE INDEX timers_due ON timers (lane, due_at)",
    "CREATE TABLE outbox (sequence {serial}, lane BIGINT NOT NULL, at BIGINT NOT NULL, organization TEXT, id TEXT NOT NULL,
        route TEXT NOT NULL, kind TEXT NOT NULL, correlation TEXT, headers TEXT NOT NULL, body {bytes} NOT NULL)",
    "CREATE INDEX outbox_lane ON outbox (lane, sequence)",
    "CREATE TABLE event_counters (organization TEXT NOT NULL PRIMARY KEY, last_sequence BIGINT NOT NULL) {clustered}",
    "CREATE TABLE desk_events (organization TEXT NOT NULL, sequence BIGINT NOT NULL, at BIGINT NOT NULL,
        change TEXT NOT NULL, PRIMARY KEY (organization, sequence))",
    "CREATE INDEX desk_events_age ON desk_events (at)",
    // ---- the smaller stores
    "CREATE TABLE parked (id TEXT NOT NULL PRIMARY KEY, organization TEXT, place TEXT NOT NULL, code TEXT NOT NULL,
        reason TEXT NOT NULL, account TEXT, route TEXT NOT NULL, headers TEXT NOT NULL, body {bytes} NOT NULL,
        at BIGINT NOT NULL, redriven_at BIGINT, redrive_at BIGINT)",
    "CREATE INDEX parked_waiting ON parked (at) WHERE redriven_at IS NULL",
    "CREATE INDEX parked_requested ON parked (redrive_at) WHERE redrive_at IS NOT NULL",
    "CREATE TABLE attempts (message TEXT NOT NULL, part BIGINT NOT NULL, state TEXT NOT NULL, outcome TEXT,
        begun_at BIGINT NOT NULL, PRIMARY KEY (message, part)) {clustered}",
    "CREATE TABLE windows (thread TEXT NOT NULL PRIMARY KEY, wrote_at BIGINT NOT NULL,
        expires_at BIGINT NOT NULL) {clustered}",
    "CREATE INDEX windows_expiry ON windows (expires_at)",
    "CREATE TABLE consents (sequence {serial}, cause TEXT NOT NULL UNIQUE, thread TEXT NOT NULL,
        organization TEXT NOT NULL, account TEXT NOT NULL, address TEXT NOT NULL, channel TEXT NOT NULL,
        granted BIGINT NOT NULL, source TEXT NOT NULL, evidence TEXT NOT NULL, at BIGINT NOT NULL)",
    "CREATE INDEX consents_thread ON consents (thread, at, sequence)",
    "CREATE TABLE cursors (name TEXT NOT NULL PRIMARY KEY, place TEXT NOT NULL) {clustered}",
    "CREATE TABLE leases (name TEXT NOT NULL PRIMARY KEY, owner TEXT NOT NULL, expires_at BIGINT NOT NULL) {clustered}",
    "CREATE TABLE mailboxes (account TEXT NOT NULL, address TEXT NOT NULL, last_sequence BIGINT NOT NULL,
        PRIMARY KEY (account, address)) {clustered}",
    "CREATE TABLE mailbox_items (account TEXT NOT NULL, address TEXT NOT NULL, sequence BIGINT NOT NULL,
        id TEXT NOT NULL, body TEXT NOT NULL, at BIGINT NOT NULL, PRIMARY KEY (account, address, sequence))",
    "CREATE UNIQUE INDEX mailbox_items_id ON mailbox_items (account, address, id)",
    // ---- the directory
    "CREATE TABLE organizations (id TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL)",
    "CREATE TABLE accounts (id TEXT NOT NULL PRIMARY KEY, organization TEXT NOT NULL, channel TEXT NOT NULL,
        name TEXT NOT NULL, label TEXT NOT NULL, queue TEXT NOT NULL, settings TEXT NOT NULL, secrets TEXT NOT NULL,
        active BIGINT NOT NULL)",
    "CREATE UNIQUE INDEX accounts_hook ON accounts (channel, name)",
    "CREATE INDEX accounts_organization ON accounts (organization)",
    "CREATE TABLE queues (id TEXT NOT NULL PRIMARY KEY, organization TEXT NOT NULL, name TEXT NOT NULL,
        distribution TEXT NOT NULL, inactive_after BIGINT NOT NULL, abandon_after BIGINT NOT NULL,
        members TEXT NOT NULL, active BIGINT NOT NULL)",
    "CREATE INDEX queues_organization ON queues (organization)",
    "CREATE TABLE users (id TEXT NOT NULL PRIMARY KEY, organization TEXT NOT NULL, email TEXT NOT NULL UNIQUE,
        name TEXT NOT NULL, role TEXT NOT NULL, language TEXT NOT NULL, password TEXT NOT NULL,
        capacity BIGINT NOT NULL, active BIGINT NOT NULL)",
    "CREATE INDEX users_organization ON users (organization)",
    "CREATE TABLE sign_ins (token_hash TEXT NOT NULL PRIMARY KEY, organization TEXT NOT NULL, user_id TEXT NOT NULL,
        created_at BIGINT NOT NULL, expires_at BIGINT NOT NULL) {clustered}",
    "CREATE INDEX sign_ins_expiry ON sign_ins (expires_at)",
    // ---- the embedded bus: what its queues hold. On PostgreSQL it stays empty.
    "CREATE TABLE bus_messages (seq {rowid}, queue TEXT NOT NULL, id TEXT NOT NULL, route TEXT NOT NULL,
        kind TEXT NOT NULL, correlation TEXT, headers TEXT NOT NULL, body {bytes} NOT NULL, attempts BIGINT NOT NULL,
        available_at BIGINT NOT NULL)",
    "CREATE INDEX bus_messages_queue ON bus_messages (queue, seq)",
    "CREATE TABLE bus_marks (queue TEXT NOT NULL PRIMARY KEY, delivered BIGINT NOT NULL) {clustered}",
];

// What is swept is found by its age.
const VERSION_2: &[&str] = &[
    "CREATE INDEX processed_age ON processed (at)",
    "CREATE INDEX attempts_age ON attempts (begun_at) WHERE state <> 'begun'",
];

// A message of the contact moves no index of its conversation: PostgreSQL then writes the new row beside the old one and
// touches no index at all. Only closed conversations are listed by their last activity in great numbers.
const VERSION_3: &[&str] = &[
    "DROP INDEX conversations_recent",
    "CREATE INDEX conversations_closed ON conversations (organization, last_activity_at) WHERE stage = 'closed'",
];

// What a contact said in a conversation that is over is found by thread. The open one has its own index.
const VERSION_4: &[&str] =
    &["CREATE INDEX conversations_closed_thread ON conversations (thread) WHERE stage = 'closed'"];

// What channels accepted, and what was heard of it. `stream` begins with `slot`, so that rows of one time lie together.
const VERSION_5: &[&str] = &[
    "CREATE TABLE accepted (slot BIGINT NOT NULL, stream TEXT NOT NULL, upto BIGINT NOT NULL, void TEXT NOT NULL,
        at BIGINT NOT NULL, PRIMARY KEY (slot, stream)) {clustered}",
    "CREATE TABLE heard (slot BIGINT NOT NULL, stream TEXT NOT NULL, fate TEXT NOT NULL, first BIGINT NOT NULL,
        last BIGINT NOT NULL, PRIMARY KEY (slot, stream, fate, first, last)) {clustered}",
];

// Parked messages are looked at by cause, and decided about by people. What was parked as in doubt before keeps its
// message in its headers alone.
const VERSION_6: &[&str] = &[
    "ALTER TABLE parked ADD COLUMN channel TEXT",
    "ALTER TABLE parked ADD COLUMN provider_code TEXT",
    "ALTER TABLE parked ADD COLUMN message TEXT",
    "ALTER TABLE parked ADD COLUMN requested TEXT",
    "ALTER TABLE parked ADD COLUMN closed_at BIGINT",
    "ALTER TABLE parked ADD COLUMN version BIGINT NOT NULL DEFAULT 0",
    "CREATE INDEX parked_board ON parked (organization, at, id) WHERE redriven_at IS NULL AND closed_at IS NULL",
    "CREATE INDEX parked_message ON parked (message) WHERE message IS NOT NULL",
    "CREATE TABLE parked_decisions (sequence {serial}, parked TEXT NOT NULL, organization TEXT, ruling TEXT NOT NULL,
        reason TEXT, user_id TEXT, at BIGINT NOT NULL)",
    "CREATE INDEX parked_decisions_parked ON parked_decisions (parked, sequence)",
];

// The provider's templates, by account, and how reading them stands.
const VERSION_7: &[&str] = &[
    "CREATE TABLE templates (account TEXT NOT NULL, id TEXT NOT NULL, name TEXT NOT NULL, language TEXT NOT NULL,
        status TEXT NOT NULL, template TEXT NOT NULL, PRIMARY KEY (account, id)) {clustered}",
    "CREATE TABLE template_lists (account TEXT NOT NULL PRIMARY KEY, organization TEXT NOT NULL, read_at BIGINT,
        changed_at BIGINT, failed_at BIGINT, failure TEXT) {clustered}",
];

// Whose mark of a begun attempt it is: who lost the answer finds its own again.
const VERSION_8: &[&str] = &["ALTER TABLE attempts ADD COLUMN claim TEXT"];

// What an account has beyond its share of a partition, and whose turn it is to write there.
const VERSION_9: &[&str] = &[
    "CREATE TABLE shelf_turns (channel TEXT NOT NULL, lane BIGINT NOT NULL, turn BIGINT NOT NULL,
        PRIMARY KEY (channel, lane)) {clustered}",
    "CREATE TABLE shelved (sequence {serial}, channel TEXT NOT NULL, lane BIGINT NOT NULL, account TEXT NOT NULL,
        organization TEXT NOT NULL, id TEXT NOT NULL, route TEXT NOT NULL, kind TEXT NOT NULL, correlation TEXT,
        headers TEXT NOT NULL, body {bytes} NOT NULL)",
    "CREATE UNIQUE INDEX shelved_id ON shelved (channel, lane, account, organization, id)",
    "CREATE INDEX shelved_place ON shelved (channel, lane, account, organization, sequence)",
];

// Distribution reads the heads of queues and the free seats, each in the order in which they come. The desk lists a stage,
// or an agent's own, in the order of its waiting without reading the others, and counts without reading any. What a message
// of the contact or a send's outcome changes is in no index, not even in the condition of one: PostgreSQL then writes the
// new row beside the old one, where there is room, and touches no index at all.
const VERSION_10: &[&str] = &[
    "CREATE INDEX conversations_heads ON conversations (organization, queue, waiting_since, id) WHERE stage = 'waiting'",
    "CREATE INDEX conversations_stage ON conversations (organization, stage, waiting_since, id) WHERE stage <> 'closed'",
    "CREATE INDEX conversations_own ON conversations (agent, organization, stage, waiting_since, id)
        WHERE agent IS NOT NULL",
    "CREATE INDEX conversations_counts ON conversations (organization, channel, stage, queue) WHERE stage <> 'closed'",
    "CREATE INDEX conversations_ended ON conversations (organization, closed_at, id) WHERE stage = 'closed'",
    "CREATE INDEX seats_free ON seats (organization, last_assigned_at, user_id)
        WHERE presence = 'online' AND load < capacity",
    "CREATE INDEX attempts_begun ON attempts (begun_at)",
    "{postgres}ALTER TABLE conversations SET (fillfactor = 70)",
];

// What the ones before are instead of. Apart from them: to drop an index waits for all who read its table, and whoever
// comes to read it waits behind.
const VERSION_11: &[&str] = &[
    "DROP INDEX conversations_waiting",
    "DROP INDEX conversations_board",
    "DROP INDEX conversations_agent",
    "DROP INDEX conversations_closed",
];

// Nobody who reads the conversations waits for who reads the attempts.
const VERSION_12: &[&str] = &["DROP INDEX attempts_age"];

// The message that an event brought has an id that follows from the event's: nobody looks for one by its cause.
const VERSION_13: &[&str] = &["DROP INDEX messages_cause"];

// No statement: from here on a message is the mark of the event that brought it. A process of a release before would bring
// again what it finds no mark of, and meet the message for ever; so none may start.
const VERSION_14: &[&str] = &[];

// How many partitions the mesh has. One that is at work already, from before this was kept, has 16 unless somebody says
// otherwise.
const VERSION_15: &[&str] = &[
    "CREATE TABLE mesh_partitions (one BIGINT NOT NULL PRIMARY KEY, count BIGINT NOT NULL, assumed BIGINT NOT NULL)",
    "INSERT INTO mesh_partitions (one, count, assumed) SELECT 1, 16, 1 WHERE EXISTS (SELECT 1 FROM accounts)",
];
