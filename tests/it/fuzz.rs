//! A bounded run of every fuzz target, on mutations of real seeds. The long one is `fuzz/README.md`.

mod seeds;
#[path = "../../fuzz/targets.rs"]
mod targets;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use std::{fs, path::Path};

/// How many mutations of each target: a second or two together.
const ROUNDS: usize = 4_000;
/// What is put in the place of something: limits, signs of formats, and what begins another one.
const SPLICES: [&[u8]; 14] = [
    b"\0",
    b"\xff",
    b"\"",
    b"{",
    b"}",
    b"[",
    b"18446744073709551616",
    b"-1",
    b"1e9",
    b".",
    b"\\u0000",
    b"\xff\xff\xff\x7f",
    b"null",
    b"=",
];

/// A generator whose every run is the same (`SplitMix64`).
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end.max(1)).expect("a length")).expect("a length")
    }

    /// One to four changes of a seed.
    fn mutate(&mut self, seed: &[u8]) -> Vec<u8> {
        let mut bytes = seed.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len());
            match self.below(6) {
                0 => {
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte ^= 1 << self.below(8);
                    }
                }
                1 => bytes.truncate(at),
                2 => drop(bytes.drain(at..(at + self.below(16)).min(bytes.len()))),
                3 => {
                    let piece: Vec<u8> = bytes[at..(at + self.below(64)).min(bytes.len())].to_vec();
                    let to = self.below(bytes.len());
                    bytes.splice(to..to, piece);
                }
                4 => {
                    let splice = SPLICES[self.below(SPLICES.len())];
                    let end = (at + self.below(8)).min(bytes.len());
                    bytes.splice(at..end, splice.iter().copied());
                }
                _ => bytes.push(u8::try_from(self.below(256)).expect("a byte")),
            }
        }
        bytes
    }
}

#[test]
fn mutated_seeds_make_no_target_panic() {
    for (number, (name, target)) in (0_u64..).zip(targets::TARGETS) {
        let (mut draws, seeds) = (Draws(number), seeds::of(name));
        for seed in &seeds {
            target(seed);
        }
        for round in 0..ROUNDS {
            let bytes = draws.mutate(&seeds[round % seeds.len()]);
            let failed = std::panic::catch_unwind(|| target(&bytes)).is_err();
            assert!(!failed, "{name} fails for {}", STANDARD.encode(&bytes));
        }
    }
}

/// What `fuzz/README.md` says of the long run: a binary for each target, and its seeds with `CORPUS=1`.
#[test]
#[expect(clippy::disallowed_methods, reason = "a test's own switch, not configuration")]
fn every_target_has_a_long_run_that_begins_with_its_seeds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let read = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
    let manifest = read("Cargo.toml");
    for (name, _) in targets::TARGETS {
        let program = format!("fuzz_targets/{name}.rs");
        assert!(manifest.contains(&format!("name = \"{name}\"\npath = \"{program}\"\n")), "{name} has no binary");
        assert!(read(&program).contains(&format!("targets::{name}(bytes)")), "{program} runs another target");
        if std::env::var_os("CORPUS").is_some() {
            let corpus = folder.join("corpus").join(name);
            fs::create_dir_all(&corpus).unwrap();
            for (number, seed) in seeds::of(name).iter().enumerate() {
                fs::write(corpus.join(format!("seed-{number}")), seed).unwrap();
            }
        }
    }
    let programs = fs::read_dir(folder.join("fuzz_targets")).unwrap().count();
    assert_eq!((manifest.matches("[[bin]]").count(), programs), (targets::TARGETS.len(), targets::TARGETS.len()));
    // Without `--locked` the lock file would be rewritten, with it nothing would be built.
    let lock = read("Cargo.lock");
    let (_, own) = lock.split_once("name = \"sotto-fuzz\"\n").expect("its own entry");
    let own = own.split("[[package]]").next().unwrap_or_default();
    let (_, dependencies) = manifest.split_once("[dependencies]\n").expect("a section");
    for line in dependencies.split("\n\n").next().unwrap_or_default().lines() {
        let name = line.split(" = ").next().unwrap_or_default();
        // With its version where there are several of the name.
        let is_there = [format!("\"{name}\""), format!("\"{name} ")].iter().any(|entry| own.contains(entry));
        assert!(is_there, "fuzz/Cargo.lock lacks {name}");
    }
}
