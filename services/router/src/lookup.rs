//! What a batch needs to know, and the store's answer as the core's state.

use domain::{Command, Commanded, Inbound, InboundBody, OrganizationId, Outcome, Target};
use ports::journal::{Lookup, Snapshot};
use routing::{Decide, Event, Recall, State, message_of, saved_thread};

/// The organization that an event is about.
pub(crate) const fn organization(event: &Event) -> OrganizationId {
    match event {
        Event::Inbound(inbound) => inbound.thread.organization,
        Event::Command(command) => command.organization,
        Event::Due(due) => due.organization,
        Event::Assign(proposal) => proposal.organization,
        Event::Decide(decide) => decide.organization,
        Event::Recall(recall) => recall.organization,
    }
}

/// What is known to be needed before anything is loaded.
pub(crate) fn first<'a>(events: impl Iterator<Item = &'a Event>) -> Lookup {
    let mut lookup = Lookup::default();
    for event in events {
        match event {
            Event::Inbound(inbound) => of_inbound(&mut lookup, inbound),
            Event::Command(command) => {
                let organization = command.organization;
                lookup.events.insert(command.id);
                lookup.seats.insert((organization, command.actor));
                of_command(&mut lookup, organization, &command.command);
                if let Command::Send { .. } = command.command {
                    lookup.messages.insert((organization, message_of(command.id)));
                }
            }
            Event::Due(due) => {
                lookup.conversations.insert((due.organization, due.conversation));
            }
            Event::Assign(proposal) => {
                lookup.conversations.insert((proposal.organization, proposal.conversation));
                lookup.seats.insert((proposal.organization, proposal.user));
            }
            Event::Decide(decide) => {
                lookup.parked.insert((decide.organization, decide.parked));
            }
            Event::Recall(recall) => {
                lookup.parked.insert((recall.organization, recall.parked));
            }
        }
    }
    lookup
}

fn of_inbound(lookup: &mut Lookup, inbound: &Inbound) {
    let (organization, account) = (inbound.thread.organization, inbound.thread.account);
    if !matches!(inbound.body, InboundBody::Message(_)) {
        lookup.events.insert(inbound.id);
    }
    match &inbound.body {
        InboundBody::Message(said) => {
            lookup.brought.insert(routing::brought_by(inbound.id), inbound.id);
            lookup.threads.insert(inbound.thread.clone());
            lookup.provider_ids.extend(said.reply_to.iter().map(|id| (account, id.clone())));
        }
        InboundBody::Receipt(receipt) => {
            lookup.provider_ids.extend(receipt.provider_ids.iter().map(|id| (account, id.clone())));
        }
        InboundBody::Attempted(attempted) => {
            lookup.messages.insert((organization, attempted.message));
            match &attempted.outcome {
                Outcome::Accepted { provider_ids } => {
                    lookup.provider_ids.extend(provider_ids.iter().map(|id| (account, id.clone())));
                }
                Outcome::InDoubt { .. } => drop(lookup.taken.insert(attempted.message)),
                _ => {}
            }
        }
        InboundBody::Refused(refusal) => {
            lookup.messages.insert((organization, refusal.message));
            lookup.taken.insert(refusal.message);
        }
        InboundBody::MediaSettled(settled) => {
            lookup.messages.insert((organization, routing::brought_by(settled.message_event)));
        }
        InboundBody::Consent(_) => {}
    }
}

fn of_command(lookup: &mut Lookup, organization: OrganizationId, command: &Command) {
    let conversation = match command {
        Command::Take { conversation }
        | Command::Return { conversation }
        | Command::Conclude { conversation }
        | Command::MarkRead { conversation }
        | Command::SaveContact { conversation, .. } => conversation,
        Command::Transfer { conversation, to } => {
            if let Target::User(user) = to {
                lookup.seats.insert((organization, *user));
            }
            conversation
        }
        Command::Send { conversation, reply_to, .. } => {
            lookup.messages.extend(reply_to.iter().map(|message| (organization, *message)));
            conversation
        }
        Command::Retry { conversation, message } => {
            lookup.messages.insert((organization, *message));
            conversation
        }
        Command::DecideParked { parked, .. } => {
            lookup.parked.extend(parked.iter().map(|id| (organization, *id)));
            return;
        }
        Command::SetPresence { .. } => return,
    };
    lookup.conversations.insert((organization, *conversation));
}

