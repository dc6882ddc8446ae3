//! The decision to pay a charge's challenge, and the transaction that pays it; pure.
//!
//! A challenge is a stranger's text. What would be signed on its word alone is held against the buyer's own list: a program that a
//! challenge names would run with the buyer's signature.

use super::transaction::{Unsigned, published_order};
use crate::{
    domain::{
        amount::{Amount, AmountError},
        clock::UnixMillis,
        mpp::{spellings::Spellings, timestamp},
        network::Network,
        printable::brief,
        signed::parse_key,
    },
    programs::{
        charge::ChargeDraft,
        spl_token::{TokenProgram, TransferChecked, associated_account},
    },
    wire::mpp::{
        INTENT_CHARGE, METHOD, USDC_DECIMALS, USDC_DEVNET, USDC_MAINNET,
        challenge::{Challenge, MethodDetails},
    },
};
use solana_hash::Hash;
use solana_message::v0;
use solana_pubkey::Pubkey;

/// The longest reference, in characters; the published one is a UUID.
const MAX_REFERENCE: usize = 128;

/// A token that a buyer pays in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuyerToken {
    /// Its mint.
    pub mint: Pubkey,
    /// The program that the mint belongs to.
    pub program: TokenProgram,
    /// The mint's decimals.
    pub decimals: u8,
}

impl BuyerToken {
    /// USDC, where a public network has it.
    pub fn usdc(network: &Network) -> Option<Self> {
        let known = [(Network::mainnet(), USDC_MAINNET), (Network::devnet(), USDC_DEVNET)];
        let (_, mint) = known.into_iter().find(|(known, _)| known.canonical() == network.canonical())?;
        Some(Self { mint: parse_key(mint)?, program: TokenProgram::Token, decimals: USDC_DECIMALS })
    }
}

/// What a buyer pays: on which network, in which tokens, up to which price.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuyerTerms {
    network: Spellings,
    price_limit: Amount,
    tokens: Vec<BuyerToken>,
}

impl BuyerTerms {
    /// At most `price_limit` base units a request, in the USDC of `network` where it has one.
    pub fn new(network: &Network, price_limit: Amount) -> Self {
        let tokens = BuyerToken::usdc(network).into_iter().collect();
        Self { network: Spellings::of(network), price_limit, tokens }
    }

    /// In this token too.
    #[must_use]
    pub fn token(mut self, token: BuyerToken) -> Self {
        self.tokens.retain(|known| known.mint != token.mint);
        self.tokens.push(token);
        self
    }
}

