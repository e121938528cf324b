//! The quarantine: records that could not be read as records of their files, their bytes as they came.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use crate::error::Error;
use crate::stage::Stage;

/// Writes the quarantined records of `stage` into `directory`, one file for each extract file that has any. What an
/// earlier build left there is gone.
pub(super) fn write(directory: &Path, stage: &Stage) -> Result<(), Error> {
    if directory.exists() {
        std::fs::remove_dir_all(directory).map_err(|source| error(directory, source))?;
    }
    for table in &stage.tables {
        for record in &table.quarantined {
            let name = table.file(record.row).source.name.replace('/', "_");
            std::fs::create_dir_all(directory).map_err(|source| error(directory, source))?;
            let path = directory.join(name);
            let file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path);
            file.and_then(|mut file| file.write_all(&record.bytes)).map_err(|source| error(&path, source))?;
        }
    }
    Ok(())
}

fn error(path: &Path, source: std::io::Error) -> Error {
    Error::Output { place: path.display().to_string(), source }
}
