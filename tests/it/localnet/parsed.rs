//! `jsonParsed`: what stock verifiers read. The shapes are those that a validator answers, written out here.

use super::{
    golden::{self, VECTORS, address, key, text},
    world::World,
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use solana_pubkey::Pubkey;
use solana_signer::Signer as _;

const RECEIVER: Pubkey = Pubkey::new_from_array([5; 32]);

/// The golden settlement of a delegation, landed and confirmed, as it is told parsed.
async fn settlement() -> Value {
    let world = golden::world().await;
    let golden = |name: &str| golden::transaction(&world, &VECTORS["spl_delegate"][name]);
    assert_eq!(world.outcome(&golden("onboard_transaction")).await, Ok(()));
    let settle = golden("settle_transaction");
    assert_eq!(world.outcome(&settle).await, Ok(()));
    world.parsed(&settle).await
}

#[tokio::test]
async fn a_transfer_and_its_memo_are_told_parsed() {
    let told = settlement().await;
    let message = &told["transaction"]["message"];
    let constants = &VECTORS["constants"];
    let transfer = json!({
        "program": "spl-token",
        "programId": constants["token_program"],
        "parsed": {
            "type": "transferChecked",
            "info": {
                "source": VECTORS["spl_delegate"]["session_account"],
                "mint": constants["mint"],
                "destination": constants["seller_token_account"],
                "authority": VECTORS["keys"]["delegate"]["pubkey"],
                "tokenAmount": { "amount": "35000", "decimals": 6, "uiAmount": 0.035, "uiAmountString": "0.035" },
            },
        },
        "stackHeight": 1,
    });
    assert_eq!(message["instructions"][2], transfer);
    let memo = &message["instructions"][3];
    assert_eq!((&memo["program"], &memo["programId"]), (&json!("spl-memo"), &constants["memo_program"]));
    let words = text(&memo["parsed"]);
    assert!(words.starts_with("sotto-mpp-close:1:") && words.contains(":35000:"), "{words}");
    let limit = bs58::encode([&[2], 60_000_u32.to_le_bytes().as_slice()].concat()).into_string();
    let unparsed = json!({
        "programId": "ComputeBudget111111111111111111111111111111", "accounts": [], "data": limit, "stackHeight": 1,
    });
    assert_eq!(message["instructions"][0], unparsed, "a program that a validator does not parse");
    assert_eq!(told["version"], 0);
}

#[tokio::test]
async fn accounts_and_balances_are_told_beside_parsed_instructions() {
    let told = settlement().await;
    let keys = told["transaction"]["message"]["accountKeys"].as_array().unwrap();
    let payer = key("fee_payer").pubkey().to_string();
    assert_eq!(keys[0], json!({ "pubkey": payer, "signer": true, "writable": true, "source": "transaction" }));
    let seller = address(&VECTORS["constants"]["seller_token_account"]).to_string();
    let place = keys.iter().position(|key| key["pubkey"] == seller).unwrap();
    assert_eq!(keys[place]["signer"], false);
    let meta = &told["meta"];
    assert_eq!((&meta["err"], &meta["status"]), (&Value::Null, &json!({ "Ok": null })));
    let balance = |when: &str| {
        let balances = meta[when].as_array().unwrap();
        balances.iter().find(|balance| balance["accountIndex"] == place).unwrap().clone()
    };
    let after = balance("postTokenBalances");
    assert_eq!(after["owner"], VECTORS["keys"]["seller"]["pubkey"]);
    assert_eq!(
        (&after["mint"], &after["programId"]),
        (&VECTORS["constants"]["mint"], &VECTORS["constants"]["token_program"])
    );
    assert_eq!(after["uiTokenAmount"]["amount"], "35000");
    assert_eq!(balance("preTokenBalances")["uiTokenAmount"]["amount"], "0");
}

fn kind(told: &Value) -> (&str, &str) {
    (text(&told["program"]), text(&told["parsed"]["type"]))
}

/// What kinds of instructions these are: program and type of each.
fn kinds(instructions: &Value) -> Vec<(&str, &str)> {
    instructions.as_array().unwrap().iter().map(kind).collect()
}

#[tokio::test]
async fn what_programs_called_is_told_parsed_too() {
    let world = World::new().await;
    let funded = world.call("localnet_fundToken", json!([RECEIVER.to_string(), 700])).await;
    world.net.tick();
    let config = json!([funded["result"], { "encoding": "jsonParsed", "commitment": "confirmed" }]);
    let told = world.call("getTransaction", config).await["result"].clone();
    let instructions = &told["transaction"]["message"]["instructions"];
    let expected =
        [("spl-associated-token-account", "createIdempotent"), ("spl-token", "mintToChecked"), ("system", "transfer")];
    assert_eq!(kinds(instructions), expected);
    let inner = &told["meta"]["innerInstructions"];
    assert_eq!((inner.as_array().unwrap().len(), &inner[0]["index"]), (1, &json!(0)));
    let expected = [
        ("spl-token", "getAccountDataSize"),
        ("system", "createAccount"),
        ("spl-token", "initializeImmutableOwner"),
        ("spl-token", "initializeAccount3"),
    ];
    assert_eq!(kinds(&inner[0]["instructions"]), expected);
    let created = &inner[0]["instructions"][3];
    let account = world.net.cash().account_of(&RECEIVER).to_string();
    let mint = world.net.cash().mint().to_string();
    let expected = json!({ "account": account, "mint": mint, "owner": RECEIVER.to_string() });
    assert_eq!((&created["parsed"]["info"], &created["stackHeight"]), (&expected, &json!(2)));
}

#[tokio::test]
async fn a_simulation_tells_what_programs_called_when_it_is_asked() {
    let world = golden::world().await;
    let create = golden::transaction(&world, &VECTORS["swig"]["transactions"]["create_swig"]);
    let wire = BASE64_STANDARD.encode(wincode::serialize(&create).unwrap());
    let simulate = async |asked: bool| {
        let config = json!({ "encoding": "base64", "commitment": "processed", "innerInstructions": asked });
        world.call("simulateTransaction", json!([wire, config])).await["result"]["value"].clone()
    };
    let told = simulate(true).await;
    assert_eq!(told["err"], Value::Null, "{told}");
    let inner = &told["innerInstructions"][0];
    assert_eq!(inner["index"], 2);
    assert_eq!(kinds(&inner["instructions"]), [("system", "createAccount"), ("system", "transfer")]);
    assert_eq!(simulate(false).await["innerInstructions"], Value::Null);
}
