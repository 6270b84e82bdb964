//! What may be wrong with a run: each charge is a count that must be zero, with examples.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde_json::{Value, json};

use crate::{
    ledger::{Ledger, Way},
    load::{Channel, Customer, Item},
};

/// One count that must be zero, and examples.
pub(crate) struct Charge {
    pub(crate) what: &'static str,
    pub(crate) found: Vec<String>,
}

/// By the customer's name, the texts in the order in which they are there.
pub(crate) type Texts = BTreeMap<String, Vec<String>>;

/// What was written and never taken; begun too long ago to be on its way.
pub(crate) fn begun(ledger: &Ledger) -> Charge {
    let untaken = |way| ledger.of(way).into_iter().filter(|(_, one)| one.accepted.is_none()).map(|(words, _)| words);
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

/// What `afluente audit` answers, and conversations that two agents took.
pub(crate) fn owned(ledger: &Ledger, audit: &Value) -> Charge {
    let mut found: Vec<String> = ["unaccounted_in", "unaccounted_out", "out_of_order", "seat_mismatch"]
        .into_iter()
        .filter(|what| audit[what] != json!(0))
        .map(|what| format!("{what} {}", audit[what]))
        .collect();
    found.extend(ledger.counts().get("taken by two").map(|count| format!("taken by two agents {count} times")));
    Charge { what: "found by the audit, or owned twice", found }
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
mod tests {
    use super::*;

    fn guilty(charges: &[Charge]) -> Vec<&'static str> {
        charges.iter().filter(|charge| !charge.found.is_empty()).map(|charge| charge.what).collect()
    }

    /// A ledger with one visitor whose two messages and two replies were taken, and what the page of theirs shows.
    fn run() -> (Ledger, Vec<Arc<Customer>>, Vec<Item>) {
        let ledger = Ledger::default();
        let customers: Vec<_> =
            Customer::all(8).into_iter().filter(|one| one.channel == Channel::Webchat).take(1).collect();
        let (mut items, customer) = (Vec::new(), Arc::clone(&customers[0]));
        for n in 0..2 {
            for (way, words) in [(Way::In, customer.says(n)), (Way::Out, customer.is_told(n))] {
                ledger.begin(way, Channel::Webchat, &words);
                ledger.accepted(way, &words);
                items.push(Item { sequence: items.len() as u64 + 1, id: words.clone(), own: way == Way::In, words });
            }
        }
        (ledger, customers, items)
    }

    fn show(customer: &Customer, items: &[Item]) {
        customer.page().items = items.to_vec();
    }

    #[test]
    fn a_page_that_saw_all_in_order_is_not_charged() {
        let (ledger, customers, items) = run();
        show(&customers[0], &items);
        let anew = BTreeMap::from([(customers[0].name.clone(), items)]);
        assert!(guilty(&pages(&ledger, &customers, &anew)).is_empty());
    }

    #[test]
    fn a_page_that_missed_one_is_charged() {
        let (ledger, customers, items) = run();
        show(&customers[0], &[items[0].clone(), items[2].clone()]);
        let anew = BTreeMap::from([(customers[0].name.clone(), items)]);
        assert_eq!(guilty(&pages(&ledger, &customers, &anew)), ["missed or shown otherwise by a page that came back"]);
    }

    #[test]
    fn an_acknowledged_word_that_no_page_shows_is_charged() {
        let (ledger, customers, mut items) = run();
        items.remove(2);
        let anew = BTreeMap::from([(customers[0].name.clone(), items)]);
        let wrong = ["of a visitor's own words lost, doubled or turned on the page"];
        assert_eq!(guilty(&pages(&ledger, &customers, &anew)), wrong);
    }

    #[test]
    fn a_reply_called_delivered_ends_only_on_the_page() {
        let (ledger, customers, _) = run();
        let name = &customers[0].name;
        for n in 0..2 {
            ledger.heard(Way::Out, &customers[0].is_told(n), "delivered", "");
        }
        ledger.arrived(&customers[0].is_told(0));
        let sent = Texts::from([(name.clone(), vec![customers[0].is_told(0)])]);
        assert_eq!(
            guilty(&outbound(&ledger, &sent)),
            [
                "replies neither delivered nor failed nor parked",
                "replies called delivered that the provider or page does not know"
            ]
        );
    }

    #[test]
    fn what_the_desk_lacks_doubles_or_turns_is_charged() {
        let (ledger, customers, _) = run();
        let (name, says) = (customers[0].name.clone(), |n| customers[0].says(n));
        let of = |texts: Vec<String>| guilty(&inbound(&ledger, &Texts::from([(name.clone(), texts)])));
        assert!(of(vec![says(0), says(1)]).is_empty());
        assert_eq!(of(vec![says(0)]), ["accepted from a customer and not at the desk"]);
        assert_eq!(of(vec![says(0), says(1), says(1)]), ["twice at the desk"]);
        assert_eq!(of(vec![says(1), says(0)]), ["out of order at the desk"]);
        assert_eq!(of(vec![says(0), says(1), "visitor-9999 i 000000".to_owned()]), ["in somebody else's conversation"]);
    }
}
