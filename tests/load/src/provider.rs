//! Gupshup as the accounts of the mesh see it: it takes each message at once, and then calls the account's hook with the
//! receipts, one after another and again until they are taken.
//!
//! An account's number is in the path of its `base_url`, the message's in its text. Nothing else of a request is looked at:
//! whether it is right is for the tests of the channel.

use std::{
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
};

use crate::{
    fates::Step,
    http::{Connection, Wire},
    pace::Work,
    replies::{News, Replies},
};

/// What is told of each message, until it is on the contact's device.
const RECEIPTS: [&str; 3] = ["enqueued", "sent", "delivered"];
/// How many calls it makes at a time.
const CALLERS: usize = 64;
/// How many messages may wait for theirs. More, and the next message's connection waits, too.
const WAITING: usize = 100_000;
/// Between two calls with what was not taken.
const AGAIN: Duration = Duration::from_millis(100);

/// A message that was taken.
struct Taken {
    account: u32,
    /// Its number among the replies.
    number: u32,
    destination: String,
}

/// Takes messages at `plan.provider` until the run ends.
pub(crate) async fn start(plan: Arc<Replies>, tell: mpsc::UnboundedSender<News>) -> Result<(), String> {
    let listener =
        TcpListener::bind(&plan.provider).await.map_err(|problem| format!("{}: {problem}", plan.provider))?;
    let (calls, work) = Work::queue(WAITING);
    for one in 0..CALLERS {
        tokio::spawn(call(Arc::clone(&plan), one, work.clone()));
    }
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(take(Arc::clone(&plan), stream, tell.clone(), calls.clone()));
        }
    });
    Ok(())
}

/// Serves one connection of the channel.
async fn take(
    plan: Arc<Replies>,
    stream: TcpStream,
    tell: mpsc::UnboundedSender<News>,
    calls: mpsc::Sender<Taken>,
) -> std::io::Result<()> {
    let mut wire = Wire::new(stream)?;
    while let Some(request) = wire.read().await? {
        let body = String::from_utf8_lossy(&request.body);
        let account = request.head.split('/').nth(1).and_then(|number| number.parse().ok());
        let number = digits_after(&body, &plan.mark()).and_then(|number| number.parse().ok());
        let destination = digits_after(&body, "destination=");
        let (Some(account), Some(number), Some(destination)) = (account, number, destination) else {
            wire.write("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await?;
            continue;
        };
        // Nobody hears it after the run.
        let _ = tell.send(News::Reply(number, Step::Taken, Instant::now()));
        let answer = json!({"status": "submitted", "messageId": format!("gs.{}{number}", plan.mark())}).to_string();
        let length = answer.len();
        wire.write(&format!(
            "HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{answer}"
        ))
        .await?;
        if calls.send(Taken { account, number, destination: destination.to_owned() }).await.is_err() {
            break;
        }
    }
    Ok(())
}

/// The digits that come right after `mark`.
fn digits_after<'a>(text: &'a str, mark: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(mark)?;
    let end = rest.find(|one: char| !one.is_ascii_digit()).unwrap_or(rest.len());
    rest.get(..end).filter(|digits| !digits.is_empty())
}

/// Calls the hooks with receipts.
async fn call(plan: Arc<Replies>, one: usize, work: Work<Taken>) -> std::io::Result<()> {
    let mut connection = Connection::open(plan.doors.hooks(one)).await?;
    while let Some(taken) = work.next().await {
        let hook = format!("{}{}", plan.hook, taken.account);
        for state in RECEIPTS {
            let body = receipt(&plan, &taken, state).to_string();
            while !connection.taken(&hook, &[("Authorization", &plan.doors.secret)], &body).await? {
                tokio::time::sleep(AGAIN).await;
            }
        }
    }
    Ok(())
}

/// What is told of a message. What follows the first receipt is known by the network's id, and by Gupshup's beside it.
fn receipt(plan: &Replies, taken: &Taken, state: &str) -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let name = format!("{}{}", plan.mark(), taken.number);
    let (ours, theirs) = (format!("gs.{name}"), format!("wamid.{name}"));
    let mut payload = json!({"type": state, "destination": taken.destination});
    if state == "enqueued" {
        payload["id"] = json!(ours);
        payload["payload"] = json!({"whatsappMessageId": theirs, "type": "session"});
    } else {
        payload["id"] = json!(theirs);
        payload["gsId"] = json!(ours);
        payload["payload"] = json!({"ts": now.as_secs()});
    }
    let at = u64::try_from(now.as_millis()).unwrap_or_default();
    json!({"app": "LojaDemo", "timestamp": at, "version": 2, "type": "message-event", "payload": payload})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_ends_where_its_digits_end() {
        let form = "destination=5511900000001&message=%7B%22text%22%3A%22reply.7.0.12%22%7D";
        assert_eq!(digits_after(form, "reply.7.0."), Some("12"));
        assert_eq!(digits_after(form, "destination="), Some("5511900000001"));
        assert_eq!(digits_after(form, "reply.8.0."), None);
        assert_eq!(digits_after("reply.7.0.", "reply.7.0."), None);
    }
}
