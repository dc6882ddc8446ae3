//! Channels: opened by a proof, drawn from voucher by voucher, and closed, or left lying until they are closed as idle.

use super::{
    Nature, Wallet,
    desk::{Asked, Desk, Told},
};
use crate::{dice::Dice, mpp_wallet};
use serde_json::{Value, json};
use solana_pubkey::Pubkey;
use sotto::{
    domain::{
        amount::Amount,
        clock::{Clock as _, SystemClock},
        mpp::{
            channel::reason::ChannelReason,
            channel_id::{ChannelSecret, PublicId},
            siwx::Proof,
            voucher::{SeenChannel, SellerTerms, Strictness, verify},
        },
        signed,
    },
    wire::mpp::voucher::read,
};
use std::{sync::Arc, time::Duration};
use tokio::sync::RwLock;

/// Far longer than any trouble lasts.
const PATIENCE: Duration = Duration::from_mins(4);
/// How long a close is waited for whose settlement an operator may have to look at.
const UNTIL_HELD: Duration = Duration::from_secs(20);
/// How long an opening is asked for by one proof, which is good for five minutes.
const OPENING: Duration = Duration::from_mins(1);
/// After how many seconds without a voucher a channel is closed: the least that may be asked for.
const IDLE: u64 = 60;
/// The most vouchers of one channel.
const VOUCHERS: u64 = 24;

/// A voucher as it was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Given {
    pub(super) amount: u64,
    pub(super) nonce: String,
    pub(super) sequence: u64,
    signature: String,
}

/// A channel that was opened.
pub(super) struct Channel {
    pub(super) id: PublicId,
    pub(super) buyer: Pubkey,
    pub(super) nature: Nature,
    pub(super) seller: Pubkey,
    pub(super) deposit: u64,
    pub(super) secret: String,
    pub(super) vouchers: Vec<Given>,
    /// The highest sum that was ever asked for.
    pub(super) asked: u64,
    /// The last close's answer.
    pub(super) closed: Option<Value>,
}

impl Channel {
    /// The highest voucher that the seller was shown.
    pub(super) fn shown(&self) -> u64 {
        self.vouchers.last().map_or(0, |given| given.amount)
    }
}

/// One of a buyer's streams of channels.
pub(super) struct Streamer {
    desk: Arc<Desk>,
    wallet: Wallet,
    nature: Nature,
    dice: Dice,
}

/// A channel that is being drawn from: its place among those that are kept, and what its seller has seen.
struct Stream {
    at: usize,
    secret: String,
    id: PublicId,
    deposit: u64,
    terms: SellerTerms,
    seen: Option<SeenChannel>,
    /// What was drawn.
    sum: u64,
}

/// How it ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    Secret,
    Proof,
    Idle,
}

impl Streamer {
    pub(super) fn new(desk: Arc<Desk>, wallet: Wallet, nature: Nature, dice: Dice) -> Self {
        Self { desk, wallet, nature, dice }
    }

    /// Channels, one after the other, while their buyer does not leave.
    pub(super) async fn work(mut self, quiet: Arc<RwLock<()>>) {
        while !self.desk.enough() {
            let _drawing = quiet.read().await;
            self.round().await;
        }
    }

    /// One channel from its opening to its end; says whether there was one.
    pub(super) async fn round(&mut self) -> bool {
        let Some(mut stream) = self.opens().await else {
            self.desk.pause().await;
            return false;
        };
        for _ in 0..=self.dice.below(VOUCHERS) {
            if !self.draws(&mut stream).await {
                break;
            }
            if self.dice.chance(15) {
                self.repeats(&stream).await;
            }
        }
        match self.ending() {
            Ending::Idle => self.desk.did("channels left lying"),
            ending => self.closes(&stream, ending).await,
        }
        true
    }

    /// Whoever is about to leave leaves no channel lying: it would be waited for.
    fn ending(&mut self) -> Ending {
        match self.dice.below(100) {
            0..20 if self.nature != Nature::Leaving => Ending::Idle,
            20..35 => Ending::Proof,
            _ => Ending::Secret,
        }
    }

