//! What each service's user may do on the broker: the least that suffices.

use ports::topology::{Party, Queue};

use crate::names::Names;

/// The three expressions of `rabbitmqctl set_permissions`: names of exchanges and queues, as whole matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rights {
    /// What may be declared: the fan-out queues of its own replicas, nothing else.
    pub configure: String,
    /// What may be published to, and what may be bound.
    pub write: String,
    /// What may be consumed, and what may be bound to.
    pub read: String,
}

/// The rights of `party` where an administrator declares the map ([`crate::set_up`]). The default exchange is not among
/// them: who may write there may write to every queue, and so past the gate.
pub fn rights(party: &Party, namespace: &str) -> Rights {
    let names = Names::new(namespace);
    let fanout = party.hears().map(|topic| {
        let start = names.queue(&Queue::Fanout { topic: topic.clone(), replica: String::new() });
        (format!("{}.*", escaped(&start)), escaped(&names.exchange(&topic)))
    });
    let queues: Vec<String> = party.consumes(1).iter().map(|queue| of_all_partitions(&names.queue(queue))).collect();
    let mut write: Vec<String> =
        party.publishes().iter().map(|exchange| escaped(&format!("{namespace}{exchange}"))).collect();
    if !queues.is_empty() {
        write.push(escaped(&names.retry_exchange(party)));
    }
    let (mut configure, mut read) = (Vec::new(), queues);
    if let Some((queue, exchange)) = fanout {
        configure.push(queue.clone());
        write.push(queue.clone());
        read.extend([queue, exchange]);
    }
    Rights { configure: whole(&configure), write: whole(&write), read: whole(&read) }
}

/// The queue of partition 0 stands for those of all.
fn of_all_partitions(queue: &str) -> String {
    queue.strip_suffix(".0").map_or_else(|| escaped(queue), |start| format!("{}\\.[0-9]+", escaped(start)))
}

fn escaped(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for letter in name.chars() {
        if !letter.is_ascii_alphanumeric() && !matches!(letter, '-' | '_') {
            text.push('\\');
        }
        text.push(letter);
    }
    text
}

/// An expression that matches one of these, whole; nothing when there are none.
fn whole(names: &[String]) -> String {
    if names.is_empty() { "^$".to_owned() } else { format!("^({})$", names.join("|")) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn invariant_4_the_rights_of_each_service_name_no_more_than_it_needs() {
        assert_eq!(
            rights(&Party::Session, ""),
            Rights {
                configure: "^$".into(),
                write: r"^(afluente\.inbound|afluente\.outbound|afluente\.parked|afluente\.retry\.session)$".into(),
                read: r"^(session\.inbound\.[0-9]+|session\.requested\.[0-9]+)$".into(),
            }
        );
        assert_eq!(
            rights(&Party::Desk, "x."),
            Rights {
                configure: r"^(x\.afluente\.events\..*)$".into(),
                write: r"^(x\.afluente\.events\..*)$".into(),
                read: r"^(x\.afluente\.events\..*|x\.afluente\.events)$".into(),
            }
        );
        let whatsapp = rights(&Party::Channel("whatsapp".parse().unwrap()), "");
        assert_eq!(whatsapp.configure, r"^(afluente\.links\.whatsapp\..*)$");
        assert!(!whatsapp.write.contains("outbound"), "{}", whatsapp.write);
    }
}
