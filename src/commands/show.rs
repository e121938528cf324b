//! `slipway show`: one account's state, findings, history and payload.

use std::fmt;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::account::AccountKey;
use crate::assemble::store::PayloadReader;
use crate::cli::ShowArgs;
use crate::config::Project;
use crate::console::Console;
use crate::error::Error;
use crate::exit_code::ExitCode;
use crate::ledger::read::{AccountRow, AttemptRow, FindingRow};
use crate::ledger::{Ledger, LedgerError};

use super::open_run::account_name;
use super::why::Why;

/// Findings that are listed.
const FINDINGS: usize = 1000;

/// One account.
#[derive(Debug, Serialize)]
struct Shown {
    account: AccountRow,
    findings: Vec<FindingRow>,
    attempts: Vec<AttemptRow>,
    /// The newest build's payload.
    payload: Option<Box<RawValue>>,
}

/// Runs the command.
pub(super) fn execute(args: &ShowArgs, project: &Project, console: &Console) -> Result<ExitCode, Error> {
    let ledger = Ledger::open_read_only(&project.ledger_file())?;
    let account = find(&ledger, &args.account)?;
    if let Some(path) = &args.why {
        let key = AccountKey::new(account.import_supplier.as_str(), account.external_account_number.as_str());
        super::tell(console, &Why::of(project, &ledger, &key, path, args.show_values)?)?;
        return Ok(ExitCode::Complete);
    }
    let payload = match ledger.payload(account.id)? {
        Some((digest, build, place)) => {
            let bytes = PayloadReader::open(&project.payload_folder()).read(&place, &build.to_string(), &digest)?;
            serde_json::from_slice(&bytes).ok()
        }
        None => None,
    };
    let shown = Shown {
        findings: ledger.findings(Some(account.id), FINDINGS)?,
        attempts: ledger.attempts(account.id)?,
        payload,
        account,
    };
    super::tell(console, &shown)?;
    Ok(ExitCode::Complete)
}

/// The one account that `text` names.
fn find(ledger: &Ledger, text: &str) -> Result<AccountRow, Error> {
    let name = account_name(text);
    let mut found = ledger.find_accounts(name.supplier.as_deref(), &name.number)?;
    match found.len() {
        1 => Ok(found.remove(0)),
        0 => Err(LedgerError::NoSuchAccount { what: format!("the ledger has no account {text}") }.into()),
        _ => {
            let suppliers: Vec<_> = found.into_iter().map(|account| account.import_supplier).collect();
            let what = format!("account {text} exists under {}: write `supplier,account`", suppliers.join(" and "));
            Err(LedgerError::NoSuchAccount { what }.into())
        }
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let account = &self.account;
        write!(f, "account    {} of {}", account.external_account_number, account.import_supplier)?;
        write!(f, "\nstate      {} since {}", account.state, account.updated_at)?;
        for (name, value) in [
            ("origin", &account.origin),
            ("number", &account.kraken_identifier),
            ("wave", &account.wave),
            ("payload", &account.payload_digest),
            ("accepted", &account.accepted_digest),
            ("target", &account.remote_status),
        ] {
            if let Some(value) = value {
                write!(f, "\n{name:<10} {value}")?;
            }
        }
        for finding in &self.findings {
            write!(f, "\n{:<10} ", finding.severity)?;
            if let (Some(file), Some(line)) = (&finding.file, finding.line) {
                write!(f, "{file}:{line}:{} ", finding.column.as_deref().unwrap_or_default())?;
            }
            write!(f, "{} {}: {} ({})", finding.path, finding.code, finding.message, finding.source)?;
        }
        for attempt in &self.attempts {
            let http = attempt.http_status.map(|status| format!(" {status}")).unwrap_or_default();
            let detail = attempt.detail.as_ref().map(|detail| format!(": {detail}")).unwrap_or_default();
            write!(
                f,
                "\n{:<10} {} {} ms{http} {}{detail}",
                attempt.kind, attempt.started_at, attempt.duration_ms, attempt.outcome
            )?;
        }
        match &self.payload {
            Some(payload) => write!(f, "\n{payload}"),
            None => write!(f, "\npayload    none"),
        }
    }
}
