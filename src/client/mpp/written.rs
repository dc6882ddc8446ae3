//! How members of a saved state are written: each as one text.

/// Values that are written as they are shown.
pub(super) mod as_text {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};
    use std::{fmt::Display, str::FromStr};

    pub(in crate::client::mpp) fn serialize<T: Display, S: Serializer>(
        value: &T,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(in crate::client::mpp) fn deserialize<'de, T: FromStr, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<T, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|_| D::Error::custom("a member is malformed"))
    }
}

/// Like [`as_text`], of what may be absent.
pub(super) mod as_optional_text {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer, de::Error as _};
    use std::{fmt::Display, str::FromStr};

    #[expect(clippy::ref_option, reason = "serde passes a reference to the field")]
    pub(in crate::client::mpp) fn serialize<T: Display, S: Serializer>(
        value: &Option<T>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        value.as_ref().map(ToString::to_string).serialize(serializer)
    }

    pub(in crate::client::mpp) fn deserialize<'de, T: FromStr, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<T>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| text.parse().map_err(|_| D::Error::custom("a member is malformed"))).transpose()
    }
}

/// Amounts as decimal digits.
pub(super) mod as_amount {
    use crate::domain::amount::Amount;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference to the field")]
    pub(in crate::client::mpp) fn serialize<S: Serializer>(value: &Amount, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(in crate::client::mpp) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Amount, D::Error> {
        Amount::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// 32 bytes as hex digits.
pub(super) mod as_hex {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(in crate::client::mpp) fn serialize<S: Serializer>(value: &[u8; 32], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(value))
    }

    pub(in crate::client::mpp) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<[u8; 32], D::Error> {
        let mut bytes = [0; 32];
        let text = String::deserialize(deserializer)?;
        hex::decode_to_slice(text, &mut bytes).map_err(|_| D::Error::custom("a member is malformed"))?;
        Ok(bytes)
    }
}

/// The secret, which nothing else writes.
pub(super) mod as_secret {
    use crate::domain::mpp::channel_id::ChannelSecret;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};
    use zeroize::Zeroizing;

    pub(in crate::client::mpp) fn serialize<S: Serializer>(
        value: &ChannelSecret,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&value.expose())
    }

    pub(in crate::client::mpp) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<ChannelSecret, D::Error> {
        let text = String::deserialize(deserializer).map(Zeroizing::new)?;
        text.parse().map_err(|_| D::Error::custom("a member is malformed"))
    }
}
