//! Which requests a paywall sells: methods and a path with parameters. Pure.
//!
//! A layer cannot see whether the router behind it has a handler for a request, and money moves before that is known. So a
//! gate says itself what it sells: nobody is charged for a path or method that is not sold, and nothing that is sold is
//! reached by another spelling of its path.

use http::Method;
use percent_encoding::percent_decode_str;
use std::{fmt, str::FromStr};

/// Methods that are never sold: what they answer is about a resource and is not the resource.
const NEVER_SOLD: [Method; 4] = [Method::HEAD, Method::OPTIONS, Method::TRACE, Method::CONNECT];

/// Why a text is no paid route.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteError {
    /// Not methods, a space and a path.
    #[error("a paid route is written as `GET /weather/{{city}}` or `GET|POST /report`, not as {0:?}")]
    Form(String),
    /// A method that is not sold.
    #[error("{0} is no method that is sold")]
    Method(String),
    /// Not a path as it stands in a request.
    #[error(
        "the path of a paid route has plain segments, `{{name}}` for one of any text and `{{*rest}}` for all that follow, not {0:?}"
    )]
    Path(String),
}

/// What is sold at one path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PaidRoute {
    methods: Vec<Method>,
    segments: Vec<Segment>,
}

/// A part of a path between slashes.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    /// Just this.
    Plain(String),
    /// Any text but none.
    Any,
    /// Everything from here on, at least one segment.
    Rest,
}

/// What a request is to what is sold; of several paid routes the first in this order counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RequestKind {
    /// It asks for what is sold.
    Sold,
    /// It asks about what is sold, with `HEAD`.
    Head,
    /// It asks for the path with a method that is not sold.
    OtherMethod,
    /// It spells the path in another way, or in other letters.
    OtherSpelling,
    /// It asks for something else.
    Elsewhere,
}

impl PaidRoute {
    /// What a request with this method and path is to this route.
    pub fn kind(&self, method: &Method, path: &str) -> RequestKind {
        if !self.is_path(path) {
            // Some servers tell no `A` from an `a`.
            let is_alike = self.leads(&plain_spelling(path), str::eq_ignore_ascii_case);
            return if is_alike { RequestKind::OtherSpelling } else { RequestKind::Elsewhere };
        }
        match method {
            method if self.methods.contains(method) => RequestKind::Sold,
            // Servers answer it by the handler of GET, which must not run for nothing.
            method if *method == Method::HEAD && self.methods.contains(&Method::GET) => RequestKind::Head,
            _ => RequestKind::OtherMethod,
        }
    }

    /// The methods, as in an `Allow` header.
    pub fn methods(&self) -> String {
        let names: Vec<_> = self.methods.iter().map(Method::as_str).collect();
        names.join(", ")
    }

    /// Whether a path is one of this route, letter by letter.
    pub fn is_path(&self, path: &str) -> bool {
        self.leads(path, |wanted, part| wanted == part)
    }

    /// Whether one request can be for both.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        let share_a_method = self.methods.iter().any(|method| other.methods.contains(method));
        share_a_method && meet(&self.segments, &other.segments)
    }

    fn leads(&self, path: &str, is: fn(&str, &str) -> bool) -> bool {
        let Some(path) = path.strip_prefix('/') else { return false };
        let mut parts = path.split('/');
        for segment in &self.segments {
            match (segment, parts.next()) {
                (Segment::Plain(wanted), Some(part)) if is(wanted, part) => {}
                (Segment::Any, Some(part)) if !part.is_empty() => {}
                (Segment::Rest, Some(part)) => return !part.is_empty(),
                _ => return false,
            }
        }
        parts.next().is_none()
    }
}

/// Whether a path can have these segments and those.
fn meet(one: &[Segment], other: &[Segment]) -> bool {
    match (one, other) {
        ([], []) | ([Segment::Rest, ..], [_, ..]) | ([_, ..], [Segment::Rest, ..]) => true,
        ([first, one @ ..], [second, other @ ..]) => {
            let fits = match (first, second) {
                (Segment::Plain(first), Segment::Plain(second)) => first == second,
                _ => true,
            };
            fits && meet(one, other)
        }
        _ => false,
    }
}

impl fmt::Display for PaidRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.methods().replace(", ", "|"))?;
        f.write_str(" ")?;
        for segment in &self.segments {
            match segment {
                Segment::Plain(text) => write!(f, "/{text}")?,
                Segment::Any => f.write_str("/{_}")?,
                Segment::Rest => f.write_str("/{*_}")?,
            }
        }
        Ok(())
    }
}

/// A path without what servers may read over: percent-encoding, empty and dotted segments.
fn plain_spelling(path: &str) -> String {
    let decoded = percent_decode_str(path).decode_utf8_lossy();
    let mut segments = Vec::new();
    for segment in decoded.split(['/', '\\']) {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            segment => segments.push(segment),
        }
    }
    format!("/{}", segments.join("/"))
}

impl FromStr for PaidRoute {
    type Err = RouteError;

    fn from_str(text: &str) -> Result<Self, RouteError> {
        let (methods, path) = text.split_once(' ').ok_or_else(|| RouteError::Form(text.to_owned()))?;
        let methods = methods.split('|').map(method).collect::<Result<_, _>>()?;
        let bad = || RouteError::Path(path.to_owned());
        let parts: Vec<&str> = path.strip_prefix('/').ok_or_else(bad)?.split('/').collect();
        let last = parts.len() - 1;
        let segments = parts.iter().enumerate().map(|(at, part)| {
            let segment = segment(part).ok_or_else(bad)?;
            let is_bare_root = last == 0 && part.is_empty();
            if (part.is_empty() && !is_bare_root) || (segment == Segment::Rest && at < last) {
                Err(bad())
            } else {
                Ok(segment)
            }
        });
        Ok(Self { methods, segments: segments.collect::<Result<_, _>>()? })
    }
}

