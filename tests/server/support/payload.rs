//! The envelope of DUMP: `value, RDB version (2 bytes), CRC-64 (8 bytes)`. With it a
//! test can damage a value and still get past the server's own checksum.

use flashsale_fuzz::dice::Dice;

/// Bytes of version and checksum at the end.
const ENVELOPE_BYTES: usize = 10;

/// CRC-64 as Redis computes it ("Jones": reflected, no initial or final inversion).
pub fn crc64(bytes: &[u8]) -> u64 {
    // 0xad93d23594c935a9 with its bits in reverse order.
    const POLYNOMIAL: u64 = 0x95ac_9329_ac4b_c9b5;
    let mut crc = 0;
    for byte in bytes {
        crc ^= u64::from(*byte);
        for _ in 0..8 {
            let carry = crc & 1;
            crc >>= 1;
            if carry == 1 {
                crc ^= POLYNOMIAL;
            }
        }
    }
    crc
}

/// The payload with its value replaced by what `damage` makes of it.
pub fn forge(payload: &[u8], damage: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let value_end = payload.len() - ENVELOPE_BYTES;
    let mut value = payload[..value_end].to_vec();
    damage(&mut value);
    value.extend_from_slice(&payload[value_end..value_end + 2]);
    let crc = crc64(&value);
    value.extend_from_slice(&crc.to_le_bytes());
    value
}

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What [`hex`] wrote.
#[track_caller]
pub fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .chars()
        .map(|digit| digit.to_digit(16).expect("a digit") as u8)
        .collect();
    digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect()
}

/// Changes, inserts and takes out up to `times_max` bytes of a value, after a head that
/// is left alone.
pub fn damage(bytes: &mut Vec<u8>, head: usize, dice: &mut Dice, times_max: u64) {
    for _ in 0..=dice.below(times_max) {
        let span = (bytes.len() - head) as u64;
        let position = head + dice.below(span) as usize;
        match dice.below(4) {
            0 => bytes[position] = dice.below(256) as u8,
            1 => bytes.insert(position, dice.below(256) as u8),
            2 if span > 2 => drop(bytes.remove(position)),
            _ => {
                // A length or a number with all its bits set.
                let end = (position + 1 + dice.below(8) as usize).min(bytes.len());
                bytes[position..end].fill(0xff);
            }
        }
    }
}
