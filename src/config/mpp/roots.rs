//! The roots of `[mpp]`: references to the secrets that keys of channels and delegations are derived from.

use crate::{
    config::{
        reader::Reader,
        schema::Key,
        secret::{SecretError, SecretReference},
    },
    domain::mpp::root::{Root, Roots},
};

pub(super) const ROOT: Key = Key::text("mpp", "root").reference();
pub(super) const PREVIOUS_ROOTS: Key = Key::list("mpp", "previous_roots").reference();

const REMEDY: &str = "write file:PATH or env:NAME of 64 hex digits, as `openssl rand -hex 32` makes them";

/// Fetches the roots; none where MPP is not served, because then nothing needs them.
pub(super) fn read(reader: &mut Reader<'_>, is_served: bool) -> Option<Roots> {
    if !is_served {
        return None;
    }
    let Some(text) = reader.optional_text(&ROOT) else {
        reader.fault(&ROOT, "not set, and mpp.enabled is true", REMEDY);
        return None;
    };
    let current = fetch(reader, &ROOT, text);
    let texts = reader.optional_list(&PREVIOUS_ROOTS).unwrap_or_default();
    let previous: Vec<_> = texts.iter().map(|text| fetch(reader, &PREVIOUS_ROOTS, text)).collect();
    Some(Roots { current: current?, previous: previous.into_iter().collect::<Option<_>>()? })
}

/// Who has a root can pay anybody out of everything that was delegated, so one that others of this machine may read is refused.
fn fetch(reader: &mut Reader<'_>, key: &Key, text: &str) -> Option<Root> {
    let read = || -> Result<_, SecretError> {
        let reference = SecretReference::parse(text)?;
        let open = reference.file_readable_by_others(reader.environment())?;
        Ok((reference.read(reader.environment())?, open))
    };
    match read() {
        Err(error) => reader.fault(key, error.to_string(), REMEDY),
        Ok((_, Some(path))) => {
            let path = path.display();
            reader.fault(
                key,
                format!("{path} can be read by other users of this machine"),
                format!("chmod 600 {path}"),
            );
        }
        Ok((secret, None)) => {
            let root = Root::from_hex(secret.expose());
            if root.is_none() {
                reader.fault(key, "it does not hold 64 hex digits", REMEDY);
            }
            return root;
        }
    }
    None
}