fn method(text: &str) -> Result<Method, RouteError> {
    let refused = || RouteError::Method(text.to_owned());
    // Any token is a method of HTTP; a lower-case one is a misspelling.
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_uppercase());
    let method = Method::from_str(text).ok().filter(|_| is_plain).ok_or_else(refused)?;
    if NEVER_SOLD.contains(&method) { Err(refused()) } else { Ok(method) }
}

fn segment(text: &str) -> Option<Segment> {
    let inside = text.strip_prefix('{').and_then(|text| text.strip_suffix('}'));
    match inside {
        Some(name) => match name.strip_prefix('*') {
            Some(rest) => is_name(rest).then_some(Segment::Rest),
            None => is_name(name).then_some(Segment::Any),
        },
        // What is not ASCII stands percent-encoded in requests, so nobody could buy it.
        None if text == "." || text == ".." || !text.is_ascii() || text.contains(['{', '}', '?', '#', '%', ' ']) => {
            None
        }
        None => Some(Segment::Plain(text.to_owned())),
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(route: &str, method: &str, path: &str) -> RequestKind {
        let route: PaidRoute = route.parse().expect("a route");
        route.kind(&method.parse().expect("a method"), path)
    }

    #[test]
    fn what_is_sold_is_a_method_and_a_path() {
        for (route, method, path, expected) in [
            ("GET /weather", "GET", "/weather", RequestKind::Sold),
            ("GET /weather", "HEAD", "/weather", RequestKind::Head),
            ("POST /report", "HEAD", "/report", RequestKind::OtherMethod),
            ("GET|POST /report", "POST", "/report", RequestKind::Sold),
            ("GET /weather", "POST", "/weather", RequestKind::OtherMethod),
            ("GET /weather", "OPTIONS", "/weather", RequestKind::OtherMethod),
            ("GET /weather", "get", "/weather", RequestKind::OtherMethod),
            ("GET /weather", "GET", "/nosuch", RequestKind::Elsewhere),
            ("GET /weather", "POST", "/nosuch", RequestKind::Elsewhere),
            ("GET /weather", "GET", "/weather/x", RequestKind::Elsewhere),
            ("GET /", "GET", "/", RequestKind::Sold),
            ("GET /", "GET", "/x", RequestKind::Elsewhere),
            ("GET /weather/{city}", "GET", "/weather/Bern", RequestKind::Sold),
            ("GET /weather/{city}", "GET", "/weather/B%65rn", RequestKind::Sold),
            ("GET /weather/{city}", "GET", "/weather/", RequestKind::Elsewhere),
            ("GET /weather/{city}", "GET", "/weather/Bern/x", RequestKind::Elsewhere),
            ("GET /files/{*path}", "GET", "/files/a/b/c", RequestKind::Sold),
            ("GET /files/{*path}", "GET", "/files/", RequestKind::Elsewhere),
        ] {
            assert_eq!(kind(route, method, path), expected, "{route}: {method} {path}");
        }
    }

    #[test]
    fn another_spelling_of_a_sold_path_is_none_of_its() {
        let spellings = [
            "/weather/",
            "//weather",
            "/we%61ther",
            "/./weather",
            "/x/../weather",
            "/%2Fweather",
            r"/\weather",
            "weather",
            "/Weather",
            "/WEATHER/",
        ];
        for path in spellings {
            assert_eq!(kind("GET /weather", "GET", path), RequestKind::OtherSpelling, "{path}");
        }
        assert_eq!(kind("GET /", "GET", "//"), RequestKind::OtherSpelling);
    }

    #[test]
    fn two_routes_overlap_where_one_request_can_be_for_both() {
        let route = |text: &str| text.parse::<PaidRoute>().expect("a route");
        for (one, other, overlap) in [
            ("GET /a", "GET /a", true),
            ("GET /a", "POST /a", false),
            ("GET|POST /a", "POST /a", true),
            ("GET /a", "GET /b", false),
            ("GET /{x}", "GET /a", true),
            ("GET /{x}", "GET /a/b", false),
            ("GET /{x}/b", "GET /a/{y}", true),
            ("GET /{*rest}", "GET /a/b", true),
            ("GET /a/{*rest}", "GET /a", false),
            ("GET /a/{*rest}", "GET /b/{*rest}", false),
        ] {
            assert_eq!(route(one).overlaps(&route(other)), overlap, "{one} {other}");
            assert_eq!(route(other).overlaps(&route(one)), overlap, "{other} {one}");
        }
        assert_eq!(route("GET|POST /a/{x}/{*rest}").to_string(), "GET|POST /a/{_}/{*_}");
    }

    #[test]
    fn a_route_is_written_in_one_way() {
        for text in ["GET /weather", "GET|POST /report/{day}/{*rest}", "DELETE /"] {
            assert!(text.parse::<PaidRoute>().is_ok(), "{text}");
        }
        for text in [
            "",
            "/weather",
            "GET",
            "GET weather",
            "GET  /weather",
            "get /weather",
            "HEAD /weather",
            "GET|OPTIONS /weather",
            "GET| /weather",
            "GET /a//b",
            "GET /a/",
            "GET /a?b",
            "GET /a%20b",
            "GET /{}",
            "GET /{a-b}",
            "GET /{*rest}/a",
            "GET /a{b}",
            "GET /..",
            "GET /zürich",
        ] {
            assert!(text.parse::<PaidRoute>().is_err(), "{text}");
        }
    }
}