/// Why a challenge is not paid. Nothing was signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderRefusal {
    /// Another method or intent.
    #[error("the challenge is none of the method {METHOD} and the intent {INTENT_CHARGE}")]
    Method,
    /// Its request is no charge.
    #[error("the challenge's request is unreadable: {0}")]
    Unreadable(&'static str),
    /// Its time is over, or is none.
    #[error("the challenge has expired")]
    Expired,
    /// It is for another network.
    #[error("the challenge is for the network `{0}`, which is not the buyer's")]
    Network(String),
    /// The buyer does not pay in this token.
    #[error("the token {0} is not on the buyer's list")]
    Token(Pubkey),
    /// It misstates the token.
    #[error("the challenge names a {0} that is not the token's")]
    TokenDiffers(&'static str),
    /// The price.
    #[error("the price of {price} base units is over the limit of {limit}")]
    OverLimit {
        /// The seller's.
        price: Amount,
        /// The buyer's.
        limit: Amount,
    },
    /// The price is no amount.
    #[error("the price is no amount of base units")]
    Amount(#[from] AmountError),
    /// The buyer's wallet would pay the fee, or pay itself.
    #[error("the buyer's wallet is named as the {0}")]
    Own(&'static str),
}

/// A challenge that is going to be paid.
#[derive(Clone, Debug)]
pub struct Order {
    challenge: Challenge,
    draft: ChargeDraft,
    recipient: Pubkey,
    amount: Amount,
    fee_payer: Pubkey,
    blockhash: Hash,
}

impl Order {
    /// The challenge that is echoed.
    pub fn challenge(&self) -> &Challenge {
        &self.challenge
    }

    /// The seller's wallet.
    pub fn recipient(&self) -> Pubkey {
        self.recipient
    }

    /// What is paid, in base units.
    pub fn amount(&self) -> Amount {
        self.amount
    }

    /// The token.
    pub fn mint(&self) -> Pubkey {
        self.draft.transfer.mint
    }

    /// The transaction, byte for byte the published client's.
    pub(super) fn unsigned(&self) -> Result<Unsigned, OrderRefusal> {
        let too_long = OrderRefusal::Unreadable("its parts do not fit into a transaction");
        let instructions = self.draft.instructions();
        let mut message = v0::Message::try_compile(&self.fee_payer, &instructions, &[], self.blockhash)
            .map_err(|_| too_long.clone())?;
        published_order(&mut message);
        Unsigned::of(message).ok_or(too_long)
    }
}

/// The first of these challenges that is paid; else why the first of them is not.
pub fn choose(
    challenges: &[Challenge],
    terms: &BuyerTerms,
    buyer: &Pubkey,
    now: UnixMillis,
) -> Result<Order, OrderRefusal> {
    let mut first = None;
    for challenge in challenges {
        match order(challenge, terms, buyer, now) {
            Ok(order) => return Ok(order),
            // What another method refuses says less than what ours does.
            Err(refusal) if first.as_ref().is_none_or(|first| *first == OrderRefusal::Method) => first = Some(refusal),
            Err(_) => {}
        }
    }
    Err(first.unwrap_or(OrderRefusal::Method))
}

/// Holds a challenge against the buyer's terms.
pub fn order(
    challenge: &Challenge,
    terms: &BuyerTerms,
    buyer: &Pubkey,
    now: UnixMillis,
) -> Result<Order, OrderRefusal> {
    if challenge.method != METHOD || challenge.intent != INTENT_CHARGE {
        return Err(OrderRefusal::Method);
    }
    // One whose time cannot be read is none that can be waited for.
    let is_over = |at: &String| timestamp::read(at).is_none_or(|at| at <= now);
    if challenge.expires.as_ref().is_some_and(is_over) {
        return Err(OrderRefusal::Expired);
    }
    let asked = challenge.requested().map_err(|_| OrderRefusal::Unreadable("it is no charge"))?;
    let details = &asked.method_details;
    if terms.network.echo(Some(&details.network)).is_err() {
        return Err(OrderRefusal::Network(brief(&details.network)));
    }
    let token = token(details, terms)?;
    let amount = Amount::parse_positive(&asked.amount)?;
    if amount > terms.price_limit {
        return Err(OrderRefusal::OverLimit { price: amount, limit: terms.price_limit });
    }
    let recipient = key(&asked.recipient, "its recipient is no address")?;
    let fee_payer = key(&details.fee_payer_key, "its fee payer is no address")?;
    if !details.fee_payer || fee_payer == *buyer {
        return Err(OrderRefusal::Own("fee payer"));
    }
    if recipient == *buyer {
        return Err(OrderRefusal::Own("recipient"));
    }
    let account = |wallet: &Pubkey| associated_account(token.program, wallet, &token.mint);
    let transfer = TransferChecked {
        program: token.program,
        source: account(buyer),
        mint: token.mint,
        destination: account(&recipient),
        authority: *buyer,
        amount: amount.get(),
        decimals: token.decimals,
    };
    let blockhash = key(&details.recent_blockhash, "its blockhash is none")?;
    Ok(Order {
        challenge: challenge.clone(),
        draft: ChargeDraft::new(transfer, reference(details)?),
        recipient,
        amount,
        fee_payer,
        blockhash: Hash::new_from_array(blockhash.to_bytes()),
    })
}

fn key(text: &str, fault: &'static str) -> Result<Pubkey, OrderRefusal> {
    parse_key(text).ok_or(OrderRefusal::Unreadable(fault))
}

/// The token of the buyer's list, where the challenge says the same of it.
fn token(details: &MethodDetails, terms: &BuyerTerms) -> Result<BuyerToken, OrderRefusal> {
    let mint = key(&details.spl_token, "its token is no address")?;
    let token = *terms.tokens.iter().find(|token| token.mint == mint).ok_or(OrderRefusal::Token(mint))?;
    if details.token_program != token.program.address().to_string() {
        return Err(OrderRefusal::TokenDiffers("token program"));
    }
    if details.decimals != token.decimals {
        return Err(OrderRefusal::TokenDiffers("number of decimals"));
    }
    Ok(token)
}

/// The reference that the memo names; none where it is empty.
fn reference(details: &MethodDetails) -> Result<Option<String>, OrderRefusal> {
    let text = &details.reference;
    let is_plain = text.len() <= MAX_REFERENCE && text.bytes().all(|byte| (0x20..=0x7e).contains(&byte));
    if !is_plain {
        return Err(OrderRefusal::Unreadable("its reference is too long, or not printable ASCII"));
    }
    Ok(Some(text.clone()).filter(|text| !text.is_empty()))
}

#[cfg(test)]
mod tests;
