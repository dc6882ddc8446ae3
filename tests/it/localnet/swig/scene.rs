//! One wallet with cash, whose root is the buyer's key, and a role that the delegate acts for.

use super::wire::{self, Action, Authority, Wallet};
use crate::localnet::{
    golden::token_account,
    world::{SOL, World},
};
use solana_instruction::{AccountMeta, Instruction};
use solana_instruction_error::InstructionError;
use solana_keypair::Keypair;
use solana_pubkey::Pubkey;
use solana_signer::Signer as _;
use solana_transaction_error::TransactionError;
use sotto::{
    localnet::faucet::CASH_DECIMALS,
    programs::spl_token::{TokenProgram, TransferChecked},
};

/// What the wallet has at first, in base units.
pub(super) const PURSE: u64 = 1_000;
/// The most slots of a session.
pub(super) const LONGEST: u64 = 10;
/// The role that [`Scene::grant`] makes.
pub(super) const GRANTED: u32 = 1;

pub(super) type Outcome = Result<(), TransactionError>;

pub(super) struct Scene {
    pub(super) world: World,
    pub(super) payer: Keypair,
    pub(super) buyer: Keypair,
    pub(super) delegate: Keypair,
    pub(super) wallet: Wallet,
    pub(super) mint: Pubkey,
    /// The seller's token account.
    pub(super) sellers: Pubkey,
}

impl Scene {
    /// A wallet that does not exist yet, and people with accounts.
    pub(super) async fn empty() -> Self {
        let world = World::new().await;
        let payer = world.wallet(51, 10 * SOL);
        let seller = Pubkey::new_from_array([34; 32]);
        let cash = world.net.cash();
        cash.fund(&seller, 0).expect("the faucet gives");
        let (mint, sellers) = (cash.mint(), cash.account_of(&seller));
        let [buyer, delegate] = [17, 68].map(|seed| Keypair::new_from_array([seed; 32]));
        let scene = Self { world, payer, buyer, delegate, wallet: Wallet::new([9; 32]), mint, sellers };
        scene.world.net.tick();
        scene
    }

    /// A wallet with cash, whose one role is the buyer's.
    pub(super) async fn new() -> Self {
        let scene = Self::empty().await;
        let create =
            wire::create(&scene.wallet, &scene.payer.pubkey(), Authority::Key(scene.buyer.pubkey()), &[Action::All]);
        assert_eq!(scene.world.land(&[create], &[&scene.payer]).await, Ok(()));
        scene.world.net.cash().fund(&scene.wallet.address, PURSE).expect("the faucet gives");
        scene.world.net.tick();
        scene
    }

    /// A wallet with a role of the delegate's, in a session of [`LONGEST`] slots.
    pub(super) async fn granted(may: &[Action]) -> Self {
        let scene = Self::new().await;
        assert_eq!(scene.grant(may).await, Ok(()));
        assert_eq!(scene.begin_session(LONGEST).await, Ok(()));
        scene
    }

    /// A wallet from which the delegate may spend `units`.
    pub(super) async fn spending(units: u64) -> Self {
        let scene = Self::new().await;
        assert_eq!(scene.grant(&scene.may_spend(units)).await, Ok(()));
        assert_eq!(scene.begin_session(LONGEST).await, Ok(()));
        scene
    }

    /// What a role may do that may spend `units`.
    pub(super) fn may_spend(&self, units: u64) -> [Action; 2] {
        [Action::Program(TokenProgram::Token.address()), Action::TokenLimit(self.mint, units)]
    }

    /// Adds a role that the delegate acts for and the buyer is root of.
    pub(super) async fn grant(&self, may: &[Action]) -> Outcome {
        let authority = Authority::Session(self.buyer.pubkey(), self.delegate.pubkey(), LONGEST);
        self.add(authority, may).await
    }

    /// Adds a role by the buyer's.
    pub(super) async fn add(&self, authority: Authority, may: &[Action]) -> Outcome {
        let buyer = self.buyer.pubkey();
        self.by_buyer(&[wire::add(&self.wallet, &self.payer.pubkey(), (0, &buyer), authority, may)]).await
    }

    /// Lets the delegate act for the granted role for so many slots.
    pub(super) async fn begin_session(&self, slots: u64) -> Outcome {
        let (buyer, delegate) = (self.buyer.pubkey(), self.delegate.pubkey());
        let session = wire::session(&self.wallet, &self.payer.pubkey(), (GRANTED, &buyer), &delegate, slots);
        self.by_buyer(&[session]).await
    }

    /// How instructions end that the buyer signs.
    pub(super) async fn by_buyer(&self, instructions: &[Instruction]) -> Outcome {
        self.world.land(instructions, &[&self.payer, &self.buyer]).await
    }

    /// How calls end that the delegate makes for the granted role.
    pub(super) async fn calls(&self, calls: &[Instruction]) -> Outcome {
        let sign = wire::sign(&self.wallet, (GRANTED, &self.delegate.pubkey()), calls);
        self.world.land(&[sign], &[&self.payer, &self.delegate]).await
    }

    /// The wallet's token account.
    pub(super) fn source(&self) -> Pubkey {
        self.world.net.cash().account_of(&self.wallet.address)
    }

    /// A transfer from the wallet.
    pub(super) fn pay(&self, to: &Pubkey, units: u64) -> Instruction {
        let transfer = TransferChecked {
            program: TokenProgram::Token,
            source: self.source(),
            mint: self.mint,
            destination: *to,
            authority: self.wallet.address,
            amount: units,
            decimals: CASH_DECIMALS,
        };
        transfer.instruction()
    }

    /// Another instruction of the token program on the wallet's token account, and on `others` after it.
    pub(super) fn token(&self, data: &[u8], others: &[AccountMeta]) -> Instruction {
        let source = AccountMeta::new(self.source(), false);
        let wallet = AccountMeta::new_readonly(self.wallet.address, true);
        let accounts = std::iter::once(source).chain(others.iter().cloned()).chain([wallet]).collect();
        Instruction { program_id: TokenProgram::Token.address(), accounts, data: data.to_vec() }
    }

    /// Base units in a token account.
    pub(super) fn balance(&self, account: &Pubkey) -> u64 {
        token_account(&self.world, account).amount
    }

    /// The config's bytes.
    pub(super) fn config(&self) -> Vec<u8> {
        self.world.net.network().account(&self.wallet.config).expect("the config is there").data
    }

    /// What is left of a limit that ends so many bytes before the config does.
    pub(super) fn left(&self, behind: usize) -> u64 {
        let config = self.config();
        let end = config.len() - behind;
        u64::from_le_bytes(config[end - 8..end].try_into().expect("eight bytes"))
    }
}

/// The end of a transaction whose only instruction is refused with `code`.
pub(super) fn refused(code: u32) -> Outcome {
    failed(InstructionError::Custom(code))
}

/// The end of a transaction whose only instruction fails with one of the runtime's own errors.
pub(super) fn failed(error: InstructionError) -> Outcome {
    Err(TransactionError::InstructionError(0, error))
}
