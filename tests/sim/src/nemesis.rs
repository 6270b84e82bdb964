//! Carries out what the plan says goes wrong.

use std::{sync::Arc, time::Duration};

use domain::{Content, ConversationId, MessageId, ParkedId, Permit, Permitted, SendRequest, error::codes};
use ports::{Bus as _, bus::Envelope, topology::Topic};
use serde_json::json;
use wire::Wire as _;

use crate::{
    air::Air,
    cast::address,
    dice::Dice,
    plan::{Role, Strike},
    updates::Kept,
    world::{PARTITIONS, World, account, thread},
};

/// Strikes at `at`.
pub(crate) async fn strike(world: Arc<World>, number: usize, at: Duration, strike: Strike) {
    tokio::time::sleep(at).await;
    world.record.note(|| format!("-- {strike:?}"));
    match strike {
        Strike::Crash(place, steps, rest) => {
            if let Some(site) = world.site(place) {
                site.crash(steps, rest);
            }
        }
        Strike::Restart(place) => {
            if let Some(site) = world.site(place) {
                site.restart();
            }
        }
        Strike::BrokerAway(pause) => {
            world.broker.set_down(true);
            tokio::time::sleep(pause).await;
            world.broker.set_down(false);
        }
        Strike::BrokerBlip => world.broker.blip(None),
        Strike::CutFromBroker(place, pause) => {
            let name = place.to_string();
            if let Some(site) = world.site(place) {
                site.to_broker.cut(pause);
            }
            world.broker.set_cut(&name, true);
            tokio::time::sleep(pause).await;
            world.broker.set_cut(&name, false);
        }
        Strike::CutFromStore(place, pause) => {
            if let Some(site) = world.site(place) {
                site.to_store.cut(pause);
            }
        }
        Strike::StoreAway(pause) => world.sites.iter().for_each(|site| site.to_store.cut(pause)),
        Strike::WindowsLost => world.store.tables().windows.clear(),
        Strike::Forgery(house) => forge(&world, house, number).await,
        Strike::Garbage(house) => babble(&world, house, number).await,
        Strike::Throttle(house, pause) => {
            if let Some(provider) = world.providers.get(house) {
                provider.throttle(pause);
            }
        }
    }
}

/// A message that nobody permitted, straight to the channel.
async fn forge(world: &World, house: usize, number: usize) {
    let thread = thread(house, &address(0));
    let message = MessageId::derive(&["forged", &number.to_string()]);
    let now = world.now();
    let Ok(channel) = crate::channel::NAME.parse() else { return };
    let request = SendRequest {
        message,
        conversation: ConversationId::derive(&["forged"]),
        thread,
        channel,
        content: Content::text("nobody let this pass"),
        reply_to: None,
        author: None,
        at: now,
        last_inbound_at: Some(now),
    };
    let permit = Permit {
        message,
        organization: request.thread.organization,
        account: account(house),
        expires_at: now + Duration::from_secs(600),
        ground: "window".to_owned(),
        signature: vec![7; 64],
    };
    let topic = Topic::Outbound(request.channel.clone(), request.thread.partition(PARTITIONS));
    let envelope = Envelope {
        id: format!("forged-{number}"),
        topic,
        kind: Permitted::KIND.to_owned(),
        correlation: None,
        headers: Default::default(),
        body: wire::encode(&Permitted { request, permit }),
    };
    let intruder = world.broker.through("intruder", Air::still());
    if let Err(error) = intruder.publish(vec![envelope]).await {
        world.record.note(|| format!("the forgery was not published: {error}"));
    }
}

/// A call or an update that makes no sense, until it is accepted: it must be parked.
async fn babble(world: &World, house: usize, number: usize) {
    let mut dice = Dice::of(world.plan.seed, &format!("garbage {number}"));
    if world.is_linked(house) {
        // Nobody but a page could say it, and it is told so.
        return;
    }
    if world.is_polled(house) {
        let Some(provider) = world.providers.get(house) else { return };
        let told = json!({ "garbage": number });
        let id = parked(house, &told.to_string());
        provider.updates.offer(told, Kept::Garbage(id));
        return;
    }
    let body = format!("{{\"garbage\": {number}");
    loop {
        if let Some(running) = world.any(Role::Channel, &mut dice)
            && world.post(house, &body, running).await.is_some()
        {
            break;
        }
        tokio::time::sleep(dice.millis(300, 3_000)).await;
    }
    let id = parked(house, &body);
    world.record.note(|| format!("garbage is accepted: {id} ({})", codes::WEBHOOK_MALFORMED));
    world.record.known().garbage.push(id);
}

/// What a body of a house that makes no sense is parked as.
fn parked(house: usize, body: &str) -> ParkedId {
    let digest = hex::encode(ring::digest::digest(&ring::digest::SHA256, body.as_bytes()));
    ParkedId::derive(&[&account(house).to_string(), "webhook", &digest])
}
