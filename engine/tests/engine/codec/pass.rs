//! The secrets of a sale as bytes: where they stand, where they do not, and bad ones.

use super::*;
use flashsale_fuzz::samples_pass::{NEXT_SECRET, SECRET, guarded_sale, passkeys};

/// Does `part` stand anywhere in `bytes`?
fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// Bytes of the elements of a sale's digest.
fn digest_bytes(sale: &Sale) -> Vec<u8> {
    let mut bytes = Vec::new();
    digest(sale, &mut |element| bytes.extend_from_slice(element));
    bytes
}

fn altered(sale: &Sale, secrets: &[&[u8]]) -> Option<Sale> {
    let changes = Changes {
        passkeys: Some(passkeys(secrets)),
        ..Changes::default()
    };
    let mut sale = loaded(&saved(sale)).expect("what was saved");
    let event = sale.plan_alter(NOW_MS + 70_000, &changes);
    let bytes = encoded(&event.ok()?.change);
    let event = decode_event(&bytes, HASHER).expect("an event");
    sale.apply(&event);
    Some(sale)
}

#[test]
fn the_bytes_of_a_guarded_sale_are_those_of_the_golden_file() {
    let sale = guarded_sale();
    let chunks = saved(&sale);
    assert_golden("snapshot_pass.txt", &format!("{}\n", hex(&chunks[0])));
    let again = loaded(&chunks).unwrap();
    assert_eq!(digested(&again), digested(&sale));
    assert_eq!(again.info(NOW_MS).options, sale.info(NOW_MS).options);
}

#[test]
fn a_digest_depends_on_the_secrets_and_shows_none() {
    let sale = guarded_sale();
    let (saved, digest) = (saved(&sale).concat(), digest_bytes(&sale));
    for secret in [SECRET, NEXT_SECRET] {
        assert!(contains(&saved, secret) && !contains(&digest, secret));
    }
    for others in [
        &[][..],
        &[SECRET],
        &[NEXT_SECRET, SECRET],
        &[SECRET, b"the-next-secret?"],
    ] {
        let other = altered(&sale, others).expect("a change");
        assert_ne!(digested(&other), digested(&sale));
        assert_eq!(
            digested(&loaded(&super::saved(&other)).unwrap()),
            digested(&other)
        );
    }
    assert!(altered(&sale, &[SECRET, NEXT_SECRET]).is_none());
}

#[test]
fn neither_entries_nor_printouts_show_a_secret() {
    let sale = guarded_sale();
    let outbox = sale.outbox().expect("an outbox");
    let entries: Vec<Record<'_>> = outbox.read().map(Result::unwrap).collect();
    let last = &entries.last().expect("an entry").news;
    assert!(matches!(last, News::Altered(changed) if changed.passkeys));
    let shown = format!("{entries:?} {:?} {:?}", sale.info(NOW_MS).options, events());
    // As text, and as a list of numbers.
    for secret in [SECRET, NEXT_SECRET, &[0xff; 128]] {
        let text = String::from_utf8_lossy(secret);
        let numbers = format!("{:?}", &secret[..4]);
        let numbers = numbers.trim_matches(['[', ']']);
        assert!(
            !shown.contains(&*text) && !shown.contains(numbers),
            "{text}"
        );
    }
}

#[test]
fn secrets_of_a_wrong_size_or_number_are_an_error() {
    let plain = encoded(&Change::Altered(Box::new(Options::new(1, 3_600_000))));
    let with = |secrets: &[&[u8]]| {
        let mut value = vec![secrets.len() as u8];
        for secret in secrets {
            value.push(secret.len() as u8);
            value.extend_from_slice(secret);
        }
        let mut bytes = plain.clone();
        bytes[1] |= 128;
        bytes.extend([1, 3]);
        bytes.extend(flashsale_fuzz::mutate::spelled(value.len() as u64));
        bytes.extend(value);
        decode_event(&bytes, HASHER).map(|_| ())
    };
    let (short, least, most, long) = ([1; 15], [1; 16], [1; 128], [1; 129]);
    for right in [&[&least[..]][..], &[&most], &[&least, &most]] {
        assert_eq!(with(right), Ok(()));
    }
    for wrong in [
        &[][..],
        &[&short[..]],
        &[&long],
        &[&least, &short],
        &[&least[..]; 3],
    ] {
        assert!(with(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn flipped_and_cut_secrets_are_errors_or_consistent_sales() {
    let bytes = saved(&guarded_sale()).remove(0);
    let at = bytes.windows(SECRET.len()).position(|part| part == SECRET);
    let begins = at.expect("the secret") - 8;
    for bit in begins * 8..(begins + 64) * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        if let Ok(sale) = loaded(&[flipped]) {
            consistent(sale, &format!("bit {bit}"));
        }
    }
    for len in begins..begins + 64 {
        assert!(loaded(&[bytes[..len].to_vec()]).is_err(), "cut at {len}");
    }
}
