//! Gives the kernel back what of the program only its start needed.
//!
//! A process that starts runs through much of its program once: it reads its configuration, declares queues, makes
//! connections. Those pages stay mapped, and count as its resident memory, though nothing touches them again: more than
//! half of what an idle service held. [`give_back`] unmaps the program's code; what is needed comes back from the page
//! cache at its next use, a soft fault of a microsecond for each 64 KiB.
//!
//! It is the one crate in which `unsafe` is allowed, in one place (ADR 13). It is not an allocator and touches nothing
//! that the process ever wrote. Read [`give_back`], then `mapping.rs`.
#![cfg(target_os = "linux")]

mod mapping;

use std::{fs, io};

use rustix::mm::{Advice, madvise};

use mapping::Mapping;

/// Unmaps the program's code, and tells the kernel that it is not in use. Answers how many bytes of it were resident.
/// It is read again where it is needed, so nothing stops; call it when the start is over. A process that unloads
/// libraries, or writes code while it runs, must not call it.
///
/// # Errors
/// The kernel does not say what is mapped.
pub fn give_back() -> io::Result<u64> {
    let told = fs::read_to_string("/proc/self/smaps")?;
    let code = mapping::read(&told).into_iter().filter(Mapping::is_code_as_in_its_file);
    // One that the kernel does not let go of, as it is locked, stays; the others go all the same.
    Ok(code.filter(|mapping| unmap(mapping).is_ok()).map(|mapping| mapping.resident).sum())
}

#[expect(unsafe_code, reason = "safe code has no way to give memory back")]
fn unmap(mapping: &Mapping) -> io::Result<()> {
    let start = std::ptr::with_exposed_provenance_mut(mapping.start);
    let advise = |advice| {
        // SAFETY: the range is a private mapping of a file, of which the kernel said that none of its pages was ever changed
        // in memory, and that nobody may write there. So each page's bytes are the file's, and reading it again, which is
        // what happens at the next use, finds the same bytes: no value that Rust knows of changes. That it still is that
        // mapping: code of the program and its libraries stays where it is until the process ends, as we unload none.
        unsafe { madvise(start, mapping.length, advice) }
    };
    // First "not in use": unmapping alone counts as a use. A kernel that does not know it (before 5.4) unmaps all the same.
    let _ = advise(Advice::LinuxCold);
    Ok(advise(Advice::LinuxDontNeed)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    /// What the kernel counts as resident of the code that lies in files.
    fn resident() -> u64 {
        let told = fs::read_to_string("/proc/self/smaps").unwrap();
        mapping::read(&told).iter().filter(|one| one.is_code_as_in_its_file()).map(|one| one.resident).sum()
    }

    #[test]
    fn the_program_goes_on_with_less_of_itself_in_memory() {
        let before = resident();
        let given = give_back().unwrap();
        let after = resident();
        assert!(given > 0 && given <= before + (1 << 20), "{given} of {before}");
        assert!(after < before, "{after} of {before}");
        // It still knows how to do things, old and new.
        let words: Vec<String> = (0..1_000).map(|n| format!("{n:x}")).collect();
        assert_eq!(words.iter().filter_map(|word| u32::from_str_radix(word, 16).ok()).sum::<u32>(), 499_500);
        assert!(give_back().unwrap() > 0);
    }
}
