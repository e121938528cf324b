//! E-mail addresses: the form, and the ones that are plainly a test's.

/// Whether `text` has the form of an address that mail can be sent to: a local part of letters, digits and the usual
/// marks (or a quoted one), an `@`, and a domain of at least two labels that ends in a top level.
#[must_use]
pub fn is_address(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    is_local(local) && is_domain(domain)
}

fn is_local(local: &str) -> bool {
    if let Some(quoted) = local.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        return !quoted.is_empty() && !quoted.contains(['"', '\\']) && !quoted.chars().any(char::is_control);
    }
    let mark = |c: char| c.is_alphanumeric() || "!#$%&'*+/=?^_`{|}~-".contains(c);
    local.split('.').all(|atom| !atom.is_empty() && atom.chars().all(mark))
}

fn is_domain(domain: &str) -> bool {
    const LABEL: usize = 63;
    let label = |label: &str| {
        (1..=LABEL).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.chars().all(|c| c.is_alphanumeric() || c == '-')
    };
    let Some((_, top)) = domain.rsplit_once('.') else { return false };
    let top_level = top.chars().count() >= 2 && (top.starts_with("xn--") || top.chars().all(|c| !c.is_numeric()));
    domain.split('.').all(label) && top_level
}

/// Whether `text` is an address that people type to get on: `test@…`, `xxx@…`, `…@test.com`, `…@test.co.uk`, `….xxx`,
/// `….xx`, in any case.
#[must_use]
pub fn is_test(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    ["test@", "xxx@"].iter().any(|start| text.starts_with(start))
        || ["@test.com", "@test.co.uk", ".xxx", ".xx"].iter().any(|end| text.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_a_local_part_and_a_domain() {
        for good in [
            "bob@jablonski.com",
            "groundskeeper@willie.com",
            "a.b+c@mail.example.co.uk",
            "o'neil@example.org",
            "x@1and1.de",
            "łukasz@example.pl",
            "\"a b\"@example.org",
        ] {
            assert!(is_address(good), "{good}");
        }
        for bad in [
            "",
            "bob",
            "bob(at)example.com",
            "bob@",
            "@example.com",
            "bob@example",
            "bob@example.c",
            "b ob@example.com",
            "bob@exa mple.com",
            "bob.@example.com",
            ".bob@example.com",
            "b..b@example.com",
            "bob@-example.com",
            "bob@example-.com",
            "bob@example..com",
            "bob@@example.com",
            "bob@example.com ",
            "bob@10.0.0.1",
            "bob@example.com.",
        ] {
            assert!(!is_address(bad), "{bad}");
        }
    }

    #[test]
    fn test_addresses() {
        for test in ["test@example.org", "Test@x.org", "XXX@x.org", "a@test.co.uk", "a@TEST.com", "a@x.xx", "a@x.xxx"] {
            assert!(is_test(test), "{test}");
        }
        for real in ["bob@jablonski.com", "a@contest.com", "atest@x.org", "a@test.org"] {
            assert!(!is_test(real), "{real}");
        }
    }
}