/// What only the first answer tells: the seats of the agents who serve these conversations, the contact that a card was
/// saved as, the message that a retried one answers, the receipts of what the ledger knows was taken. None when nothing
/// is missing.
pub(crate) fn second<'a>(events: impl Iterator<Item = &'a Event>, state: &State) -> Option<Lookup> {
    let mut lookup = Lookup::default();
    for event in events {
        let (organization, conversation) = match event {
            Event::Command(Commanded { command: Command::DecideParked { parked, .. }, .. }) => {
                parked.iter().for_each(|id| answered_by_parked(&mut lookup, state, id));
                continue;
            }
            Event::Command(command) => {
                let mut named = Lookup::default();
                of_command(&mut named, command.organization, &command.command);
                let Some((organization, conversation)) = named.conversations.pop_first() else { continue };
                (organization, conversation)
            }
            Event::Due(due) => (due.organization, due.conversation),
            Event::Inbound(inbound) => {
                match &inbound.body {
                    InboundBody::Attempted(attempted) => {
                        answered(&mut lookup, state, attempted.message);
                        taken(&mut lookup, state, attempted.message);
                    }
                    InboundBody::Refused(refusal) => taken(&mut lookup, state, refusal.message),
                    _ => {}
                }
                continue;
            }
            Event::Decide(Decide { parked, .. }) | Event::Recall(Recall { parked, .. }) => {
                answered_by_parked(&mut lookup, state, parked);
                continue;
            }
            Event::Assign(_) => continue,
        };
        let Some(found) = state.conversations.get(&conversation) else { continue };
        if let Some(agent) = found.agent.filter(|agent| state.seat(organization, *agent).is_none()) {
            lookup.seats.insert((organization, agent));
        }
        if let Event::Command(command) = event {
            match &command.command {
                Command::SaveContact { card, .. } => {
                    lookup.threads.insert(saved_thread(found, card));
                }
                Command::Retry { message, .. } => answered(&mut lookup, state, *message),
                _ => {}
            }
        }
    }
    (lookup != Lookup::default()).then_some(lookup)
}

fn answered_by_parked(lookup: &mut Lookup, state: &State, parked: &domain::ParkedId) {
    if let Some(message) = state.parked.get(parked).and_then(|entry| entry.parked.message) {
        answered(lookup, state, message);
        taken(lookup, state, message);
    }
}

/// Receipts may wait for the ids by which the ledger knows a message.
fn taken(lookup: &mut Lookup, state: &State, message: domain::MessageId) {
    let account = state.messages.get(&message).and_then(|found| state.conversations.get(&found.conversation));
    if let (Some(conversation), Some(parts)) = (account, state.taken.get(&message)) {
        let ids = parts.values().flatten().map(|id| (conversation.thread.account, id.clone()));
        lookup.provider_ids.extend(ids);
    }
}

fn answered(lookup: &mut Lookup, state: &State, message: domain::MessageId) {
    if let Some(found) = state.messages.get(&message)
        && let Some(reply_to) = found.reply_to.filter(|id| !state.messages.contains_key(id))
    {
        lookup.messages.insert((found.organization, reply_to));
    }
}

/// Adds the store's answer to the state.
pub(crate) fn merge(state: &mut State, snapshot: Snapshot) {
    state.processed.extend(snapshot.processed);
    state.open.extend(snapshot.open);
    state.contacts.extend(snapshot.contacts);
    state.conversations.extend(snapshot.conversations);
    state.messages.extend(snapshot.messages);
    state.by_provider_id.extend(snapshot.by_provider_id);
    state.held.extend(snapshot.held);
    state.seats.extend(snapshot.seats);
    state.parked.extend(snapshot.parked);
    state.taken.extend(snapshot.taken);
}
