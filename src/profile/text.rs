//! The profile as text for a terminal.

use std::fmt;

use super::model::{Column, ColumnType, FileProfile, Key, Profile, RecordType, Reference, Share, Unreadable};

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let records: u64 = self.files.iter().map(FileProfile::records).sum();
        writeln!(f, "{}: {} files, {} records", self.directory, self.files.len(), grouped(records))?;
        for file in &self.files {
            write!(f, "\n{file}")?;
        }
        writeln!(f, "\n~ is an estimate. 9, A and a stand for figures and letters, + for more of the same.")?;
        if !self.shows_values {
            write!(f, "Values are hidden, since they may be personal data: --show-values shows extremes and codes.")?;
        }
        Ok(())
    }
}

impl fmt::Display for FileProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.file)?;
        writeln!(f, "  {} bytes, {}", grouped(self.bytes), self.form())?;
        if !self.controls.is_empty() {
            writeln!(f, "  records about the file: {}", self.controls.join(", "))?;
        }
        for Unreadable { why, records, first_line } in &self.unreadable {
            let why = unreadable(why);
            writeln!(f, "  {} cannot be read: {why}, the first in line {first_line}", count(*records, "record"))?;
        }
        for records in &self.record_types {
            write!(f, "{records}")?;
        }
        Ok(())
    }
}

/// Why records cannot be read, in words.
pub(super) fn unreadable(why: &str) -> &'static str {
    match why {
        "cells" => "another number of cells than the others have",
        "quote" => "a quote that is opened and not closed",
        "encoding" => "bytes that are no text in the file's encoding",
        _ => "too long",
    }
}

impl FileProfile {
    /// Encoding and dialect in words.
    pub(super) fn form(&self) -> String {
        let delimiter = match self.delimiter {
            '\t' => "tabs".to_owned(),
            delimiter => format!("`{delimiter}`"),
        };
        let quote = match self.quote {
            Some(_) if self.line_breaks => ", quotes with line breaks inside",
            Some(_) => "",
            None => ", quotes are text",
        };
        let header = if self.header { "a header" } else { "no header: columns by position" };
        format!("{}, {delimiter} between cells{quote}, {header}", self.encoding)
    }
}

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.name {
            writeln!(f, "  records of type {name}")?;
        }
        writeln!(f, "  {}", count(self.records, "record"))?;
        for key in &self.keys {
            writeln!(f, "  key {}", key.in_words())?;
        }
        for reference in &self.references {
            writeln!(f, "  {}", reference.in_words())?;
        }
        let width = self.columns.iter().map(|column| column.name.chars().count()).max().unwrap_or(0).max(6);
        let kinds: Vec<String> = self.columns.iter().map(Column::kind_in_words).collect();
        let kind_width = kinds.iter().map(|kind| kind.chars().count()).max().unwrap_or(0).max(4);
        writeln!(
            f,
            "  {:width$}  {:kind_width$}  {:>11}  {:>12}  {:>7}  shapes",
            "column", "type", "blank", "distinct", "length"
        )?;
        for (column, kind) in self.columns.iter().zip(kinds) {
            let lengths = match column.lengths {
                Some((least, most)) if least == most => least.to_string(),
                Some((least, most)) => format!("{least}-{most}"),
                None => String::new(),
            };
            let (name, blank, distinct) = (&column.name, grouped(column.blank), column.distinct_in_words());
            let told = column.looks();
            let line =
                format!("  {name:width$}  {kind:kind_width$}  {blank:>11}  {distinct:>12}  {lengths:>7}  {told}");
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

impl Key {
    /// `ACCOUNT_NO, 2 duplicates`.
    pub(super) fn in_words(&self) -> String {
        let about = if self.exact { "" } else { "~" };
        let columns = self.columns.join(" + ");
        if self.duplicates == 0 {
            columns
        } else {
            format!("{columns}, {about}{}", count(self.duplicates, "duplicate"))
        }
    }
}

impl Reference {
    /// `ACCOUNT_NO names a record of accounts.csv by ACCOUNT_NO, 0 of 10 orphaned`.
    pub(super) fn in_words(&self) -> String {
        let Self { column, file, key, record_type, filled, orphans, exact } = self;
        let kind = record_type.as_ref().map_or_else(String::new, |kind| format!(" ({kind})"));
        let about = if *exact { "" } else { "~" };
        format!(
            "{column} names a record of {file}{kind} by {key}; {about}{} of {} orphaned",
            grouped(*orphans),
            grouped(*filled)
        )
    }
}

impl Column {
    /// `date %d/%m/%Y, 3 others`.
    pub(super) fn kind_in_words(&self) -> String {
        let mut words = self.kind.to_string();
        if let Some(format) = self.format {
            words = format!("{words} {format}");
        }
        for habit in &self.habits {
            words = format!("{words}, {habit}");
        }
        if self.misfits > 0 {
            words = format!("{words}, {}", count(self.misfits, "misfit"));
        }
        if self.padded > 0 {
            words = format!("{words}, {} padded", grouped(self.padded));
        }
        words
    }

    pub(super) fn distinct_in_words(&self) -> String {
        let about = if self.distinct.exact { "" } else { "~" };
        format!("{about}{}", grouped(self.distinct.count))
    }

    /// Extremes and codes if they are told, else shapes.
    fn looks(&self) -> String {
        let list = |shares: &[Share], most: usize| {
            let told: Vec<String> = shares
                .iter()
                .take(most)
                .map(|share| format!("{} {}", printable(&share.text), self.percent(share.cells)))
                .collect();
            let rest = if shares.len() > most { ", …" } else { "" };
            told.join(", ") + rest
        };
        let mut told =
            if self.shapes.is_empty() && self.filled > 0 { "free text".to_owned() } else { list(&self.shapes, 3) };
        if !self.values.is_empty() && matches!(self.kind, ColumnType::Code | ColumnType::Flag) {
            told = list(&self.values, 5);
        } else if let (Some(least), Some(greatest)) = (&self.least, &self.greatest)
            && self.shows_extremes()
        {
            told = format!("{told}  from {} to {}", printable(least), printable(greatest));
        }
        let others = self.date_formats.iter().filter(|share| Some(share.text.as_str()) != self.format);
        let is_date = matches!(self.kind, ColumnType::Date | ColumnType::DateTime);
        let unlike: Vec<String> = others
            .filter(|_| is_date && self.misfits > 0)
            .map(|share| format!("{} fits {}", share.text, grouped(share.cells)))
            .collect();
        if unlike.is_empty() { told } else { format!("{told}  also {}", unlike.join(", ")) }
    }

    /// Whether the extremes are more than shapes.
    fn shows_extremes(&self) -> bool {
        self.least.as_ref().is_some_and(|least| super::shapes::fine(least) != *least)
    }

    fn percent(&self, cells: u64) -> String {
        match cells * 100 / self.filled.max(1) {
            0 => "<1%".to_owned(),
            percent => format!("{percent}%"),
        }
    }
}

/// Line ends as one character, and not too long.
fn printable(text: &str) -> String {
    let short: String = text.chars().map(|c| if c.is_control() { '·' } else { c }).take(40).collect();
    if text.chars().count() > 40 { short + "…" } else { short }
}

/// `1 record`, `2 records`.
fn count(number: u64, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{} {noun}s", grouped(number)) }
}

/// A count with commas between groups of three digits.
pub(super) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
