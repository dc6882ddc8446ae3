//! Bodies that are wrong in every way we could think of: a typed refusal on every route, and no trace.

use super::{Shop, Trace, is_not_opened};
use crate::support::{Opening, Options, Wallet, World};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

const ROUTES: [&str; 3] = ["/sessions", "/verify", "/settle"];

/// Typed in the words of its route, no success, no fault of ours.
#[track_caller]
fn is_typed(route: &str, what: &str, status: u16, answer: &Value) {
    let what = &what[..what.len().min(80)];
    assert!(matches!(status, 200 | 400 | 403 | 404 | 409 | 413), "{route} {what}: {status} {answer:#}");
    let reason = match route {
        "/sessions" => {
            assert!(status >= 400 && answer["message"].is_string(), "{route} {what}: {status} {answer:#}");
            &answer["error"]
        }
        "/verify" => {
            assert_eq!(answer["isValid"], json!(false), "{route} {what}: {answer:#}");
            &answer["invalidReason"]
        }
        _ => {
            assert_eq!(answer["success"], json!(false), "{route} {what}: {answer:#}");
            assert!(answer["transaction"].is_string() && answer["network"].is_string(), "{what}: {answer:#}");
            &answer["errorReason"]
        }
    };
    assert!(reason.as_str().is_some_and(|word| word != "internal_error"), "{route} {what}: {answer:#}");
}

#[tokio::test]
async fn what_is_no_json_object_is_refused_on_every_route() {
    let world = World::start().await;
    let before = Trace::of(&world).await;
    let bodies: Vec<Vec<u8>> = vec![
        b"".to_vec(),
        b"{".to_vec(),
        b"{}".to_vec(),
        b"null".to_vec(),
        b"[]".to_vec(),
        b"1".to_vec(),
        b"\"text\"".to_vec(),
        b"{} {}".to_vec(),
        b"{}x".to_vec(),
        b"\xef\xbb\xbf{}".to_vec(),
        b"{\"user\":\"\xff\xfe\"}".to_vec(),
        b"{\"user\":\"\\ud800\"}".to_vec(),
        b"{\"cap\":NaN}".to_vec(),
        b"{\"cap\":01}".to_vec(),
        b"{'cap':1}".to_vec(),
        b"{\"cap\":\"1\",\"cap\":\"2\"}".to_vec(),
        b"{\"paymentPayload\":{\"payload\":{\"amount\":\"1\",\"amount\":\"2\"}}}".to_vec(),
        b"\x00".to_vec(),
        "[".repeat(60_000).into_bytes(),
        "{\"a\":".repeat(12_000).into_bytes(),
        format!("{}1{}", "[".repeat(30_000), "]".repeat(30_000)).into_bytes(),
        format!("{{\"cap\":{}}}", "9".repeat(50_000)).into_bytes(),
        format!("{{\"cap\":1e{}}}", "9".repeat(400)).into_bytes(),
    ];
    for route in ROUTES {
        for body in &bodies {
            let (status, answer) = world.post_text(route, body.clone()).await;
            is_typed(route, &String::from_utf8_lossy(body), status, &answer);
            assert_eq!(status, 400, "{route}: {answer:#}");
        }
    }
    assert_eq!(Trace::of(&world).await, before);
    world.finish().await;
}

#[tokio::test]
async fn r27_a_body_above_the_bound_is_not_read_whether_it_tells_its_length_or_not() {
    let world = World::start().await;
    let huge = format!("{{\"pad\":\"{}\"}}", "x".repeat(70 * 1024));
    for route in ROUTES {
        let (status, answer) = world.post_text(route, huge.clone()).await;
        assert_eq!(status, 413, "{answer:#}");
        is_typed(route, "huge", status, &answer);
        let (status, answer) = posts_in_chunks(&world, route, &huge).await;
        assert_eq!(status, 413, "{answer:#}");
        is_typed(route, "chunked", status, &answer);
    }
    world.finish().await;
}

/// Posts without telling the length in advance.
async fn posts_in_chunks(world: &World, route: &str, body: &str) -> (u16, Value) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let address = world.running().url.strip_prefix("http://").unwrap();
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = format!("POST {route} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n");
    let mut chunks = Vec::new();
    for chunk in body.as_bytes().chunks(1_000) {
        chunks.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        chunks.extend_from_slice(chunk);
        chunks.extend_from_slice(b"\r\n");
    }
    // The server may answer and hang up before everything is sent.
    let _ = stream.write_all(&[head.as_bytes(), &chunks, b"0\r\n\r\n"].concat()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let text = String::from_utf8(answer).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), serde_json::from_str(body).unwrap())
}

