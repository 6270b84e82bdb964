//! Passwords: the rule, the hash, the comparison. All of it is slow on purpose: call it on a blocking thread.

use argon2::{Argon2, PasswordHash, PasswordHasher as _, PasswordVerifier as _};

/// What the password rule asks for and did not find.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordFlaw {
    /// Fewer than 8 characters.
    TooShort,
    /// No digit.
    NoDigit,
    /// No lower-case letter.
    NoLowerCase,
    /// No upper-case letter.
    NoUpperCase,
    /// Nothing but letters and digits.
    NoSpecial,
}

impl std::fmt::Display for PasswordFlaw {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::TooShort => "a password has at least 8 characters",
            Self::NoDigit => "a password has a digit",
            Self::NoLowerCase => "a password has a lower-case letter",
            Self::NoUpperCase => "a password has an upper-case letter",
            Self::NoSpecial => "a password has a character that is neither letter nor digit",
        })
    }
}

/// Whether a new password is good enough: more than 7 characters, with letters of both cases, digits and something
/// else.
///
/// # Errors
/// The first [`PasswordFlaw`].
pub fn check_password_rule(password: &str) -> Result<(), PasswordFlaw> {
    let has = |wanted: fn(char) -> bool| password.chars().any(wanted);
    if password.chars().count() < 8 {
        Err(PasswordFlaw::TooShort)
    } else if !has(|c| c.is_numeric()) {
        Err(PasswordFlaw::NoDigit)
    } else if !has(char::is_lowercase) {
        Err(PasswordFlaw::NoLowerCase)
    } else if !has(char::is_uppercase) {
        Err(PasswordFlaw::NoUpperCase)
    } else if !has(|c| !c.is_alphanumeric()) {
        Err(PasswordFlaw::NoSpecial)
    } else {
        Ok(())
    }
}

/// The Argon2id hash of a password with a fresh salt, in PHC form.
///
/// # Errors
/// One sentence, when the system has no randomness to give or the password is absurdly long.
pub fn hash_password(password: &str) -> Result<String, String> {
    let hash = Argon2::default().hash_password(password.as_bytes());
    hash.map(|hash| hash.to_string()).map_err(|error| format!("the password cannot be hashed: {error}"))
}

/// Whether `password` is the one behind `hash`. A hash that cannot be read fits no password.
pub(crate) fn verify(password: &str, hash: &str) -> bool {
    PasswordHash::new(hash).is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn the_rule_names_what_is_missing() {
        assert_eq!(check_password_rule("Senha1!"), Err(PasswordFlaw::TooShort));
        assert_eq!(check_password_rule("Senhaboa!"), Err(PasswordFlaw::NoDigit));
        assert_eq!(check_password_rule("SENHA123!"), Err(PasswordFlaw::NoLowerCase));
        assert_eq!(check_password_rule("senha123!"), Err(PasswordFlaw::NoUpperCase));
        assert_eq!(check_password_rule("Senha1234"), Err(PasswordFlaw::NoSpecial));
        assert_eq!(check_password_rule("Senha123!"), Ok(()));
    }

    #[test]
    fn a_hash_fits_its_password_alone() {
        let hash = hash_password("Senha123!").unwrap();
        assert!(hash.starts_with("$argon2id$"), "{hash}");
        assert!(verify("Senha123!", &hash));
        assert!(!verify("Senha123?", &hash));
        assert!(!verify("Senha123!", "not a hash"));
    }
}
