//! British postcodes.

/// What a text is as a postcode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Postcode {
    /// A shape and letters that are in use.
    Good,
    /// The shape of a postcode with letters that are not in use where they stand; new areas are created, so it may be one.
    Doubtful,
    /// No postcode.
    Bad,
}

/// Judges `text` as a postcode, whatever its case and with or without spaces, dots and hyphens.
///
/// The shape is one or two letters, a digit, perhaps a digit or a letter, a digit and two letters.
#[must_use]
pub fn judge(text: &str) -> Postcode {
    const LONGEST: usize = 7;
    let mut compact = [0_u8; LONGEST];
    let mut length = 0;
    for c in text.chars().filter(|c| !c.is_whitespace() && !matches!(c, '.' | '-')) {
        if !c.is_ascii_alphanumeric() || length == LONGEST {
            return Postcode::Bad;
        }
        compact[length] = (c as u8).to_ascii_uppercase();
        length += 1;
    }
    if length < 5 {
        return Postcode::Bad;
    }
    let (outward, inward) = compact[..length].split_at(length - 3);
    if outward == b"GIR" && inward == b"0AA" {
        return Postcode::Good;
    }
    match inward {
        [digit, a, b] if digit.is_ascii_digit() && a.is_ascii_alphabetic() && b.is_ascii_alphabetic() => {
            judge_parts(outward, !b"CIKMOV".contains(a) && !b"CIKMOV".contains(b))
        }
        _ => Postcode::Bad,
    }
}

fn judge_parts(outward: &[u8], inward_in_use: bool) -> Postcode {
    let letters = outward.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let in_use = match (letters, &outward[letters..]) {
        (1 | 2, [first]) if first.is_ascii_digit() => true,
        (1 | 2, [first, second]) if first.is_ascii_digit() && second.is_ascii_digit() => true,
        (1, [first, letter]) if first.is_ascii_digit() => b"ABCDEFGHJKPSTUW".contains(letter),
        (2, [first, letter]) if first.is_ascii_digit() => b"ABEHMNPRVWXY".contains(letter),
        _ => return Postcode::Bad,
    };
    let area_in_use = !b"QVX".contains(&outward[0]) && (letters == 1 || !b"IJZ".contains(&outward[1]));
    if in_use && area_in_use && inward_in_use { Postcode::Good } else { Postcode::Doubtful }
}

/// Whether `text` begins like a postcode of Northern Ireland, Jersey, Guernsey or the Isle of Man, which the British
/// supply market does not reach.
#[must_use]
pub fn outside_market(text: &str) -> bool {
    const AREAS: [&str; 4] = ["BT", "JE", "GY", "IM"];
    let text = text.trim_start();
    let Some((area, rest)) = text.split_at_checked(2) else { return false };
    let digit = rest.trim_start().starts_with(|c: char| c.is_ascii_digit());
    digit && AREAS.iter().any(|outside| area.eq_ignore_ascii_case(outside))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postcodes_in_every_spelling() {
        for good in [
            "W1F 9DE",
            "w1f9de",
            " ec1a  1bb",
            "SW1A-1AA",
            "DN55 1PT",
            "CR2 6XH",
            "B33 8TH",
            "M1 1AE",
            "GIR 0AA",
            "EX10 6YX",
        ] {
            assert_eq!(judge(good), Postcode::Good, "{good}");
        }
    }

    #[test]
    fn letters_that_are_not_in_use_are_doubtful() {
        for doubtful in ["W1F 9DC", "Q1 1AA", "SW1J 1AA", "SJ1A 1AA", "W1Z 1AA"] {
            assert_eq!(judge(doubtful), Postcode::Doubtful, "{doubtful}");
        }
    }

    #[test]
    fn other_shapes_are_no_postcodes() {
        for bad in [
            "", "EC1A 1B8", "W1F 9D", "20099", "ZZ99", "W1F 9DEE", "ABC1 1AA", "W1FA 1AA", "ŁD1 1AA", "W 9DE", "1W 9DE",
        ] {
            assert_eq!(judge(bad), Postcode::Bad, "{bad}");
        }
    }

    #[test]
    fn areas_outside_the_market() {
        for outside in ["BT1 1AA", "je2 3ab", "GY11AA", "IM1 1AA"] {
            assert!(outside_market(outside), "{outside}");
        }
        for inside in ["B1 1AA", "W1F 9DE", "G1 1AA", "BTX", ""] {
            assert!(!outside_market(inside), "{inside}");
        }
    }
}
