//! What the Machine Payments Protocol needs of the chain before it is served: the mints, which have to be ones that can do nothing
//! but move.

use super::reach::{Trouble, answered};
use crate::{
    chain::{Chain, ChainAccount, ChainError},
    config::{Config, MppChannelsConfig, MppConfig, NetworkName},
    domain::{
        amount::Amount,
        clock::DAY,
        mpp::{
            charge::{ChargeAsset, ChargeOffer},
            delegation::OnboardLimits,
        },
    },
    facilitator::{ChannelSettings, ClockCheck, DelegationSettings, MppSettings, WindowTrust},
    programs::spl_token::{HARMLESS_EXTENSIONS, Mint, NATIVE_MINTS, TokenProgram, extensions},
};
use solana_pubkey::Pubkey;
use std::net::IpAddr;

/// Why a mint is not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum MintError {
    /// The chain does not tell.
    #[error("the mints of MPP cannot be read")]
    Chain(#[from] ChainError),
    /// It is no mint.
    #[error("mpp.mint: {0} is no initialised mint of SPL Token or Token-2022 on this network")]
    NoMint(Pubkey),
    /// Its accounts can be closed with money in them.
    #[error("mpp.mint: {0} is wrapped SOL, whose accounts can be closed with money in them")]
    Native(Pubkey),
    /// Its extensions can take, hold back or hide what was paid.
    #[error(
        "mpp.mint: {mint} has the Token-2022 extension {extension}, by which what is paid can be taken or held back"
    )]
    Extension {
        /// The mint.
        mint: Pubkey,
        /// The extension's number.
        extension: u16,
    },
}

/// What is served; none where MPP is switched off.
pub(super) async fn settings(
    config: &Config,
    chain: &impl Chain,
    trouble: Trouble<'_>,
) -> Result<Option<MppSettings>, MintError> {
    let Some(mpp) = &config.mpp else { return Ok(None) };
    let mut assets = assets(mpp, chain, trouble).await?.into_iter();
    let asset = assets.next().ok_or(MintError::NoMint(mpp.mint))?;
    let offer = ChargeOffer { asset, others: assets.collect(), min_amount: mpp.min_amount };
    Ok(Some(MppSettings {
        offer,
        roots: mpp.roots.clone(),
        stats: mpp.stats,
        caps: mpp.caps,
        known_wallets: mpp.known_wallets.clone(),
        delegations: delegation_settings(mpp, config),
        channels: channel_settings(&mpp.channels),
        clock: clock_check(config),
    }))
}

/// Whether our clock is compared with the chain's: that of a local network is what whoever runs it makes it.
pub(super) const fn clock_check(config: &Config) -> ClockCheck {
    match config.network.name {
        NetworkName::Local { .. } => ClockCheck::Skipped,
        NetworkName::Public(_) => ClockCheck::AgainstBlockTime,
    }
}

/// How buyers delegate.
fn delegation_settings(mpp: &MppConfig, config: &Config) -> DelegationSettings {
    let of = &mpp.delegations;
    let is_loopback = config.server.address.ip().is_loopback();
    let every = is_loopback || mpp.channels.window_private;
    DelegationSettings {
        backend: of.backend,
        hosts: hosts(&of.public_hosts, config.server.address.ip()),
        buyers: of.buyers.clone(),
        min_balance: of.min_balance,
        min_deposit: mpp.channels.min_deposit,
        limits: OnboardLimits {
            of_wallet_per_day: of.of_wallet_per_day,
            of_caller_per_day: of.of_ip_per_day,
            per_hour: of.per_hour,
            rent_per_day: of.rent_day_lamports,
            swig_rent_per_day: of.swig_rent_day_lamports,
        },
        windows: if every { WindowTrust::Every } else { WindowTrust::Public },
    }
}

/// The hosts that sign-ins may be for: the configured ones, else what the server is bound to.
fn hosts(configured: &[String], bound: IpAddr) -> Vec<String> {
    if !configured.is_empty() {
        return configured.iter().map(|host| host.to_ascii_lowercase()).collect();
    }
    match bound {
        bound if bound.is_loopback() => ["localhost", "127.0.0.1", "[::1]"].map(str::to_owned).to_vec(),
        // Nobody can name it, so nobody can sign in: `doctor` says so.
        bound if bound.is_unspecified() => Vec::new(),
        IpAddr::V4(bound) => vec![bound.to_string()],
        IpAddr::V6(bound) => vec![format!("[{bound}]")],
    }
}

