//! Numbers and bars as a person reads them, in plain text.

/// Writes a number with a comma every three digits.
pub fn commas(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Draws available, reserved and sold units as a bar of text with its figures.
pub fn bar([available, reserved, sold]: [u64; 3], width: u64) -> String {
    let total = (available + reserved + sold).max(1);
    let filled = |units: u64| (units * width).div_ceil(total).min(width);
    let sold_part = filled(sold);
    let reserved_part = filled(reserved).min(width - sold_part);
    let rest = width - sold_part - reserved_part;
    let part = |letter: &str, count: u64| letter.repeat(count as usize);
    format!(
        "[{}{}{}] {} sold, {} reserved, {} available",
        part("#", sold_part),
        part("+", reserved_part),
        part(".", rest),
        commas(sold),
        commas(reserved),
        commas(available)
    )
}

/// Writes microseconds as milliseconds.
pub fn ms(us: u64) -> String {
    let ms = us as f64 / 1e3;
    if ms < 10.0 {
        format!("{ms:.2}")
    } else {
        format!("{ms:.0}")
    }
}

/// Replaces what a terminal would obey: names come from strangers.
pub fn harmless(text: &str) -> String {
    let letter = |letter: char| if letter.is_control() { '?' } else { letter };
    text.chars().map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_digits_by_three() {
        let texts = [0, 999, 1_000, 1_234_567].map(commas);
        assert_eq!(texts, ["0", "999", "1,000", "1,234,567"]);
    }

    #[test]
    fn a_name_gives_no_orders_to_the_terminal() {
        assert_eq!(harmless("a\x1b[2Jb\n"), "a?[2Jb?");
    }

    #[test]
    fn draws_a_bar() {
        assert_eq!(
            bar([5, 3, 2], 10),
            "[##+++.....] 2 sold, 3 reserved, 5 available"
        );
        assert_eq!(bar([0, 0, 0], 4), "[....] 0 sold, 0 reserved, 0 available");
        // The smallest part is seen, and the bar is never too long.
        assert!(bar([0, 1, 9_999], 10).starts_with("[##########]"));
        assert!(bar([9_999, 0, 1], 10).starts_with("[#.........]"));
    }
}