    async fn opens(&mut self) -> Option<Stream> {
        let seller = self.desk.seller(&mut self.dice)?;
        let deposit = 10_000 + self.dice.below(90_000);
        let act = Proof::Open { seller, deposit: Amount::new(deposit)? };
        let body = json!({
            "buyer_wallet": self.wallet.pubkey().to_string(),
            "buyer_swig_address": "pending",
            "seller_wallet": seller.to_string(),
            "deposit_atomic": deposit.to_string(),
            "idle_timeout_seconds": IDLE,
            "metadata": { "siwx": mpp_wallet::sign_in(&self.wallet, act.resources()) },
        });
        // A channel whose anchor did not land in time is another one by another proof.
        let retry = |word: &str| word != ChannelReason::SessionOpenFailed.word() && is_worth_a_repeat(word);
        let asked = Asked { path: "/mpp/session/open", body: &body, sign_in: None, retry, patience: OPENING };
        match self.desk.until_told(&asked).await {
            Told::Yes(opened, _) => self.keeps(&opened, seller, deposit),
            Told::No(word) => {
                self.desk.refused("open", &word);
                None
            }
            Told::Nothing => {
                self.desk.refused("open", "nothing");
                None
            }
        }
    }

    fn keeps(&self, opened: &Value, seller: Pubkey, deposit: u64) -> Option<Stream> {
        let secret = opened["channel_id"].as_str()?.to_owned();
        let id = secret.parse::<ChannelSecret>().ok()?.public_id();
        let issuer = signed::parse_key(opened["issuer"].as_str()?)?;
        let channel = Channel {
            id,
            buyer: self.wallet.pubkey(),
            nature: self.nature,
            seller,
            deposit,
            secret: secret.clone(),
            vouchers: Vec::new(),
            asked: 0,
            closed: None,
        };
        let mut kept = self.desk.kept();
        if kept.channels.iter().any(|known| known.id == id) {
            kept.broken.push(format!("{id} was opened twice"));
        }
        kept.channels.push(channel);
        let terms = SellerTerms {
            recipient: seller,
            price_per_unit: Amount::ONE,
            meter: "request".to_owned(),
            strictness: Strictness::Certified { issuer, chain_id: self.desk.chain_id.clone() },
        };
        Some(Stream { at: kept.channels.len() - 1, secret, id, deposit, terms, seen: None, sum: 0 })
    }

    /// Draws one voucher; says whether the channel may give another.
    async fn draws(&mut self, stream: &mut Stream) -> bool {
        let amount = stream.sum + 1 + self.dice.below(4_000);
        if amount > stream.deposit {
            return false;
        }
        let nonce = format!("n-{}-{amount}", self.dice.below(u64::MAX));
        if let Some(channel) = self.desk.kept().channels.get_mut(stream.at) {
            channel.asked = amount;
        }
        match self.asks(stream, amount, &nonce, is_worth_a_repeat).await {
            Told::Yes(_, text) => {
                let taken = self.takes(stream, amount, &nonce, &text);
                if let Err(why) = &taken {
                    self.desk.broken(format!("{}: the voucher of {amount}: {why}", stream.id));
                }
                taken.is_ok()
            }
            Told::No(word) => {
                self.desk.refused("voucher", &word);
                let ended =
                    [ChannelReason::SessionNotOpen, ChannelReason::RoleNotFound, ChannelReason::InsufficientBalance];
                if !ended.iter().any(|known| known.word() == word) {
                    self.desk.broken(format!("{}: a voucher of {amount} was refused: {word}", stream.id));
                }
                false
            }
            Told::Nothing => {
                self.desk.broken(format!("{}: nobody ever answered for a voucher of {amount}", stream.id));
                false
            }
        }
    }

    /// What the seller does with it.
    fn takes(&self, stream: &mut Stream, amount: u64, nonce: &str, text: &str) -> Result<(), String> {
        let presented = read(text).map_err(|fault| fault.to_string())?;
        let told = (presented.voucher.cumulative_amount.get(), presented.voucher.server_nonce.as_str());
        if told != (amount, nonce) {
            return Err(format!("it says {told:?}"));
        }
        let accepted = verify(&presented, &stream.terms, stream.seen.as_ref(), None, SystemClock.now());
        let seen = accepted.map_err(|fault| fault.to_string())?.seen;
        let due = stream.seen.as_ref().map_or(0, |seen| seen.sequence) + 1;
        if seen.sequence != due {
            return Err(format!("its number is {} and {due} comes next", seen.sequence));
        }
        let (sequence, nonce, signature) = (seen.sequence, nonce.to_owned(), presented.signature);
        (stream.seen, stream.sum) = (Some(seen), amount);
        if let Some(channel) = self.desk.kept().channels.get_mut(stream.at) {
            channel.vouchers.push(Given { amount, nonce, sequence, signature });
        }
        Ok(())
    }

