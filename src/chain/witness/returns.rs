//! What programs called and gave back, as the log of a transaction tells.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use solana_pubkey::Pubkey;

/// One invocation of a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Invoked {
    pub(super) program: Pubkey,
    /// How deep it was called: 1 for an instruction of the transaction itself.
    pub(super) depth: usize,
    /// What it gave back.
    pub(super) returned: Option<Vec<u8>>,
}

/// Every invocation of a transaction that succeeded, in their order; none where the log was cut or does not add up.
pub(super) fn invocations(logs: &[String]) -> Option<Vec<Invoked>> {
    let (mut invoked, mut open): (Vec<Invoked>, Vec<usize>) = (Vec::new(), Vec::new());
    for line in logs {
        let mut words = line.split(' ');
        // Programs write lines of their own only behind `Program log:` and `Program data:`.
        match (words.next()?, words.next(), words.next(), words.next()) {
            ("Log", Some("truncated"), ..) => return None,
            ("Program", Some("return:"), Some(program), Some(bytes)) => {
                let running = invoked.get_mut(*open.last()?)?;
                if program.parse() == Ok(running.program) {
                    running.returned = Some(STANDARD.decode(bytes).ok()?);
                }
            }
            ("Program", Some("log:" | "data:"), ..) => {}
            ("Program", Some(program), Some("invoke"), Some(depth)) => {
                open.push(invoked.len());
                let told: usize = depth.strip_prefix('[')?.strip_suffix(']')?.parse().ok()?;
                if told != open.len() {
                    return None;
                }
                invoked.push(Invoked { program: program.parse().ok()?, depth: told, returned: None });
            }
            ("Program", Some(_), Some("success"), None) => drop(open.pop()?),
            _ => {}
        }
    }
    open.is_empty().then_some(invoked)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> Pubkey {
        Pubkey::new_from_array([byte; 32])
    }

    fn lines(text: &str) -> Vec<String> {
        let text = text.replace("AAA", &key(1).to_string()).replace("BBB", &key(2).to_string());
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn each_call_is_told_with_what_it_gave_back() {
        let log = lines(
            "Program AAA invoke [1]\nProgram log: Program return: BBB AAAA\nProgram BBB invoke [2]\n\
             Program return: BBB BwA=\nProgram BBB consumed 5 of 9 compute units\nProgram BBB success\n\
             Program BBB invoke [2]\nProgram BBB success\nProgram return: AAA AQ==\nProgram AAA success",
        );
        let invoked = |program, depth, returned: Option<&[u8]>| Invoked {
            program: key(program),
            depth,
            returned: returned.map(<[u8]>::to_vec),
        };
        let expected = [invoked(1, 1, Some(&[1])), invoked(2, 2, Some(&[7, 0])), invoked(2, 2, None)];
        assert_eq!(invocations(&log).as_deref(), Some(&expected[..]));
        assert_eq!(invocations(&[]), Some(Vec::new()));
    }

    #[test]
    fn a_log_that_was_cut_or_does_not_add_up_tells_nothing() {
        for log in [
            "Program AAA invoke [1]\nLog truncated\nProgram AAA success",
            "Program AAA invoke [1]",
            "Program AAA invoke [2]\nProgram AAA success",
            "Program AAA success",
            "Program return: AAA AQ==",
            "Program AAA invoke [1]\nProgram return: AAA *\nProgram AAA success",
        ] {
            assert_eq!(invocations(&lines(log)), None, "{log}");
        }
    }
}
