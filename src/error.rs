//! The one error of the program: what made a command stop.
//!
//! Each stage has its own error, in its own module, with the file, line or account that was tried. This one wraps
//! them, and says for each what the caller's exit code is and what to do next. What is wrong with a record or an
//! account is no error but a [`crate::finding::Finding`].

use std::path::PathBuf;

use crate::assemble::store::StoreError;
use crate::config::ConfigError;
use crate::contract::ContractError;
use crate::exit_code::ExitCode;
use crate::generate::GenerateError;
use crate::ledger::LedgerError;
use crate::mapping::Problem;
use crate::profile::ProfileError;
use crate::sandbox::SandboxError;
use crate::stage::StageError;
use crate::submit::SubmitError;
use crate::target::TargetError;

/// The problems, a line each.
fn list(problems: &[Problem]) -> String {
    problems.iter().fold(String::new(), |list, problem| list + "\n  " + &problem.to_string())
}

/// What a stage says, with the headers' problems if it is about them.
fn with_headers(error: &StageError) -> String {
    match error {
        StageError::Headers(problems) => format!("the extract does not fit the mapping:{}", list(problems)),
        error => error.to_string(),
    }
}

impl From<StageError> for Error {
    fn from(error: StageError) -> Self {
        Self::Stage(error)
    }
}

/// Why a command stopped.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration can't be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The contract can't be used.
    #[error(transparent)]
    Contract(#[from] ContractError),
    /// The mapping can't be used.
    #[error("the mapping cannot be used:{}", list(.0))]
    Mapping(Vec<Problem>),
    /// The tenant's lists can't be used.
    #[error("the tenant's lists cannot be used:{}", list(.0))]
    Reference(Vec<Problem>),
    /// The extract can't be used.
    #[error("{}", with_headers(.0))]
    Stage(#[source] StageError),
    /// The payload store can't be written or read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The ledger can't do what it was asked, or refuses it.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The target can't be spoken to as the settings say.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// Submission can't go on.
    #[error(transparent)]
    Submit(#[from] SubmitError),
    /// Nothing may be sent until what stands in the way is mended or allowed.
    #[error("nothing was sent: {problem}")]
    Refused {
        /// What stands in the way.
        problem: String,
        /// What to do next.
        hint: Option<String>,
    },
    /// A stop rule forbids to begin.
    #[error("nothing was sent: {problem}")]
    Gate {
        /// Which rule, and what it found.
        problem: String,
        /// What to do next.
        hint: Option<String>,
    },
    /// The target can't be asked what must be known before anything is sent.
    #[error("nothing was sent: {problem}")]
    Unreachable {
        /// What was asked, and what happened.
        problem: String,
    },
    /// A synthetic extract can't be written.
    #[error(transparent)]
    Generate(#[from] GenerateError),
    /// Extracts can't be profiled.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The sandbox can't start.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    /// The usage is wrong in a way that clap can't see.
    #[error("{problem}")]
    Usage {
        /// What is wrong.
        problem: String,
        /// What to do next.
        hint: Option<String>,
    },
    /// Standard output or an output file can't be written.
    #[error("cannot write {place}")]
    Output {
        /// The file, or standard output.
        place: String,
        /// Why not.
        source: std::io::Error,
    },
    /// A file or a folder of the project can't be read.
    #[error("cannot read {}", path.display())]
    Input {
        /// What was tried.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Somebody asked the program to stop before there was anything to send.
    #[error("interrupted while it {doing}: nothing of this build is kept, and nothing was sent")]
    Interrupted {
        /// What it was doing.
        doing: &'static str,
    },
    /// The machine refuses what the program needs to run: a thread, a signal handler.
    #[error("cannot {attempt}")]
    System {
        /// What was tried.
        attempt: &'static str,
        /// Why not.
        source: std::io::Error,
    },
}

impl Error {
    /// The exit code of a command that stopped with this error.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Ledger(error) if error.is_refusal() => ExitCode::Unsafe,
            Self::Refused { .. } => ExitCode::Unsafe,
            Self::Unreachable { .. } => ExitCode::Unreachable,
            // What was sent is in the ledger; the next run goes on from there.
            Self::Submit(_) | Self::Gate { .. } | Self::Interrupted { .. } => ExitCode::Stopped,
            Self::Config(_)
            | Self::Contract(_)
            | Self::Mapping(_)
            | Self::Reference(_)
            | Self::Stage(_)
            | Self::Store(_)
            | Self::Ledger(_)
            | Self::Target(_)
            | Self::Generate(_)
            | Self::Profile(_)
            | Self::Sandbox(_)
            | Self::Usage { .. }
            | Self::Output { .. }
            | Self::Input { .. }
            | Self::System { .. } => ExitCode::Unusable,
        }
    }

    /// What to do next, where the message alone does not say it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Config(error) => error.hint(),
            Self::Contract(error) => error.hint(),
            Self::Generate(error) => error.hint(),
            Self::Ledger(error) | Self::Submit(SubmitError::Ledger(error)) => error.hint(),
            Self::Usage { hint, .. } | Self::Refused { hint, .. } | Self::Gate { hint, .. } => hint.clone(),
            Self::Interrupted { .. } => Some("run it again; what was sent before is in the ledger".to_owned()),
            Self::Mapping(_) => Some("`slipway lint` shows every problem of a mapping".to_owned()),
            Self::Reference(_) => Some("mend the lists, or take them out of `[reference]`".to_owned()),
            Self::Stage(_)
            | Self::Store(_)
            | Self::Target(_)
            | Self::Profile(_)
            | Self::Sandbox(_)
            | Self::Submit(_)
            | Self::Unreachable { .. }
            | Self::Output { .. }
            | Self::Input { .. }
            | Self::System { .. } => None,
        }
    }
}