/// Every pointer to a member, however deep.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    if let Some(object) = value.as_object() {
        for (name, member) in object {
            let pointer = format!("{at}/{name}");
            pointers(member, &pointer, found);
            found.push(pointer);
        }
    }
}

fn odd_values() -> Vec<Value> {
    let texts = ["", " ", "x", "-1", "0", "1e9", "0x1", "١", "\u{0}", "null", "💸", "../../etc/passwd", "' OR 1=1 --"];
    let mut values: Vec<Value> = texts.iter().map(|text| json!(text)).collect();
    values.extend([json!(null), json!(true), json!(0), json!(5), json!(-1), json!(1.5), json!(u64::MAX), json!(1e300)]);
    values.extend([json!([]), json!([1]), json!({}), json!({ "a": 1 }), json!("y".repeat(10_000))]);
    values
}

/// Any value in any member. The session is nobody's, so nothing that happens to be well formed is charged.
#[tokio::test]
async fn r08_no_member_of_a_payment_can_be_bent_into_a_fault() {
    let shop = Shop::open(Options::default(), 1_000).await;
    let before = Trace::of(&shop.world).await;
    let mut body = shop.payment(10, Some("nonce-0000-0000-0000"));
    body["paymentPayload"]["payload"]["sessionId"] = json!("00000000-0000-4000-8000-000000000000");
    body["paymentPayload"]["payload"]["authorization"] =
        json!({ "nonce": "nonce-0000-0000-0000", "expiresAt": shop.world.now() + 60, "resourceHash": "ab".repeat(32) });
    body["paymentPayload"]["payload"]["signature"] = json!(bs58::encode([7; 64]).into_string());
    body["paymentPayload"]["extensions"] =
        json!({ "payment-identifier": { "info": { "id": "nonce-0000-0000-0000" } } });
    body["paymentRequirements"]["extra"] = json!({ "idempotent": false });
    refuses_every_bend(&shop.world, &["/verify", "/settle"], &body).await;
    assert_eq!(Trace::of(&shop.world).await, before);
    shop.pays(10, None).await;
    shop.closes().await;
}

/// Members of an opening are bent; its intent has expired, so nothing that happens to be well formed is opened.
#[tokio::test]
async fn r21_no_member_of_an_opening_can_be_bent_into_a_fault() {
    let world = World::start().await;
    let (payer, merchant) = (world.wallet(100).await, world.wallet(0).await);
    let mut opening = world.opening(&payer, &merchant.key(), 100);
    opening.intent.expires_at = world.now() - 1;
    opening.settle_message = true;
    let body = world.opening_body(&opening).await;
    let before = Trace::of(&world).await;
    refuses_every_bend(&world, &["/sessions"], &body).await;
    assert_eq!(Trace::of(&world).await, before);
    world.finish().await;
}

async fn refuses_every_bend(world: &World, routes: &[&str], body: &Value) {
    let mut found = Vec::new();
    pointers(body, "", &mut found);
    for pointer in &found {
        for value in odd_values() {
            let mut bent = body.clone();
            *bent.pointer_mut(pointer).unwrap() = value.clone();
            for route in routes {
                let (status, answer) = world.post(route, &bent).await;
                is_typed(route, &format!("{pointer} = {value}"), status, &answer);
            }
        }
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        let mut bent = body.clone();
        bent.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name);
        for route in routes {
            let (status, answer) = world.post(route, &bent).await;
            is_typed(route, &format!("without {pointer}"), status, &answer);
        }
    }
}

/// One world to refuse openings in.
struct Door {
    world: World,
    payer: Wallet,
    opening: Opening,
    body: Value,
}

impl Door {
    async fn new() -> Self {
        let world = World::start().await;
        let (payer, merchant) = (world.wallet(100).await, world.wallet(0).await);
        let opening = world.opening(&payer, &merchant.key(), 100);
        let body = world.opening_body(&opening).await;
        Self { world, payer, opening, body }
    }

    async fn refuses(&self, changes: &[(&str, Value)], word: &str) {
        let mut bent = self.body.clone();
        for (member, value) in changes {
            bent[*member] = value.clone();
        }
        is_not_opened(&self.world, &bent, 400, word).await;
    }

    /// The intent's text is bent and signed as it then is.
    async fn refuses_intent(&self, intent: &[u8], word: &str) {
        let signature = BASE64_STANDARD.encode(self.payer.sign(intent));
        let message = BASE64_STANDARD.encode(intent);
        self.refuses(&[("authMessage", json!(message)), ("authSignature", json!(signature))], word).await;
    }
}

