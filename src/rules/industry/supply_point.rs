//! Supply point identifiers: the MPAN core of electricity, the MPRN of gas.

/// The weights of the first twelve digits of an MPAN core: the primes from 3 on, without 11.
const MPAN_WEIGHTS: [u32; 12] = [3, 5, 7, 13, 17, 19, 23, 29, 31, 37, 41, 43];

/// Why an identifier is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Not the right number of digits, or not digits alone.
    Shape,
    /// The last digits do not follow from the others.
    CheckDigits,
}

/// Checks an MPAN core: 13 digits, the last of which is the weighted sum of the others modulo 11 modulo 10.
///
/// It is a check against typing errors: about one adjacent swap in ten goes unnoticed.
pub fn check_mpan(text: &str) -> Result<(), Fault> {
    let digits = digits(text).filter(|digits| digits.len() == 13).ok_or(Fault::Shape)?;
    let (body, check) = digits.split_at(12);
    let sum: u32 = body.iter().zip(MPAN_WEIGHTS).map(|(&digit, weight)| u32::from(digit - b'0') * weight).sum();
    if sum % 11 % 10 == number(check) { Ok(()) } else { Err(Fault::CheckDigits) }
}

/// Checks the shape of an MPRN (6 to 10 digits), then its check digits: the last two are the sum of the others modulo
/// 11, where the first of `n` weighs `n` and the last weighs 1.
///
/// Networks of independent transporters are known to have numbers that break the check digits.
pub fn check_mprn(text: &str) -> Result<(), Fault> {
    let digits = digits(text).filter(|digits| (6..=10).contains(&digits.len())).ok_or(Fault::Shape)?;
    let (body, check) = digits.split_at(digits.len() - 2);
    let sum: u32 = body.iter().rev().zip(1..).map(|(&digit, weight)| u32::from(digit - b'0') * weight).sum();
    if sum % 11 == number(check) { Ok(()) } else { Err(Fault::CheckDigits) }
}

fn digits(text: &str) -> Option<&[u8]> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then_some(text.as_bytes())
}

fn number(digits: &[u8]) -> u32 {
    digits.iter().fold(0, |number, digit| number * 10 + u32::from(digit - b'0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mpan_cores() {
        for good in ["1200060176720", "1013004420117", "1200000000030"] {
            assert_eq!(check_mpan(good), Ok(()), "{good}");
        }
        for wrong in ["1200060176721", "1200060167720"] {
            assert_eq!(check_mpan(wrong), Err(Fault::CheckDigits), "{wrong}");
        }
        for shapeless in
            ["", "120006017672", "12000601767200", "1.20006E+12", "120006017672O", " 120006017672", "١٢٠٠٠٦٠"]
        {
            assert_eq!(check_mpan(shapeless), Err(Fault::Shape), "{shapeless}");
        }
    }

    #[test]
    fn mprns() {
        for good in ["9353824109", "3406086401", "9349409806", "7000000910", "12345601"] {
            assert_eq!(check_mprn(good), Ok(()), "{good}");
        }
        for wrong in ["9353824110", "9358324109"] {
            assert_eq!(check_mprn(wrong), Err(Fault::CheckDigits), "{wrong}");
        }
        for shapeless in ["", "12345", "12345678901", "93538241O9", "9353 824109"] {
            assert_eq!(check_mprn(shapeless), Err(Fault::Shape), "{shapeless}");
        }
    }
}
