//! Why nobody answered at an address, in a sentence that says what to look at.
//!
//! An HTTP client tells it in up to six errors that cause each other, of which the first ("error sending request") is the same
//! for a misspelt name, a closed port and a TLS port that is asked in plain HTTP. Total over any chain of errors; the sentences
//! are constants, so no URL and no key of one is in them.

use std::{
    error::Error,
    io::{self, ErrorKind},
};

/// What the texts of HTTP, TLS and name resolution hold, and what that means. The first that is found counts.
const WORDS: [(&str, &str); 8] = [
    ("dns error", NO_NAME),
    ("failed to lookup address", NO_NAME),
    ("InvalidContentType", "it does not speak TLS at this port; write http:// or another port"),
    ("invalid peer certificate", "its certificate is not trusted"),
    ("invalid HTTP version", "it does not speak plain HTTP at this port; write https:// or another port"),
    ("timed out", TOO_SLOW),
    ("deadline has elapsed", TOO_SLOW),
    ("connection closed before message completed", CLOSED),
];

const NO_NAME: &str = "its name cannot be resolved; check how it is spelt, and the DNS";
const TOO_SLOW: &str = "it did not answer in time";
const CLOSED: &str = "it closed the connection without an answer";

/// The sentence for what an HTTP client's `error` and its causes tell.
pub fn why(error: &(dyn Error + 'static)) -> &'static str {
    known_cause(error).unwrap_or("the connection failed")
}

/// The sentence for what `error` and its causes tell of a connection; none where they tell nothing of one.
pub fn known_cause(error: &(dyn Error + 'static)) -> Option<&'static str> {
    let mut causes = Vec::new();
    let mut cause = Some(error);
    while let Some(inner) = cause {
        causes.push(inner);
        cause = inner.source();
    }
    let told = |cause: &&(dyn Error + 'static)| {
        let text = cause.to_string();
        WORDS.iter().find(|(words, _)| text.contains(words)).map(|(_, sentence)| *sentence)
    };
    // The innermost says most.
    let by_words = causes.iter().rev().find_map(told);
    let by_kind = || causes.iter().rev().find_map(|cause| by_kind(cause.downcast_ref::<io::Error>()?.kind()));
    by_words.or_else(by_kind)
}

fn by_kind(kind: ErrorKind) -> Option<&'static str> {
    match kind {
        ErrorKind::ConnectionRefused => Some("nothing listens at its address and port"),
        ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe
        | ErrorKind::UnexpectedEof => Some(CLOSED),
        ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable | ErrorKind::AddrNotAvailable => {
            Some("no route leads to its address")
        }
        ErrorKind::TimedOut => Some(TOO_SLOW),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_nothing_is_a_failed_connection_and_the_innermost_cause_counts() {
        assert_eq!(why(&io::Error::other("odd")), "the connection failed");
        let refused = io::Error::from(ErrorKind::ConnectionRefused);
        assert_eq!(why(&refused), "nothing listens at its address and port");
        let outer = io::Error::new(ErrorKind::ConnectionRefused, io::Error::other("operation timed out"));
        assert_eq!(why(&outer), TOO_SLOW);
    }
}
