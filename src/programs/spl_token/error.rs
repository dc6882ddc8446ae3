//! What the token programs' error codes mean, for whoever is told that a transfer would fail.

/// The codes that a transfer can fail with.
const MEANINGS: [(u32, &str); 6] = [
    (1, "the paying account holds too little"),
    (3, "an account is of another mint"),
    (4, "whoever signed is neither owner nor delegate of the paying account"),
    (17, "an account is frozen"),
    (18, "the mint has other decimals"),
    (22, "an account is wrapped SOL"),
];
/// What stands before the code in the chain's words.
const CUSTOM: &str = "custom program error: 0x";

/// A sentence about a transfer that would fail: the chain's own words, and what its code means where a token program gives it.
pub fn explain_failure(error: &str) -> String {
    let digits = error.split_once(CUSTOM).map(|(_, rest)| rest.split(|c: char| !c.is_ascii_hexdigit()).next());
    let code = digits.flatten().and_then(|digits| u32::from_str_radix(digits, 16).ok());
    match MEANINGS.iter().find(|(known, _)| Some(*known) == code) {
        Some((_, meaning)) => format!("The chain refuses it: {error} ({meaning})."),
        None => format!("The chain refuses it: {error}."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_explained_and_other_words_are_passed_on() {
        let told = explain_failure("Error processing Instruction 2: custom program error: 0x1");
        assert!(told.ends_with("0x1 (the paying account holds too little)."), "{told}");
        let frozen = explain_failure("Error processing Instruction 0: custom program error: 0x11");
        assert!(frozen.contains("frozen"), "{frozen}");
        for error in ["Blockhash not found", "custom program error: 0x1771", "custom program error: 0xffffffffff"] {
            assert_eq!(explain_failure(error), format!("The chain refuses it: {error}."));
        }
    }
}
