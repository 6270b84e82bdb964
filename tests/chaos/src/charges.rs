//! What may be wrong with a run: each charge is a count that must be zero, with examples.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use crate::{
    faults::{Stall, Wound},
    ledger::{Entry, Ledger, Way},
    load::{Channel, Customer, FORGED, Item, OPTED_OUT, OVERFULL, SHARED, TRESPASS},
};

/// The codes with which the gate refuses a text; in a run nobody is silent for so long that a window closes.
const GATES: [&str; 3] = [OPTED_OUT, "no_opt_in", "window_closed"];

/// One count that must be zero, and examples.
pub(crate) struct Charge {
    pub(crate) what: &'static str,
    pub(crate) found: Vec<String>,
}

/// By the customer's name, the texts in the order in which they are there.
pub(crate) type Texts = BTreeMap<String, Vec<String>>;

/// What was written and never taken; begun too long ago to be on its way.
pub(crate) fn begun(ledger: &Ledger) -> Charge {
    let is_untaken = |one: &Entry| one.accepted.is_none() && !one.was_turned_away();
    let untaken = |way| ledger.of(way).into_iter().filter(|(_, one)| is_untaken(one)).map(|(words, _)| words);
    Charge { what: "tried until the end and never taken", found: untaken(Way::In).chain(untaken(Way::Out)).collect() }
}

/// Customers' messages against what the desk shows.
pub(crate) fn inbound(ledger: &Ledger, shown: &Texts) -> Vec<Charge> {
    let seen: BTreeSet<&String> = shown.values().flatten().collect();
    let entries = ledger.of(Way::In);
    let accepted = entries.iter().filter(|(_, one)| one.accepted.is_some());
    vec![
        Charge {
            what: "accepted from a customer and not at the desk",
            found: accepted.map(|(words, _)| words).filter(|words| !seen.contains(words)).cloned().collect(),
        },
        Charge { what: "twice at the desk", found: doubles(shown.values().flatten().map(String::as_str)) },
        Charge { what: "out of order at the desk", found: all_turned(shown) },
        Charge { what: "in somebody else's conversation", found: astray(shown) },
    ]
}

/// Replies against what the providers took and the visitors' pages showed.
pub(crate) fn outbound(ledger: &Ledger, sent: &Texts) -> Vec<Charge> {
    let entries = ledger.of(Way::Out);
    let known: BTreeSet<&String> = sent.values().flatten().collect();
    let open = entries.iter().filter(|(_, one)| one.accepted.is_some() && one.heard.is_none());
    let told = entries
        .iter()
        .filter(|(_, one)| matches!(one.state.as_str(), "accepted" | "sent" | "delivered" | "read"))
        .map(|(words, _)| words);
    vec![
        Charge {
            what: "replies neither delivered nor failed nor parked",
            found: open.map(|(words, one)| format!("{words} ({})", one.state)).collect(),
        },
        Charge {
            what: "replies called delivered that the provider or page does not know",
            found: told.filter(|words| !known.contains(words)).cloned().collect(),
        },
        Charge {
            what: "twice at the provider or on the page",
            found: doubles(sent.values().flatten().map(String::as_str)),
        },
        Charge { what: "out of order at the provider or on the page", found: all_turned(sent) },
        Charge {
            what: "at the provider or on the page, and never written at the desk",
            found: known.into_iter().filter(|words| !entries.contains_key(*words)).cloned().collect(),
        },
        Charge { what: "sent to somebody else", found: astray(sent) },
    ]
}

/// What visitors saw against what a page sees that is loaded anew: by the customer's name, what it shows.
pub(crate) fn pages(ledger: &Ledger, customers: &[Arc<Customer>], anew: &BTreeMap<String, Vec<Item>>) -> Vec<Charge> {
    let visitors = customers.iter().filter(|customer| customer.channel == Channel::Webchat);
    let otherwise = visitors.filter_map(|customer| {
        let page = customer.page();
        let all = anew.get(&customer.name).map_or(&[][..], Vec::as_slice);
        let at = (0..page.items.len()).find(|at| page.items.get(*at) != all.get(*at))?;
        Some(format!("{}: {:?} where a new page shows {:?}", customer.name, page.items.get(at), all.get(at)))
    });
    let own = |(name, items): (&String, &Vec<Item>)| {
        (name.clone(), items.iter().filter(|item| item.own).map(|item| item.words.clone()).collect())
    };
    let own: Texts = anew.iter().map(own).collect();
    let seen: BTreeSet<&String> = own.values().flatten().collect();
    let entries = ledger.of(Way::In);
    let accepted = entries.iter().filter(|(_, one)| one.channel == Channel::Webchat && one.accepted.is_some());
    let mut wrong: Vec<String> =
        accepted.filter(|(words, _)| !seen.contains(words)).map(|(words, _)| format!("{words} is missing")).collect();
    wrong.extend(doubles(own.values().flatten().map(String::as_str)).into_iter().map(|words| format!("{words} twice")));
    wrong.extend(all_turned(&own));
    vec![
        Charge { what: "missed or shown otherwise by a page that came back", found: otherwise.collect() },
        Charge { what: "of a visitor's own words lost, doubled or turned on the page", found: wrong },
    ]
}