/// What channels may hold, and for how long.
fn channel_settings(config: &MppChannelsConfig) -> ChannelSettings {
    ChannelSettings {
        open_auth: config.open_auth,
        window_deposit_max: config.window_deposit_max,
        sellers: config.sellers.clone(),
        min_deposit: config.min_deposit,
        max_deposit: config.max_deposit,
        emergency: config.emergency,
        monitor: config.monitor,
        grace: config.grace,
        max_owed: config.max_owed,
        credit_line: Some(config.credit_line).filter(|line| *line > Amount::ZERO),
        of_buyer: config.of_buyer,
        of_seller: config.of_seller,
        in_all: config.in_all,
        vouchers_per_second: config.vouchers_per_second,
        voucher_retention: config.voucher_retention_days.saturating_mul(DAY),
    }
}

/// The tokens that are taken, the one of a request that names none first.
pub(super) async fn assets(
    mpp: &MppConfig,
    chain: &impl Chain,
    trouble: Trouble<'_>,
) -> Result<Vec<ChargeAsset>, MintError> {
    let mints: Vec<Pubkey> = std::iter::once(mpp.mint).chain(mpp.further_mints.iter().copied()).collect();
    let accounts = answered(trouble, || chain.accounts(&mints)).await?;
    mints.iter().zip(&accounts).map(|(mint, account)| asset(*mint, account.as_ref())).collect()
}

/// The token of a mint, if it is one that can do nothing but move.
fn asset(mint: Pubkey, account: Option<&ChainAccount>) -> Result<ChargeAsset, MintError> {
    let no_mint = || MintError::NoMint(mint);
    if NATIVE_MINTS.contains(&mint) {
        return Err(MintError::Native(mint));
    }
    let account = account.ok_or_else(no_mint)?;
    let program = TokenProgram::at(&account.owner).ok_or_else(no_mint)?;
    let read = Mint::decode(program, &account.data).map_err(|_| no_mint())?;
    if !read.is_initialised {
        return Err(no_mint());
    }
    let found = extensions(program, &account.data).map_err(|_| no_mint())?;
    match found.into_iter().find(|extension| !HARMLESS_EXTENSIONS.contains(extension)) {
        Some(extension) => Err(MintError::Extension { mint, extension }),
        None => Ok(ChargeAsset { mint, token_program: account.owner, decimals: read.decimals }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(owner: Pubkey, bytes: Vec<u8>) -> ChainAccount {
        ChainAccount { lamports: 1, owner, data: bytes }
    }

    /// An initialised mint of six decimals, with these extensions of four bytes each.
    fn mint(extensions: &[u16]) -> Vec<u8> {
        let mut bytes = vec![0; Mint::SIZE];
        (bytes[44], bytes[45]) = (6, 1);
        if !extensions.is_empty() {
            bytes.resize(165, 0);
            bytes.push(1);
        }
        for extension in extensions {
            bytes.extend([extension.to_le_bytes(), 4_u16.to_le_bytes()].concat());
            bytes.extend([0; 4]);
        }
        bytes
    }

    #[test]
    fn a_mint_that_can_do_more_than_move_is_refused() {
        let key = Pubkey::new_from_array([7; 32]);
        let judge = |program: TokenProgram, bytes| asset(key, Some(&account(program.address(), bytes)));
        for program in TokenProgram::ALL {
            let taken = judge(program, mint(&[])).expect("a plain mint");
            assert_eq!((taken.mint, taken.token_program, taken.decimals), (key, program.address(), 6));
        }
        assert!(judge(TokenProgram::Token2022, mint(&[18, 19, 23])).is_ok(), "names and pointers harm nobody");
        for harmful in [1, 3, 4, 6, 9, 10, 12, 14, 16, 25, 26, 999] {
            let refused = judge(TokenProgram::Token2022, mint(&[18, harmful]));
            assert!(
                matches!(refused, Err(MintError::Extension { extension, .. }) if extension == harmful),
                "{harmful}"
            );
        }
    }

    #[test]
    fn what_is_no_mint_is_refused() {
        let key = Pubkey::new_from_array([7; 32]);
        let uninitialised = vec![0; Mint::SIZE];
        let truncated = mint(&[18])[..170].to_vec();
        for (program, bytes) in [(TokenProgram::Token, uninitialised), (TokenProgram::Token2022, truncated)] {
            let refused = asset(key, Some(&account(program.address(), bytes)));
            assert!(matches!(refused, Err(MintError::NoMint(mint)) if mint == key), "{refused:?}");
        }
        assert!(matches!(asset(key, None), Err(MintError::NoMint(_))));
        assert!(matches!(asset(key, Some(&account(key, mint(&[])))), Err(MintError::NoMint(_))));
        for native in NATIVE_MINTS {
            let wrapped = account(TokenProgram::Token.address(), mint(&[]));
            assert!(matches!(asset(native, Some(&wrapped)), Err(MintError::Native(_))));
        }
    }
}
