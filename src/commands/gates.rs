//! What must hold before the first request: the builds, the inputs of the wave, consent, and what the target has.
//!
//! | gate | refuses | way on |
//! | --- | --- | --- |
//! | builds | a blocked build; too many rejected | mend and build again |
//! | inputs | payloads from other inputs than the unfinished wave was sent from | put them back, or `--replan` |
//! | consent | production without a word | `--yes` |
//! | listing | nothing: what the target has already is doubted and told | |

use crate::cli::ConsentArgs;
use crate::config::{Environment, Project};
use crate::console::Console;
use crate::error::Error;
use crate::ledger::Ledger;
use crate::submit::lists::{ListOptions, Listing, read_imports};
use crate::submit::retry::Policy;
use crate::submit::{SubmitOptions, Work};
use crate::target::{Client, ImportList};

use super::open_run::OpenRun;
use super::submission::Request;

/// Passes every gate that the request has to pass; what is remembered of it is in the ledger then.
pub(super) fn pass(
    open_run: &mut OpenRun,
    project: &Project,
    client: &Client,
    request: &Request<'_>,
    options: &SubmitOptions,
    console: &Console,
) -> Result<(), Error> {
    let wave = request.wave.as_deref();
    if request.work != Work::Follow {
        pass_build_gates(&open_run.ledger, project, wave)?;
    }
    let Some(consent) = request.consent else { return Ok(()) };
    let sendable = open_run.ledger.prospects(wave)?.sendable;
    if request.work.creates() {
        pass_inputs_gate(open_run, wave, consent)?;
    }
    pass_consent_gate(open_run, project, request, sendable, console)?;
    if request.work.creates() && sendable > 0 {
        read_listings(open_run, project, client, wave, options, console)?;
        open_run.ledger.remember_inputs(open_run.run, wave, consent.replan)?;
    }
    Ok(())
}

/// What the builds say against sending: the newest one, and those that made the payloads that would be sent.
fn pass_build_gates(ledger: &Ledger, project: &Project, wave: Option<&str>) -> Result<(), Error> {
    let Some(build) = ledger.newest_build()? else {
        return Err(Error::Usage {
            problem: "there is nothing to send: nothing was built".into(),
            hint: Some("run `slipway build` first, or `slipway run`".into()),
        });
    };
    if !build.blocked.is_empty() {
        return Err(Error::Refused {
            problem: format!("the newest build is blocked: {}", build.blocked.join("; ")),
            hint: Some("mend the extract and build again".into()),
        });
    }
    let prospects = ledger.prospects(wave)?;
    if prospects.sendable == 0 && prospects.blocked > 0 {
        return Err(Error::Refused {
            problem: format!(
                "all {} accounts that are ready were last built by a build that is blocked: {}",
                prospects.blocked,
                prospects.reasons.join("; ")
            ),
            hint: Some("mend the extract and build these accounts again".into()),
        });
    }
    let rejected = prospects.built_rejected;
    let all = prospects.built_ready + rejected;
    if project.stop.rejected.is_exceeded_by(rejected, all) {
        return Err(Error::Gate {
            problem: format!(
                "{rejected} of {all} accounts were rejected, more than `[stop] rejected` ({}%) allows",
                project.stop.rejected.percent
            ),
            hint: Some(
                "see `slipway report`; raise the share with `--set stop.rejected=…` if that is meant to be".into(),
            ),
        });
    }
    Ok(())
}

/// A wave is sent from one set of inputs, until an operator says otherwise.
fn pass_inputs_gate(open_run: &mut OpenRun, wave: Option<&str>, consent: &ConsentArgs) -> Result<(), Error> {
    let changes = open_run.ledger.changed_inputs(wave)?;
    if changes.is_empty() {
        return Ok(());
    }
    if consent.replan {
        let reason = consent.reason.as_deref().unwrap_or_default();
        open_run.ledger.consent(open_run.run, "replan", &format!("{reason} ({})", changes.join("; ")))?;
        return Ok(());
    }
    let wave = wave.map_or_else(|| "accounts".to_owned(), |wave| format!("accounts of wave `{wave}`"));
    Err(Error::Refused {
        problem: format!("inputs changed under unfinished {wave}: {}", changes.join("; ")),
        hint: Some(
            "put the inputs back and build again, or send what was built now with `--replan --reason TEXT`; of \
             accounts accepted before, `slipway build` tells what has changed"
                .into(),
        ),
    })
}

/// Production wants to be named, and tells what will go where.
fn pass_consent_gate(
    open_run: &mut OpenRun,
    project: &Project,
    request: &Request<'_>,
    sendable: u64,
    console: &Console,
) -> Result<(), Error> {
    let Some(consent) = request.consent.filter(|_| project.target.environment == Environment::Production) else {
        return Ok(());
    };
    let accounts = sendable.min(request.limit.unwrap_or(u64::MAX));
    let wave = request.wave.as_ref().map(|wave| format!(" of wave `{wave}`")).unwrap_or_default();
    let suppliers = project.target.suppliers.join(", ");
    let what = format!("{accounts} accounts{wave} of {suppliers} to {}, which is production", project.target.url);
    if !consent.yes {
        return Err(Error::Refused {
            problem: format!("this would send {what}"),
            hint: Some("say `--yes` to send them".into()),
        });
    }
    console.warn(&format!("sending {what}"));
    open_run.ledger.consent(open_run.run, "yes", consent.reason.as_deref().unwrap_or_default())?;
    Ok(())
}

/// Asks, once a wave, what the target has of the suppliers already.
fn read_listings(
    open_run: &mut OpenRun,
    project: &Project,
    client: &Client,
    wave: Option<&str>,
    options: &SubmitOptions,
    console: &Console,
) -> Result<(), Error> {
    let OpenRun { ledger, run } = open_run;
    let mut wanted = Vec::new();
    for supplier in &project.target.suppliers {
        if ledger.is_listing_wanted(wave, supplier)? {
            wanted.push(supplier.clone());
        }
    }
    let policy = Policy { attempts: options.attempts, first_wait: options.first_wait, seed: options.seed };
    let how = ListOptions { interval: options.interval, policy };
    for (supplier, listing) in read_imports(client, ImportList::All, &wanted, &how)? {
        match listing {
            Listing::Found(imports) => {
                let numbers = imports.iter().map(|import| import.external_account_number.as_str());
                let listed = ledger.record_listing(*run, wave, &supplier, numbers)?;
                if listed.unknown + listed.waiting + listed.strangers > 0 {
                    console.warn(&format!(
                        "of the {} imports of {supplier} at the target this ledger never sent {}: {} are ready here and \
                         their status is read first, {} wait here, {} are not in this ledger; `slipway report` names them",
                        listed.imports,
                        listed.unknown + listed.waiting + listed.strangers,
                        listed.unknown,
                        listed.waiting,
                        listed.strangers
                    ));
                }
            }
            Listing::NotServed(status) => {
                ledger.record_no_listing(*run, wave, &supplier)?;
                console.note(&format!(
                    "the target does not serve the list of its imports of {supplier} ({status}): what others have \
                     imported shows when its create is refused"
                ));
            }
            Listing::Unavailable(last) => {
                return Err(Error::Unreachable {
                    problem: format!("the list of the target's imports of {supplier} can't be read: {last}"),
                });
            }
            Listing::Unauthorised => {
                return Err(Error::Unreachable {
                    problem: "the target refuses the credentials (401): check `[target] auth` and the key".into(),
                });
            }
        }
    }
    Ok(())
}