    /// Asks for a voucher that was given, which is given again, and for another of that sum, which is not.
    async fn repeats(&mut self, stream: &Stream) {
        let given = {
            let kept = self.desk.kept();
            let Some(channel) = kept.channels.get(stream.at) else { return };
            let drawn = self.dice.below(channel.vouchers.len() as u64);
            let Some(given) = channel.vouchers.get(usize::try_from(drawn).unwrap_or(0)) else { return };
            given.clone()
        };
        match self.asks(stream, given.amount, &given.nonce, is_worth_a_repeat).await {
            Told::Yes(answer, _) if answer["signature"] != json!(given.signature) => {
                self.desk.broken(format!("{}: the voucher of {} came back otherwise", stream.id, given.amount));
            }
            Told::Yes(..) => self.desk.did("vouchers repeated"),
            Told::No(word) => self.desk.refused("repeated voucher", &word),
            Told::Nothing => self.desk.broken(format!("{}: nobody answered for an old voucher", stream.id)),
        }
        if let Told::Yes(..) = self.asks(stream, given.amount, "another", is_worth_a_repeat).await {
            self.desk.broken(format!("{}: {} was given twice, with two nonces", stream.id, given.amount));
        }
    }

    async fn asks(&self, stream: &Stream, amount: u64, nonce: &str, retry: fn(&str) -> bool) -> Told {
        let body = json!({ "channel_id": stream.secret, "amount": amount.to_string(), "serverNonce": nonce });
        let asked = Asked { path: "/mpp/session/voucher", body: &body, sign_in: None, retry, patience: PATIENCE };
        self.desk.until_told(&asked).await
    }

    fn patience(&self) -> Duration {
        if self.nature == Nature::Revoking { UNTIL_HELD } else { PATIENCE }
    }

    async fn closes(&self, stream: &Stream, ending: Ending) {
        let by_secret = json!({ "channel_id": stream.secret });
        let told = if ending == Ending::Proof {
            let proof = mpp_wallet::sign_in(&self.wallet, Proof::Close(stream.id).resources());
            let by_proof = json!({ "channel_id": stream.id.to_string(), "metadata": { "siwx": proof } });
            close(&self.desk, &by_proof, self.patience()).await
        } else {
            close(&self.desk, &by_secret, self.patience()).await
        };
        if matches!(told, Told::Nothing) && self.nature == Nature::Revoking {
            return self.desk.did("closes that were not waited for");
        }
        self.desk.did("channels closed by their buyer");
        hears_of_the_end(&self.desk, stream.at, told);
    }
}

fn is_worth_a_repeat(word: &str) -> bool {
    ChannelReason::from_word(word).is_some_and(ChannelReason::retry)
}

async fn close(desk: &Desk, body: &Value, patience: Duration) -> Told {
    let asked = Asked { path: "/mpp/session/close", body, sign_in: None, retry: is_worth_a_repeat, patience };
    desk.until_told(&asked).await
}

/// Keeps what a close was answered; whatever it was, the parts are the deposit.
fn hears_of_the_end(desk: &Desk, at: usize, told: Told) {
    let mut kept = desk.kept();
    let kept = &mut *kept;
    let Some(channel) = kept.channels.get_mut(at) else { return };
    let closed = match told {
        Told::Yes(closed, _) => closed,
        Told::No(word) => return kept.broken.push(format!("{}: its close was refused: {word}", channel.id)),
        Told::Nothing => return kept.broken.push(format!("{}: nobody answered its close", channel.id)),
    };
    let [settled, refund, shortfall] = parts(&closed);
    if settled + refund + shortfall != channel.deposit {
        kept.broken.push(format!("{}: {settled} + {refund} + {shortfall} is not its deposit", channel.id));
    }
    // A voucher whose answer was lost, and which was asked for until the channel had ended.
    if ![channel.shown(), channel.asked].contains(&(settled + shortfall)) {
        let shown = channel.shown();
        kept.broken.push(format!("{}: {settled} + {shortfall} is closed, {shown} was shown", channel.id));
    }
    channel.closed = Some(closed);
}

/// What was settled of a closed channel, what goes back, and what is missing.
pub(super) fn parts(closed: &Value) -> [u64; 3] {
    let settlement = &closed["settlement"];
    let units = |value: &Value| value.as_str().and_then(|text| text.parse().ok()).unwrap_or(u64::MAX / 4);
    [units(&settlement["amount_settled"]), units(&settlement["buyer_refund"]), units(&closed["shortfall"])]
}

/// Closes every channel once more, also those that nobody closed: each is answered as it ended.
pub(super) async fn ask_again(desk: &Desk) {
    let secrets: Vec<_> = desk.kept().channels.iter().map(|channel| channel.secret.clone()).collect();
    for (at, secret) in secrets.into_iter().enumerate() {
        let told = close(desk, &json!({ "channel_id": secret }), UNTIL_HELD).await;
        hears_of_the_end(desk, at, told);
    }
}
