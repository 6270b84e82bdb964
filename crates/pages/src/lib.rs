//! Gives the kernel back what of the program only its start needed.
//!
//! A process that starts runs through much of its program once: it reads its configuration, declares queues, makes
//! connections. Those pages stay mapped, and count as its resident memory, though nothing touches them again: more than
//! half of what an idle service held. [`give_back`] unmaps the program's code; what is needed comes back from the page
//! cache at its next use, a soft fault of a microsecond for each 64 KiB.
//!
//! It is the one crate in which `unsafe` is allowed, in one place (ADR 13). It is not an allocator and touches nothing
//! that the process ever wrote. Read [`give_back`], then `mapping.rs`.

mod mapping;

use std::{fs, io};

use rustix::mm::{Advice, madvise};

use mapping::Mapping;

/// Unmaps the program's code, and tells the kernel that it is not in use. Answers how many bytes of it were resident.
/// It is read again where it is needed, so nothing stops; call it when the start is over.
///
/// # Errors
/// The kernel does not say what is mapped, or refuses the advice.
pub fn give_back() -> io::Result<u64> {
    let told = fs::read_to_string("/proc/self/smaps")?;
    let mut given = 0;
    for mapping in mapping::read(&told).iter().filter(|mapping| mapping.is_code_as_in_its_file()) {
        unmap(mapping)?;
        given += mapping.resident;
    }
    Ok(given)
}

/// First "not in use", for a kernel that counts what is: unmapping alone would count as a use.
#[expect(unsafe_code, reason = "safe code has no way to give memory back")]
fn unmap(mapping: &Mapping) -> io::Result<()> {
    let start = std::ptr::with_exposed_provenance_mut(mapping.start);
    for advice in [Advice::LinuxCold, Advice::LinuxDontNeed] {
        // SAFETY: the range is a private mapping of a file, of which the kernel just said that none of its pages was ever
        // changed in memory, and that nobody may write there. So each page's bytes are the file's, and reading it again,
        // which is what happens at the next use, finds the same bytes: no value that Rust knows of changes.
        unsafe { madvise(start, mapping.length, advice) }?;
    }
    Ok(())
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
