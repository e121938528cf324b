//! How much a column's name says that it is meant for a field of the target.
//!
//! Names are taken apart into words, the abbreviations of legacy systems are written out, and words are compared one by
//! one. Words that say only what form a value has (`code`, `flag`, `number`) count little.

/// From this likeness (0 to 1) on, a column is taken to be meant.
pub(super) const MEANT: f64 = 0.75;
/// From this on, it is told as a candidate.
pub(super) const MAYBE: f64 = 0.55;
/// Columns that are told as candidates.
const CANDIDATES: usize = 3;

/// What legacy systems write for what the target writes.
const WRITTEN_OUT: [(&str, &[&str]); 59] = [
    ("acc", &["account"]),
    ("acct", &["account"]),
    ("addr", &["address"]),
    ("amt", &["amount"]),
    ("bal", &["balance"]),
    ("bill", &["billing"]),
    ("billed", &["billed"]),
    ("born", &["date", "birth"]),
    ("cd", &["code"]),
    ("chan", &["channel"]),
    ("comm", &["communication"]),
    ("cust", &["customer"]),
    ("dob", &["date", "birth"]),
    ("doc", &["document"]),
    ("dt", &["date"]),
    ("eff", &["effective"]),
    ("firstname", &["given", "name"]),
    ("flg", &["flag"]),
    ("forename", &["given", "name"]),
    ("freq", &["frequency"]),
    ("fuel", &["supply", "type"]),
    ("ind", &["flag"]),
    ("kwh", &["consumption"]),
    ("lastname", &["family", "name"]),
    ("line", &["address"]),
    ("mail", &["email"]),
    ("mob", &["mobile"]),
    ("mpan", &["identifier"]),
    ("mprn", &["identifier"]),
    ("mpxn", &["identifier"]),
    ("msn", &["meter", "serial", "number"]),
    ("no", &["number"]),
    ("nr", &["number"]),
    ("num", &["number"]),
    ("pay", &["payment"]),
    ("pcode", &["postcode"]),
    ("phone", &["landline"]),
    ("pref", &["preference"]),
    ("read", &["reading"]),
    ("ref", &["reference"]),
    ("reg", &["register"]),
    ("sched", &["schedule"]),
    ("seq", &["number"]),
    ("ser", &["serial"]),
    ("site", &["supply"]),
    ("start", &["start"]),
    ("stmt", &["statement"]),
    ("subchannel", &["subchannel"]),
    ("supp", &["supply"]),
    ("surname", &["family", "name"]),
    ("tariffcode", &["tariff", "code"]),
    ("tel", &["landline"]),
    ("telephone", &["landline"]),
    ("trans", &["transaction"]),
    ("trx", &["transaction"]),
    ("txn", &["transaction"]),
    ("until", &["to"]),
    ("val", &["value"]),
    ("zip", &["postcode"]),
];

/// Words that say what form a value has, or little else.
const FORMS: [&str; 12] = ["code", "flag", "number", "id", "is", "date", "on", "of", "at", "by", "the", "type"];

/// The words of `name`, written out, in lower case.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut before = ' ';
    for c in name.chars() {
        let begins = !before.is_alphanumeric()
            || before.is_lowercase() && c.is_uppercase()
            || before.is_numeric() != c.is_numeric();
        if c.is_alphanumeric() {
            if begins || words.is_empty() {
                words.push(String::new());
            }
            if let Some(word) = words.last_mut() {
                word.extend(c.to_lowercase());
            }
        }
        before = c;
    }
    let written_out = |word: String| match WRITTEN_OUT.iter().find(|(short, _)| *short == word) {
        Some((_, long)) => long.iter().map(|word| (*word).to_owned()).collect(),
        None => vec![word],
    };
    words.into_iter().flat_map(written_out).collect()
}

fn weight(word: &str) -> f64 {
    if FORMS.contains(&word) { 0.4 } else { 1.0 }
}

/// How alike two names are, from 0 to 1.
pub(super) fn likeness(column: &str, field: &str) -> f64 {
    let (ours, mut theirs) = (words(column), words(field));
    let total: f64 = ours.iter().chain(&theirs).map(|word| weight(word)).sum();
    let mut shared = 0.0;
    for word in &ours {
        let near = |other: &String| if word == other { 1.0 } else { like(word, other) };
        let best = theirs.iter().map(near).enumerate().max_by(|a, b| a.1.total_cmp(&b.1));
        if let Some((at, near)) = best.filter(|(_, near)| *near > 0.0) {
            let other = theirs.swap_remove(at);
            shared += near * (weight(word) + weight(&other));
        }
    }
    if total > 0.0 { shared / total } else { 0.0 }
}

/// How alike two words are: 0 unless one is a form of the other.
fn like(a: &str, b: &str) -> f64 {
    if a.len() < 3 || b.len() < 3 {
        return 0.0;
    }
    let near = strsim::jaro_winkler(a, b);
    if near >= 0.88 { near } else { 0.0 }
}

/// Of `columns`, those most likely meant for the field `leaf`, the likeliest first.
pub(super) fn nearest<'c>(leaf: &str, columns: impl Iterator<Item = &'c str>) -> Vec<&'c str> {
    let mut near: Vec<(f64, &str)> =
        columns.map(|column| (likeness(column, leaf), column)).filter(|(near, _)| *near >= MAYBE).collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    near.dedup_by(|a, b| a.1 == b.1);
    near.into_iter().take(CANDIDATES).map(|(_, column)| column).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn legacy_names_are_like_the_fields_that_they_are_meant_for() {
        for (column, field) in [
            ("BILL_POSTCODE", "billing_postcode"),
            ("BILL_ADDR_1", "billing_address1"),
            ("FAMILY_NAME", "family_name"),
            ("SURNAME", "family_name"),
            ("DOB", "date_of_birth"),
            ("LEDGER_BALANCE", "ledger_balance"),
            ("MPXN", "identifier"),
            ("meterSerial", "meter_serial_number"),
            ("READ_DATE", "reading_date"),
            ("EFFECTIVE_FROM", "effective_from"),
            ("SitePostcode", "supply_postcode"),
        ] {
            assert!(likeness(column, field) >= MEANT, "{column} {field} {}", likeness(column, field));
        }
        for (column, field) in
            [("CREATED_AT", "billing_name"), ("AMOUNT", "start_date"), ("ACCOUNT_NO", "account_type"), ("X", "y")]
        {
            assert!(likeness(column, field) < MEANT, "{column} {field} {}", likeness(column, field));
        }
    }

    #[test]
    fn the_nearest_columns_come_best_first() {
        let columns = ["NOTE", "SURNAME", "FAMILY_NM", "BALANCE"];
        assert_eq!(nearest("family_name", columns.into_iter())[0], "SURNAME");
        assert!(nearest("supply_start_date", columns.into_iter()).is_empty());
    }
}
