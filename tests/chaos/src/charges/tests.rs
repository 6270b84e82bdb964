//! Each charge by a small run that is made by hand.

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

#[test]
fn a_reply_past_an_opt_out_that_the_desk_showed_is_charged() {
    let customers = Customer::all(8);
    let customer = customers.iter().find(|one| one.opts_out()).unwrap();
    let ledger = Ledger::default();
    let barred = customer.is_told(0);
    ledger.begin(Way::Out, customer.channel, &barred);
    ledger.bar(&barred);
    let guilty = |sent: &[&String]| {
        let sent = sent.iter().map(|words| (*words).clone()).collect();
        guilty(&gated(&ledger, &customers, &Texts::from([(customer.name.clone(), sent)])))
    };
    let wrong = ["let past the gate after the desk showed the opt-out"];
    assert!(guilty(&[]).is_empty(), "not yet ended, which is charged elsewhere");
    assert_eq!(guilty(&[&barred]), wrong);
    ledger.turned_away(&barred, OPTED_OUT);
    assert!(guilty(&[]).is_empty());
    ledger.heard(Way::Out, &barred, "failed", OPTED_OUT);
    assert!(guilty(&[]).is_empty());
    assert_eq!(guilty(&[&barred]), wrong, "whatever the desk calls it");
    ledger.heard(Way::Out, &barred, "parked", "in_doubt");
    assert_eq!(guilty(&[]), wrong, "who tries to send has been let past the gate");
}

#[test]
fn a_reply_that_was_turned_away_has_ended() {
    let customer = Customer::all(1).remove(0);
    let (ledger, words) = (Ledger::default(), customer.is_told(0));
    ledger.begin(Way::Out, customer.channel, &words);
    let later = std::time::Instant::now() + Duration::from_secs(1);
    assert_eq!((begun(&ledger).found.len(), ledger.open(later).len()), (1, 1));
    ledger.turned_away(&words, OPTED_OUT);
    assert_eq!((begun(&ledger).found.len(), ledger.open(later).len()), (0, 0));
}

#[test]
fn a_refusal_of_somebody_who_never_opted_out_is_charged() {
    let customers = Customer::all(8);
    let ledger = Ledger::default();
    for customer in &customers {
        ledger.begin(Way::Out, customer.channel, &customer.is_told(0));
        ledger.accepted(Way::Out, &customer.is_told(0));
    }
    let [agrees, opts_out] = [false, true].map(|opts| customers.iter().find(|one| one.opts_out() == opts).unwrap());
    ledger.heard(Way::Out, &opts_out.is_told(0), "failed", OPTED_OUT);
    assert!(guilty(&gated(&ledger, &customers, &Texts::new())).is_empty());
    ledger.heard(Way::Out, &agrees.is_told(0), "failed", "provider_rejected");
    assert!(guilty(&gated(&ledger, &customers, &Texts::new())).is_empty());
    for code in GATES {
        ledger.heard(Way::Out, &agrees.is_told(0), "failed", code);
        let wrong = ["refused by the gate, to somebody who never opted out"];
        assert_eq!(guilty(&gated(&ledger, &customers, &Texts::new())), wrong);
    }
}

#[test]
fn a_forgery_is_charged_when_a_provider_has_it_and_a_trespass_always() {
    let ledger = Ledger::default();
    ledger.note_down(FORGED, "a o forged 0".to_owned());
    assert!(guilty(&gated(&ledger, &[], &Texts::new())).is_empty());
    let sent = Texts::from([("a".to_owned(), vec!["a o forged 0".to_owned()])]);
    assert_eq!(guilty(&gated(&ledger, &[], &sent)), ["forged, and at the provider"]);
    ledger.note_down(TRESPASS, "a o forged 0".to_owned());
    assert_eq!(guilty(&gated(&ledger, &[], &Texts::new())), [TRESPASS]);
}

#[test]
fn what_was_owned_twice_or_beyond_capacity_or_by_nobody_is_charged() {
    let ledger = Ledger::default();
    assert!(guilty(&owned(&ledger, Vec::new())).is_empty());
    assert_eq!(guilty(&owned(&ledger, vec!["cnv_1".to_owned()])).len(), 1);
    ledger.note_down(SHARED, "cnv_1".to_owned());
    ledger.note_down(OVERFULL, "davi".to_owned());
    assert_eq!(guilty(&owned(&ledger, Vec::new())), [SHARED, OVERFULL]);
}

#[test]
fn what_is_open_at_the_end_and_a_process_that_ended_are_charged() {
    assert!(guilty(&survived(Vec::new(), Vec::new())).is_empty());
    let wrong = ["still open at the end", "processes that ended unasked"];
    assert_eq!(guilty(&survived(vec!["a".to_owned()], vec!["router 0".to_owned()])), wrong);
}

#[test]
fn a_stall_beyond_the_limit_is_charged_to_the_mesh_and_not_to_a_provider() {
    let seconds = Duration::from_secs;
    let wound = |after: u64, providers: bool| Wound {
        name: "crash-redis".to_owned(),
        at: seconds(1),
        harmed: seconds(1),
        stalled_in: Stall { after: None, whole: Some(seconds(90)) },
        stalled_out: Stall { after: Some(seconds(after)), whole: Some(seconds(90)) },
        open: Vec::new(),
        providers,
    };
    assert_eq!(stalled(&[wound(11, false)], seconds(10)).found, ["out 11.0 s after crash-redis"]);
    assert!(stalled(&[wound(10, false), wound(60, true)], seconds(10)).found.is_empty());
}
