//! Decides whether a pass lets its bearer in: row 15 of RESERVE and BUY.
//!
//! ```text
//! pass = expires_at_ms "." base64url(first 16 bytes of HMAC-SHA256(secret, text)), no padding
//! text = expires_at_ms in decimal "." len(id) as one byte, id, user
//! ```
//!
//! Who has the secret makes passes, for an id and a user, after its own checks. A pass is good
//! for one reservation, because its id is. Names are any bytes: without the length byte `ann-1`
//! of `ann` and `ann-` of `1ann` would be one text.
//!
//! Edge: pure. The comparison is the crate's own, in constant time; what a client sent is no
//! secret, so reading it need not be.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::sale::ask::answer::Answer;
use crate::sale::ask::request::{Pass, Reserve};
use crate::sale::book::passkeys::PassKeys;
use crate::sale::state::Sale;
use crate::sale::units::INTEGER_MAX;
use crate::table::name::NameBuffer;

/// Bytes of the HMAC that a pass carries.
const TAG_BYTES: usize = 16;
/// The same as letters, 6 bits each.
const TAG_LETTERS: usize = 22;
/// Base64url, by value.
const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

impl Sale {
    /// Reports whether a new reservation, or a place in line, needs a pass.
    pub fn asks_for_pass(&self) -> bool {
        !self.options.passkeys.is_empty()
    }

    /// Row 15, of a request that begins a reservation or joins a line.
    #[inline(always)]
    pub(super) fn admit_pass(&self, now_ms: u64, ask: &Reserve<'_>) -> Result<(), Answer> {
        if self.asks_for_pass() {
            return self.check_pass(now_ms, ask);
        }
        Ok(())
    }

    #[inline(never)] // Most sales have no PASSKEY.
    fn check_pass(&self, now_ms: u64, ask: &Reserve<'_>) -> Result<(), Answer> {
        let (mut id, mut user) = (NameBuffer::default(), NameBuffer::default());
        let lets_in = match ask.pass {
            Pass::Vouched => true,
            Pass::Missing => false,
            Pass::Shown(pass) => verify(
                &self.options.passkeys,
                now_ms,
                ask.id.bytes(&mut id),
                ask.user.bytes(&mut user),
                pass,
            ),
        };
        lets_in.then_some(()).ok_or(Answer::NoPass)
    }
}

/// Reports whether one of the secrets made this pass for this id and user, and it is not over:
/// it is as long as `now_ms < expires_at_ms`. O(bytes of both names), and per secret.
pub fn verify(secrets: &PassKeys, now_ms: u64, id: &[u8], user: &[u8], pass: &[u8]) -> bool {
    let Some((expires_at, expires_at_ms, tag)) = parse(pass) else {
        return false;
    };
    now_ms < expires_at_ms
        && secrets.iter().any(|secret| {
            mac(secret, expires_at, id, user)
                .is_some_and(|mac| mac.verify_truncated_left(&tag).is_ok())
        })
}

/// Makes a pass that is good until `expires_at_ms`. For tests and tools: a sale makes none.
pub fn make(secret: &[u8], expires_at_ms: u64, id: &[u8], user: &[u8]) -> String {
    let expires_at = expires_at_ms.to_string();
    let mut pass = expires_at.clone() + ".";
    let Some(mac) = mac(secret, expires_at.as_bytes(), id, user) else {
        return pass;
    };
    let tag = mac.finalize().into_bytes();
    for three in tag[..TAG_BYTES].chunks(3) {
        let bits = three
            .iter()
            .fold(0_u32, |bits, &byte| bits << 8 | u32::from(byte));
        let bits = bits << (8 * (3 - three.len()));
        for letter in 0..=three.len() {
            let value = bits >> (18 - 6 * letter) & 63;
            pass.push(char::from(LETTERS[value as usize]));
        }
    }
    pass
}

/// The HMAC of a pass; `None` for an id that has no length of one byte.
fn mac(secret: &[u8], expires_at: &[u8], id: &[u8], user: &[u8]) -> Option<Hmac<Sha256>> {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(secret).ok()?;
    mac.update(expires_at);
    mac.update(&[b'.', u8::try_from(id.len()).ok()?]);
    mac.update(id);
    mac.update(user);
    Some(mac)
}

/// The parts of a pass: its moment as written and as a number, and its tag. There is one
/// spelling of each: no sign, no leading zero, no spare bit.
fn parse(pass: &[u8]) -> Option<(&[u8], u64, [u8; TAG_BYTES])> {
    let dot = pass.iter().position(|&byte| byte == b'.')?;
    let (expires_at, letters) = (&pass[..dot], &pass[dot + 1..]);
    let mut expires_at_ms = 0_u64;
    for &digit in expires_at {
        if !digit.is_ascii_digit() {
            return None;
        }
        expires_at_ms = expires_at_ms * 10 + u64::from(digit - b'0');
        if expires_at_ms > INTEGER_MAX {
            return None;
        }
    }
    if expires_at.is_empty() || (expires_at.len() > 1 && expires_at[0] == b'0') {
        return None;
    }
    Some((expires_at, expires_at_ms, tag_of(letters)?))
}