/// Guards: `wire::opening` and `domain::signed::parse_key`: one spelling for every member.
#[tokio::test]
async fn keys_and_encodings_have_one_spelling() {
    let door = Door::new().await;
    let before = Trace::of(&door.world).await;
    let key = door.payer.key().to_string();
    let (short, long) = (bs58::encode([7; 31]).into_string(), bs58::encode([7; 33]).into_string());
    let (zero, space) = (format!("0{}", &key[1..]), format!(" {key}"));
    for bad in [&short, &long, &zero, &space, "l", &hex::encode([7; 32])] {
        door.refuses(&[("user", json!(bad))], "invalid_user").await;
        door.refuses(&[("recipient", json!(bad))], "invalid_recipient").await;
        door.refuses(&[("asset", json!(bad))], "asset_not_allowed").await;
    }
    let intent = door.opening.intent.to_bytes();
    let signature = door.payer.sign(&intent);
    for bad in [
        BASE64_STANDARD.encode(&signature[..63]),
        BASE64_STANDARD.encode([&signature[..], &[0]].concat()),
        BASE64_STANDARD.encode([0; 64]),
        hex::encode(signature),
        bs58::encode(signature).into_string(),
        format!("{}\n", BASE64_STANDARD.encode(signature)),
    ] {
        door.refuses(&[("authSignature", json!(bad))], "invalid_auth_signature").await;
    }
    // With stray bits; with a character in between; with characters of neither alphabet.
    for bad in ["e31=", "e 0=", "é"] {
        door.refuses(&[("authMessage", json!(bad))], "auth_message_not_json").await;
    }
    let named = bs58::encode([7; 64]).into_string();
    door.refuses(&[("approveTxSignature", json!(named))], "bad_request").await;
    door.refuses(&[("approveTxBase64", json!(""))], "missing_approveTxBase64").await;
    for bad in ["x", &named[1..], &format!("{named}1"), &"1".repeat(100_000 / 2)] {
        door.refuses(&[("approveTxBase64", json!(null)), ("approveTxSignature", json!(bad))], "bad_request").await;
    }
    assert_eq!(Trace::of(&door.world).await, before);
    door.world.finish().await;
}

/// Guard: `Intent::parse`: exactly the known members, each once, each in its one spelling, however well signed.
#[tokio::test]
async fn r10_an_intent_is_exactly_its_members() {
    let door = Door::new().await;
    let before = Trace::of(&door.world).await;
    let text = String::from_utf8(door.opening.intent.to_bytes()).unwrap();
    let bent = |from: &str, to: &str| {
        let bent = text.replacen(from, to, 1);
        assert_ne!(bent, text, "the case must change something: {from}");
        bent.into_bytes()
    };
    for (from, to, word) in [
        (r#"{"asset""#, r#"{"admin":true,"asset""#, "auth_message_not_json"),
        (r#""cap":"100""#, r#""cap":"100","cap":"100""#, "auth_message_not_json"),
        (r#""cap":"100""#, r#""cap":100"#, "auth_message_not_json"),
        (r#""cap":"100""#, r#""cap":"0100""#, "auth_message_field_mismatch_cap"),
        (r#""cap":"100""#, r#""cap":"-100""#, "auth_message_field_mismatch_cap"),
        (r#""cap":"100""#, r#""cap":"1e2""#, "auth_message_field_mismatch_cap"),
        (r#""cap":"100""#, r#""cap":"101""#, "auth_message_field_mismatch_cap"),
        (r#""cap":"100","#, "", "auth_message_not_json"),
        (&door.opening.intent.nonce, "short", "auth_message_missing_nonce"),
        (&door.opening.intent.nonce, "has spaces in it, so it is none", "auth_message_missing_nonce"),
        (&door.opening.intent.nonce, "ünïcödé-nönce-0000", "auth_message_missing_nonce"),
    ] {
        door.refuses_intent(&bent(from, to), word).await;
    }
    for odd in [Vec::new(), b"{}".to_vec(), b"[]".to_vec(), vec![0xff; 100], vec![b' '; 512], b"null".to_vec()] {
        let word = if odd.is_empty() { "missing_authMessage" } else { "auth_message_not_json" };
        door.refuses_intent(&odd, word).await;
    }
    let long = [text.as_bytes(), &vec![b' '; 513 - text.len()]].concat();
    door.refuses_intent(&long, "auth_message_not_json").await;
    assert_eq!(Trace::of(&door.world).await, before);
    door.world.finish().await;
}
