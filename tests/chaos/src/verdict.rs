//! What a run tells in the end.

use std::collections::BTreeMap;

use crate::{
    charges::Charge,
    faults::{Stall, Wound},
    ledger::{Entry, Ledger, Way},
    load::Channel,
};

/// Prints what came, how it ended, how long it waited, and the charges. True when there is nothing to charge.
#[expect(clippy::print_stdout, reason = "a command line tool")]
pub(crate) fn report(ledger: &Ledger, wounds: &[Wound], charges: &[Charge]) -> bool {
    let (came, went) = (ledger.of(Way::In), ledger.of(Way::Out));
    let mut ends: BTreeMap<String, usize> = BTreeMap::new();
    for one in went.values() {
        let code = if one.code.is_empty() { String::new() } else { format!(" ({})", one.code) };
        *ends.entry(format!("{}{code}", one.state)).or_default() += 1;
    }
    println!("accepted: {}; replies: {}", accepted(&came), accepted(&went));
    println!("replies by their end: {ends:?}");
    println!("counted on the way: {:?}", ledger.counts());
    let ours = || wounds.iter().filter(|wound| !wound.providers);
    for (way, stall) in [("in", in_of as fn(&Wound) -> Stall), ("out", out_of)] {
        let added = ours().filter_map(|wound| Some((stall(wound).after?, &wound.name))).max();
        let whole = ours().filter_map(|wound| Some((stall(wound).whole?, &wound.name))).max();
        if let (Some((added, by)), Some((whole, of))) = (added, whole) {
            let (added, whole) = (added.as_secs_f64(), whole.as_secs_f64());
            println!("longest wait {way}: {added:.1} s after a harm was mended ({by}), {whole:.1} s in all ({of})");
        }
    }
    for charge in charges {
        println!("{:>5}  {}", charge.found.len(), charge.what);
        charge.found.iter().take(10).for_each(|one| println!("         {one}"));
    }
    charges.iter().all(|charge| charge.found.is_empty())
}

const fn in_of(wound: &Wound) -> Stall {
    wound.stalled_in
}

const fn out_of(wound: &Wound) -> Stall {
    wound.stalled_out
}

/// How many were accepted, in all and by channel.
fn accepted(entries: &BTreeMap<String, Entry>) -> String {
    let mut channels: BTreeMap<Channel, usize> = BTreeMap::new();
    for one in entries.values().filter(|one| one.accepted.is_some()) {
        *channels.entry(one.channel).or_default() += 1;
    }
    format!("{} {channels:?}", channels.values().sum::<usize>())
}
