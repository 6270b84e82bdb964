//! What `/proc/self/smaps` says of each mapping (proc(5)): a line with its range, rights and file, then a line for each
//! number.

/// A range of addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mapping {
    pub(crate) start: usize,
    pub(crate) length: usize,
    rights: String,
    /// Whether a file lies below it.
    is_file: bool,
    /// Bytes that are in memory.
    pub(crate) resident: u64,
    /// Bytes in memory that are the process's own: changed since they were read.
    own: Option<u64>,
    /// The same, where the kernel put them elsewhere for want of memory.
    swapped: Option<u64>,
}

impl Mapping {
    /// Code that is byte for byte what its file holds: nobody may write there, and nobody did, a debugger included.
    pub(crate) fn is_code_as_in_its_file(&self) -> bool {
        self.rights == "r-xp" && self.is_file && (self.own, self.swapped) == (Some(0), Some(0))
    }
}

/// Reads it. Lines of a shape that is not known say nothing.
pub(crate) fn read(smaps: &str) -> Vec<Mapping> {
    let mut found: Vec<Mapping> = Vec::new();
    for line in smaps.lines() {
        if let Some(mapping) = range(line) {
            found.push(mapping);
        } else if let (Some((name, bytes)), Some(last)) = (number(line), found.last_mut()) {
            match name {
                "Rss" => last.resident = bytes,
                "Anonymous" => last.own = Some(bytes),
                "Swap" => last.swapped = Some(bytes),
                _ => {}
            }
        }
    }
    found
}

/// `55d0c0a00000-55d0c1e97000 r-xp 0068a000 08:01 1234 /usr/bin/afluente`.
fn range(line: &str) -> Option<Mapping> {
    let mut words = line.split_ascii_whitespace();
    let (start, end) = words.next()?.split_once('-')?;
    let (start, end) = (usize::from_str_radix(start, 16).ok()?, usize::from_str_radix(end, 16).ok()?);
    let rights = words.next()?.to_owned();
    let inode = words.nth(2)?;
    let length = end.checked_sub(start)?;
    Some(Mapping { start, length, rights, is_file: inode != "0", resident: 0, own: None, swapped: None })
}

/// `Rss:                1132 kB`.
fn number(line: &str) -> Option<(&str, u64)> {
    let (name, rest) = line.split_once(':')?;
    let kib: u64 = rest.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some((name, kib << 10))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOLD: &str = "\
55d0c0000000-55d0c068a000 r--p 00000000 08:01 1234 /opt/a b
Rss:                2768 kB
Anonymous:             0 kB
Swap:                  0 kB
55d0c068a000-55d0c1b22000 r-xp 00689000 08:01 1234 /opt/a b
Size:              21088 kB
Rss:               14020 kB
Anonymous:             0 kB
Swap:                  0 kB
VmFlags: rd ex mr mw me
7f0000000000-7f0000002000 r-xp 00000000 08:01 99 /lib/patched.so
Rss:                   8 kB
Anonymous:             4 kB
Swap:                  0 kB
7f0000010000-7f0000012000 r-xp 00000000 00:00 0 [vdso]
Rss:                   8 kB
Anonymous:             0 kB
Swap:                  0 kB
7f0000020000-7f0000022000 rwxp 00000000 08:01 7 /lib/jit.so
Rss:                   8 kB
Anonymous:             0 kB
Swap:                  0 kB
7f0000030000-7f0000032000 r-xp 00000000 08:01 8 /lib/silent.so
Rss:                   8 kB
7f0000040000-7f0000042000 r-xp 00000000 08:01 9 /lib/swapped.so
Rss:                   0 kB
Anonymous:             0 kB
Swap:                  4 kB
";

    #[test]
    fn only_code_that_is_as_in_its_file_is_given_back() {
        let all = read(TOLD);
        assert_eq!(all.len(), 7);
        let given: Vec<_> = all.iter().filter(|mapping| mapping.is_code_as_in_its_file()).collect();
        assert_eq!(given.len(), 1);
        assert_eq!(given.first().map(|one| (one.start, one.length)), Some((0x55d0_c068_a000, 0x149_8000)));
        assert_eq!(given.first().map(|one| one.resident), Some(14_020 << 10));
    }

    #[test]
    fn what_is_not_understood_is_left_alone() {
        assert_eq!(read("").len(), 0);
        assert_eq!(read("Rss: 4 kB\nnonsense\n12-zz r-xp 0 0 1 x\n20-10 r-xp 0 08:01 1 x\n10-20 r-xp\n").len(), 0);
    }
}
