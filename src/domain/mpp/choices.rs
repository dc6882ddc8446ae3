//! What an operator chooses of the Machine Payments Protocol, as closed lists of words (`spec/mpp.md` §2, §6, §7, §9).

/// How much `GET /mpp/stats` tells everybody.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StatsShown {
    /// Everything, the newest charges with their wallets and amounts included.
    Public,
    /// Counts only.
    #[default]
    Totals,
    /// Nothing: the route is not there.
    Off,
}

/// By what buyers delegate to us.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Backend {
    /// A token account of the buyer's with our key as its delegate.
    SplDelegate,
    /// A Swig wallet with a role for us.
    Swig,
}

impl Backend {
    /// Both.
    pub const ALL: [Self; 2] = [Self::SplDelegate, Self::Swig];

    /// The word in the ledger, in the configuration and on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::SplDelegate => "spl-delegate",
            Self::Swig => "swig",
        }
    }

    /// The one that is written as this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|backend| backend.word() == word)
    }
}

/// Who may open a channel for a wallet; the published protocol carries no proof.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OpenAuth {
    /// The caller who onboarded the wallet a moment ago, or whoever brings a proof.
    #[default]
    Window,
    /// Whoever brings a proof.
    Proof,
    /// Anybody: for closed networks.
    Off,
}

/// When a buyer's channels are settled at once because the account behind them shrinks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Emergency {
    /// When it no longer covers what is reserved.
    #[default]
    Reserve,
    /// When it no longer covers what is owed.
    Owed,
}