/// The bytes that 22 letters stand for.
fn tag_of(letters: &[u8]) -> Option<[u8; TAG_BYTES]> {
    if letters.len() != TAG_LETTERS {
        return None;
    }
    let mut bits = 0_u128;
    for (at, &letter) in letters.iter().enumerate() {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'-' => 62,
            b'_' => 63,
            _ => return None,
        };
        // The last letter has two bits of the tag, and four that are nobody's.
        bits = if at + 1 < TAG_LETTERS {
            bits << 6 | u128::from(value)
        } else if value & 15 == 0 {
            bits << 2 | u128::from(value >> 4)
        } else {
            return None;
        };
    }
    Some(bits.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
    const OTHER: &[u8] = b"another one, that is not so nice";
    const END_MS: u64 = 1_795_203_103_000;

    fn keys(secrets: &[&[u8]]) -> PassKeys {
        PassKeys::new(secrets).expect("secrets")
    }

    /// The page's vectors: id, user, pass.
    fn vectors() -> Vec<(Vec<u8>, Vec<u8>, &'static str)> {
        let of = |id: &[u8], user: &[u8], pass| (id.to_vec(), user.to_vec(), pass);
        vec![
            of(b"ann-1", b"ann", "1795203103000._7VGrWWgIv58ZDqxpGAuZw"),
            of(b"ann-1", b"ann2", "1795203103000.nH9mis8AK9eoYg1eU1dAfQ"),
            of(b"ann-", b"1ann", "1795203103000.RUGLXx8YQTC4wgwMm5cUPQ"),
            of(&[0, 0xff, 0x2e], &[0], "1.MAcEZaPRVQgKLyXJmley4Q"),
            of(
                &[b'i'; 255],
                &[b'u'; 255],
                "1795203103000.MNg_7cID0Bh7DgRR3o32aQ",
            ),
        ]
    }

    #[test]
    fn makes_and_takes_the_passes_of_the_page() {
        for (id, user, pass) in vectors() {
            let expires_at_ms = pass.split('.').next().unwrap().parse().unwrap();
            assert_eq!(make(SECRET, expires_at_ms, &id, &user), pass);
            assert!(verify(&keys(&[SECRET]), 0, &id, &user, pass.as_bytes()));
        }
    }

    #[test]
    fn a_flipped_bit_anywhere_lets_nobody_in() {
        let keys = keys(&[SECRET]);
        for (id, user, pass) in vectors() {
            let takes = |id: &[u8], user: &[u8], pass: &[u8]| verify(&keys, 0, id, user, pass);
            assert!(takes(&id, &user, pass.as_bytes()));
            for bit in 0..8 {
                let flipped = |bytes: &[u8], at: usize| {
                    let mut bytes = bytes.to_vec();
                    bytes[at] ^= 1 << bit;
                    bytes
                };
                for at in 0..id.len() {
                    assert!(!takes(&flipped(&id, at), &user, pass.as_bytes()));
                }
                for at in 0..user.len() {
                    assert!(!takes(&id, &flipped(&user, at), pass.as_bytes()));
                }
                for at in 0..pass.len() {
                    let changed = flipped(pass.as_bytes(), at);
                    assert!(!takes(&id, &user, &changed), "{}", changed.escape_ascii());
                }
            }
        }
        let (id, user, pass) = &vectors()[0];
        for at in 0..SECRET.len() {
            let mut secret = SECRET.to_vec();
            secret[at] ^= 1;
            assert!(!verify(
                &self::keys(&[&secret]),
                0,
                id,
                user,
                pass.as_bytes()
            ));
        }
    }

    #[test]
    fn a_pass_ends_at_its_moment() {
        let (id, user, pass) = &vectors()[0];
        for (now_ms, is_good) in [
            (0, true),
            (END_MS - 1, true),
            (END_MS, false),
            (END_MS + 1, false),
        ] {
            assert_eq!(
                verify(&keys(&[SECRET]), now_ms, id, user, pass.as_bytes()),
                is_good
            );
        }
    }

    #[test]
    fn either_of_two_secrets_is_right_and_no_third() {
        let (id, user, pass) = &vectors()[0];
        let pass = pass.as_bytes();
        for right in [&[SECRET][..], &[SECRET, OTHER], &[OTHER, SECRET]] {
            assert!(verify(&keys(right), 0, id, user, pass));
        }
        for wrong in [&[][..], &[OTHER], &[OTHER, OTHER]] {
            assert!(!verify(&keys(wrong), 0, id, user, pass));
        }
    }

    #[test]
    fn a_pass_has_one_spelling() {
        let (id, user, pass) = &vectors()[0];
        let (end, tag) = pass.split_once('.').unwrap();
        // The last letter of a tag has four spare bits: `w` is 110000.
        let spare = format!("{end}.{}x", &tag[..21]);
        for wrong in [
            String::new(),
            ".".to_owned(),
            format!(".{tag}"),
            format!("{end}."),
            format!("{end}{tag}"),
            format!("0{pass}"),
            format!("+{pass}"),
            format!(" {pass}"),
            format!("{pass} "),
            format!("{pass}="),
            format!("{pass}A"),
            format!("{end}.{}", &tag[..21]),
            format!("99999999999999999999999999.{tag}"),
            format!("9007199254740992.{tag}"),
            spare,
        ] {
            assert!(
                !verify(&keys(&[SECRET]), 0, id, user, wrong.as_bytes()),
                "{wrong}"
            );
        }
        let zero = make(SECRET, 0, id, user);
        assert!(!verify(&keys(&[SECRET]), 0, id, user, zero.as_bytes()));
    }
}
