//! Randomness of the system, answered from the seed: hash maps, the scheduler and the jitter of pauses then do in one
//! run of a seed what they do in every other, and no service has to know.
//!
//! The C library's `getrandom` is a symbol that a program may define for itself; the standard library says so where it
//! asks for it, and the crates that look it up by name find this one because `build.rs` exports it. A thread that was
//! not seeded is answered by the system.

use std::{cell::Cell, fs::File, io::Read as _};

use crate::dice::Dice;

thread_local! {
    static SOURCE: Cell<Option<Dice>> = const { Cell::new(None) };
}

/// From now on, what this thread asks of the system's randomness comes from `seed`. Before anything else on a fresh
/// thread: what was already drawn stays.
pub(crate) fn seed_this_thread(seed: u64) {
    SOURCE.set(Some(Dice::of(seed, "entropy")));
    let (mut first, mut again) = ([0; 8], [0; 8]);
    fill(&mut first);
    SOURCE.set(Some(Dice::of(seed, "entropy")));
    // Through the symbol, so that a program which is linked without it stops here.
    let drawn = getrandom(again.as_mut_ptr(), again.len(), 0);
    assert!(drawn == 8 && first == again, "the system's randomness is not ours");
}

fn fill(bytes: &mut [u8]) -> bool {
    match SOURCE.get() {
        Some(mut dice) => {
            for chunk in bytes.chunks_mut(8) {
                let word = dice.word().to_le_bytes();
                chunk.iter_mut().zip(word).for_each(|(byte, drawn)| *byte = drawn);
            }
            SOURCE.set(Some(dice));
            true
        }
        None => File::open("/dev/urandom").and_then(|mut system| system.read_exact(bytes)).is_ok(),
    }
}

/// The C library's function, for the whole program.
#[expect(unsafe_code, reason = "a C function is given a pointer and a length")]
#[unsafe(no_mangle)]
extern "C" fn getrandom(buffer: *mut u8, length: usize, _flags: u32) -> isize {
    if length == 0 {
        return 0;
    }
    // SAFETY: whoever calls `getrandom` gives it a buffer of that length to write to.
    let bytes = unsafe { std::slice::from_raw_parts_mut(buffer, length) };
    if fill(bytes) { isize::try_from(length).unwrap_or(-1) } else { -1 }
}