/// What agents asked for against a customer's word, and what nobody permitted.
pub(crate) fn gated(ledger: &Ledger, customers: &[Arc<Customer>], sent: &Texts) -> Vec<Charge> {
    let entries = ledger.of(Way::Out);
    let known: BTreeSet<&String> = sent.values().flatten().collect();
    let passed = |words: &String, one: &Entry| known.contains(words) || one.heard.is_some() && one.code != OPTED_OUT;
    let barred = entries.iter().filter(|(words, one)| one.barred && passed(words, one));
    let agree: Vec<_> = customers.iter().filter(|one| !one.opts_out()).map(|one| format!("{} ", one.name)).collect();
    let stopped = entries
        .iter()
        .filter(|(words, one)| GATES.contains(&one.code.as_str()) && agree.iter().any(|name| words.starts_with(name)));
    let told = |(words, one): (&String, &Entry)| format!("{words} ({} {})", one.state, one.code);
    vec![
        Charge { what: "let past the gate after the desk showed the opt-out", found: barred.map(told).collect() },
        Charge { what: "refused by the gate, to somebody who never opted out", found: stopped.map(told).collect() },
        Charge {
            what: "forged, and at the provider",
            found: ledger.noted(FORGED).into_iter().filter(|words| known.contains(words)).collect(),
        },
        noted(ledger, TRESPASS),
    ]
}

/// Who had what in hand. `idle` is what waits at the end for somebody who is free.
pub(crate) fn owned(ledger: &Ledger, idle: Vec<String>) -> Vec<Charge> {
    let waits = Charge { what: "waits at the end although an agent of its queue is free", found: idle };
    vec![noted(ledger, SHARED), noted(ledger, OVERFULL), waits]
}

/// What the run itself did not get over: what was still open when it ended, and the processes that ended unasked.
pub(crate) fn survived(open: Vec<String>, ended: Vec<String>) -> Vec<Charge> {
    vec![
        Charge { what: "still open at the end", found: open },
        Charge { what: "processes that ended unasked", found: ended },
    ]
}

/// The harm to the mesh or its servers after which something waited longer than `limit`.
pub(crate) fn stalled(wounds: &[Wound], limit: Duration) -> Charge {
    let over = |stall: Stall| stall.after.filter(|after| *after > limit);
    let told = |way: &str, wound: &Wound, stall| {
        over(stall).map(|after| format!("{way} {:.1} s after {}", after.as_secs_f64(), wound.name))
    };
    let ours = wounds.iter().filter(|wound| !wound.providers);
    let found =
        ours.flat_map(|one| [told("in", one, one.stalled_in), told("out", one, one.stalled_out)]).flatten().collect();
    Charge { what: "stalls that are longer than was asked for", found }
}

fn noted(ledger: &Ledger, kind: &'static str) -> Charge {
    Charge { what: kind, found: ledger.noted(kind) }
}

fn doubles<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut once = BTreeSet::new();
    texts.filter(|text| !once.insert(*text)).map(str::to_owned).collect()
}

fn all_turned(texts: &Texts) -> Vec<String> {
    texts.values().flat_map(|texts| turned(texts.iter().map(String::as_str))).collect()
}

/// Those that come after a later one. The numbers have leading zeros, so texts sort like them.
fn turned<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut last = "";
    let mut found = Vec::new();
    for text in texts {
        if text < last {
            found.push(format!("{text} after {last}"));
        }
        last = last.max(text);
    }
    found
}

/// Those that are with another customer than the one whose name they begin with.
fn astray(texts: &Texts) -> Vec<String> {
    let others = |(name, texts): (&String, &Vec<String>)| {
        let name = format!("{name} ");
        texts
            .iter()
            .filter(|text| !text.starts_with(&name))
            .map(|text| format!("{text} with {name}"))
            .collect::<Vec<_>>()
    };
    texts.iter().flat_map(others).collect()
}

#[cfg(test)]
mod tests;
