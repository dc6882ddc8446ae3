//! What a list of RPC endpoints means for whose word is believed (`docs/TRUST.md`), in sentences for an operator.

/// What an operator should know. `voices` holds for each endpoint the place, 1 for the first, of the first of the same
/// host or configured name.
pub(super) fn warnings(voices: &[usize]) -> Vec<String> {
    let shared = voices.iter().zip(1..).filter(|(voice, place)| *voice != place);
    let shared = shared.map(|(voice, place)| {
        format!("RPC endpoint {place} has the host of endpoint {voice}, or its name in network.voices: what both say is said once")
    });
    let mut told: Vec<String> = shared.collect();
    if voices.iter().all(|voice| *voice == 1) {
        let alone = "one RPC provider is configured and trusted with all money: what it hides is paid again, and what it \
                     makes up is told as paid; name one of another provider in network.rpc_urls, too (docs/TRUST.md)";
        told.push(alone.to_owned());
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_voice_is_told_and_so_are_two_urls_of_one_host() {
        let told = |voices: &[usize]| {
            let told = warnings(voices);
            (
                told.iter().filter(|line| line.contains("has the host of")).count(),
                told.iter().any(|line| line.contains("all money")),
            )
        };
        assert_eq!(told(&[1]), (0, true));
        assert_eq!(told(&[1, 1]), (1, true), "two URLs of one host are one voice");
        assert_eq!(told(&[1, 2]), (0, false));
        assert_eq!(told(&[1, 2, 1]), (1, false));
        assert!(warnings(&[1, 2, 2])[0].contains("endpoint 3 has the host of endpoint 2"));
    }
}
