use super::*;
use crate::merchant::price::Price;

fn price(text: &str) -> Price {
    Price::decimal(text, 6).expect("a price")
}

fn offer(text: &str) -> Offer {
    Offer::new("solana:devnet", Pubkey::new_from_array([1; 32]), Pubkey::new_from_array([3; 32]), price(text))
}

fn gate() -> Gate {
    Gate::new("GET /weather", offer("0.5")).expect("a route")
}

#[test]
fn a_gate_knows_what_it_sells() {
    let gate =
        gate().also_sells("POST /weather").and_then(|gate| gate.also_sells("GET /report/{day}")).expect("routes");
    let kind = |method: Method, path| gate.kind(&method, path);
    assert_eq!(kind(Method::GET, "/weather"), RequestKind::Sold);
    assert_eq!(kind(Method::POST, "/weather"), RequestKind::Sold);
    assert_eq!(kind(Method::HEAD, "/weather"), RequestKind::Head);
    assert_eq!(kind(Method::GET, "/report/today"), RequestKind::Sold);
    assert_eq!(kind(Method::DELETE, "/weather"), RequestKind::OtherMethod);
    assert_eq!(kind(Method::POST, "/report/today"), RequestKind::OtherMethod);
    assert_eq!((gate.methods("/weather"), gate.methods("/report/today")), ("GET, POST".to_owned(), "GET".to_owned()));
    assert_eq!(kind(Method::GET, "/weather/"), RequestKind::OtherSpelling);
    assert_eq!(kind(Method::GET, "/"), RequestKind::Elsewhere);
    assert!(matches!(Gate::new("weather", offer("1")), Err(GateError::Route(_))));
    // FR-1: no key signs for a derived address.
    let derived = Pubkey::new_from_array([2; 32]);
    let lost = || Offer::new("solana:devnet", Pubkey::new_from_array([1; 32]), derived, price("1"));
    assert_eq!(Gate::new("GET /", lost()).err(), Some(GateError::NotAWallet(derived)));
    assert_eq!(gate.or(lost()).err(), Some(GateError::NotAWallet(derived)));
    assert!(Gate::new("GET /", lost().paying_a_derived_address()).is_ok());
}

#[test]
fn one_request_has_one_price() {
    let report = |route| Gate::new(route, offer("2"));
    let both = gate().and(report("POST /weather").expect("a route")).expect("another method");
    assert_eq!(both.methods("/weather"), "GET, POST");
    let twice = |gate: Gate, route| gate.and(report(route).expect("a route")).err().map(|error| error.to_string());
    for route in ["GET /weather", "GET /{page}", "GET|PUT /{*rest}"] {
        assert!(twice(both.clone(), route).expect("refused").contains("sold twice"), "{route}");
    }
    assert!(matches!(both.clone().also_sells("POST /weather"), Err(GateError::SoldTwice(_))));
    assert_eq!(twice(both, "GET /report"), None);
    let called = Gate::priced("GET /page", |_| async { Ok(Vec::new()) }).expect("a route");
    assert_eq!(called.or(offer("1")).err(), Some(GateError::PricedByCallback));
}
