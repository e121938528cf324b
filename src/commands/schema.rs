//! `slipway schema`: what the program knows of its target, as tables.

use std::fmt;
use std::path::Path;

use serde::Serialize;

use crate::assemble::Schema;
use crate::cli::{CommonArgs, SchemaArgs, SchemaTopic};
use crate::config::{self, PROJECT_FILE, Project};
use crate::console::Console;
use crate::contract::catalogue::Catalogue;
use crate::contract::changes::{Change, What, changes};
use crate::contract::{Contract, ContractSource};
use crate::error::Error;
use crate::exit_code::ExitCode;
use crate::mapping::{self, Plan, Problem};
use crate::rules::register::Register;
use crate::tenant::Tenant;

/// Runs the command.
pub(super) fn execute(args: &SchemaArgs, common: &CommonArgs, console: &Console) -> Result<ExitCode, Error> {
    let project = || Project::load(common.project.as_deref(), &common.set);
    let has_project = common.project.is_some() || !common.set.is_empty() || Path::new(PROJECT_FILE).exists();
    // The contract that is built in can be read without a project.
    let contract = || {
        let source = if has_project { project()?.target.contract } else { ContractSource::BuiltIn };
        Ok::<_, Error>(Contract::load(&source)?)
    };
    match args.topic {
        SchemaTopic::Contract => {
            super::tell(console, &Catalogue::of(&*contract()?))?;
            Ok(ExitCode::Complete)
        }
        SchemaTopic::Project => {
            console.document(&config::schema())?;
            Ok(ExitCode::Complete)
        }
        SchemaTopic::Mapping => {
            console.document(&mapping::schema::schema(&*contract()?))?;
            Ok(ExitCode::Complete)
        }
        SchemaTopic::Diff => {
            let diff = Diff::of(&project()?)?;
            super::tell(console, &diff)?;
            Ok(diff.exit_code())
        }
        SchemaTopic::Rules => {
            let register = if has_project {
                let project = project()?;
                let tenant = Tenant::load(&project.reference, &project.target.settings).map_err(Error::Reference)?;
                let register = Register::of(&tenant, &project.overrides);
                // A mapping that can't be used leaves off no rule: `lint` says what is wrong with it.
                match mapping::load(&project.source.mapping, &Contract::load(&project.target.contract)?) {
                    Ok(plan) => register.for_mapping(&Schema::new(plan.into()), &tenant),
                    Err(_) => register,
                }
            } else {
                Register::new()
            };
            super::tell(console, &register)?;
            Ok(ExitCode::Complete)
        }
    }
}

/// What the project's contract says otherwise than the one that is built in, and what that means to the mapping.
#[derive(Debug, Serialize)]
struct Diff {
    contract: String,
    version: String,
    notes: Vec<String>,
    changes: Vec<Concern>,
    mapping: Vec<Problem>,
}

/// A change, and whether the mapping has to do with it.
#[derive(Debug, Serialize)]
struct Concern {
    #[serde(flatten)]
    change: Change,
    /// The mapping writes the field, or writes an object that must have it now and hasn't.
    concerns_mapping: bool,
}

impl Diff {
    fn of(project: &Project) -> Result<Self, Error> {
        let built_in = Contract::built_in()?;
        let contract = Contract::load(&project.target.contract)?;
        let directory = &project.source.mapping;
        // What the mapping writes is read with the contract it was written for; what is wrong with it now, with the new.
        let written = mapping::load(directory, &built_in);
        let (now, problems) = match mapping::load(directory, &contract) {
            Ok(plan) => (Some(plan), Vec::new()),
            Err(problems) => (None, problems),
        };
        let plan = now.or(written.ok());
        let changes = changes(&built_in, &contract)
            .into_iter()
            .map(|change| Concern {
                concerns_mapping: change.breaking && plan.as_ref().is_some_and(|plan| concerns(plan, &change)),
                change,
            })
            .collect();
        let edition = &contract.edition;
        Ok(Self {
            contract: edition.name.clone(),
            version: edition.version.clone(),
            notes: edition.notes.clone(),
            changes,
            mapping: problems,
        })
    }

    fn exit_code(&self) -> ExitCode {
        if !self.mapping.is_empty() {
            ExitCode::Unusable
        } else if self.changes.iter().any(|concern| concern.concerns_mapping) {
            ExitCode::Incomplete
        } else {
            ExitCode::Complete
        }
    }
}

/// Whether a breaking change is about something that the mapping writes, or ought to write now.
fn concerns(plan: &Plan, change: &Change) -> bool {
    match change.what {
        What::Required => !plan.writes(&change.path) && plan.writes_object(parent(&change.path)),
        _ => plan.writes(&change.path) || plan.writes_object(&change.path),
    }
}

fn parent(path: &str) -> &str {
    path.rsplit_once('.').map_or("", |(parent, _)| parent)
}

impl fmt::Display for Diff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let concerning = self.changes.iter().filter(|concern| concern.concerns_mapping).count();
        write!(
            f,
            "contract {} {}: {} changes from the one that is built in, {concerning} of them concern the mapping",
            self.contract,
            self.version,
            self.changes.len()
        )?;
        for note in &self.notes {
            write!(f, "\nnote: {note}")?;
        }
        for Concern { change, concerns_mapping } in &self.changes {
            write!(f, "\n{} {change}", if *concerns_mapping { "!" } else { " " })?;
        }
        for problem in &self.mapping {
            write!(f, "\nerror: {problem}")?;
        }
        Ok(())
    }
}
