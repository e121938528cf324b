//! A contract as rows that a person or a program can read: what `slipway schema contract` prints.

use std::fmt;

use serde::Serialize;

use super::changes::type_name;
use super::{Constraint, Contract, Field, Variant};

/// A contract, written out.
#[derive(Debug, Serialize)]
pub struct Catalogue<'c> {
    /// Its name.
    pub contract: &'c str,
    /// Its edition.
    pub version: &'c str,
    /// The day its facts were published, if it says.
    pub date: Option<String>,
    /// Of the bytes of its data.
    pub digest: String,
    /// What was not taken as it stands.
    pub notes: &'c [String],
    /// Its fields in the order of their paths.
    pub fields: Vec<FieldRow<'c>>,
}

/// A field, written out.
#[derive(Debug, Serialize)]
pub struct FieldRow<'c> {
    path: &'c str,
    #[serde(rename = "type")]
    kind: &'static str,
    deprecated: bool,
    use_instead: Option<&'c str>,
    discriminator: Option<&'c str>,
    variants: Vec<VariantRow<'c>>,
}

/// What holds in one variant.
#[derive(Debug, Serialize)]
struct VariantRow<'c> {
    /// `node=VALUE`, all of which must hold; empty: always.
    when: Vec<String>,
    required: bool,
    nullable: bool,
    min_length: Option<usize>,
    max_length: Option<usize>,
    pattern: Option<String>,
    min: Option<String>,
    max: Option<String>,
    min_items: Option<usize>,
    values: Option<&'c [String]>,
    /// The list is the tenant's own: another value is a notice.
    tenant_list: bool,
    default: Option<&'c str>,
}

impl<'c> Catalogue<'c> {
    /// Of `contract`.
    #[must_use]
    pub fn of(contract: &'c Contract) -> Self {
        Self {
            contract: &contract.edition.name,
            version: &contract.edition.version,
            date: contract.edition.date.map(|date| date.to_string()),
            digest: contract.edition.digest.to_string(),
            notes: &contract.edition.notes,
            fields: contract.fields().map(FieldRow::of).collect(),
        }
    }
}

impl<'c> FieldRow<'c> {
    fn of(field: &'c Field) -> Self {
        Self {
            path: &field.path,
            kind: type_name(field.kind, field.format),
            deprecated: field.deprecated,
            use_instead: field.use_instead.as_deref(),
            discriminator: field.discriminator.as_ref().map(|discriminator| discriminator.field.as_str()),
            variants: field.variants.iter().map(VariantRow::of).collect(),
        }
    }

    /// What is said of the field as a whole, for the text table.
    fn marks(&self) -> String {
        let discriminated = self.discriminator.map(|field| format!("variants by {field}"));
        let deprecated = self.deprecated.then(|| match self.use_instead {
            Some(instead) => format!("deprecated, use {instead}"),
            None => "deprecated".to_owned(),
        });
        discriminated.into_iter().chain(deprecated).collect::<Vec<_>>().join("; ")
    }
}

impl<'c> VariantRow<'c> {
    fn of(variant: &'c Variant) -> Self {
        let Constraint { required, nullable, min_length, max_length, min_items, .. } = variant.constraint;
        let constraint = &variant.constraint;
        Self {
            when: variant.conditions.iter().map(|when| format!("{}={}", when.node, when.value)).collect(),
            required,
            nullable,
            min_length,
            max_length,
            pattern: constraint.pattern.as_ref().map(ToString::to_string),
            min: constraint.min.map(|min| min.to_string()),
            max: constraint.max.map(|max| max.to_string()),
            min_items,
            values: constraint.values.as_ref().map(|list| list.values.as_slice()),
            tenant_list: constraint.values.as_ref().is_some_and(|list| list.tenant_list),
            default: constraint.default.as_deref(),
        }
    }

    /// What a value must be like, for the text table.
    fn limits(&self) -> String {
        const FEW: usize = 6;
        let mut limits = Vec::new();
        limits.extend(self.required.then(|| "required".to_owned()));
        limits.extend(self.nullable.then(|| "nullable".to_owned()));
        limits.extend(self.min_length.map(|least| format!("length >= {least}")));
        limits.extend(self.max_length.map(|most| format!("length <= {most}")));
        limits.extend(self.min.as_ref().map(|least| format!(">= {least}")));
        limits.extend(self.max.as_ref().map(|most| format!("<= {most}")));
        limits.extend(self.min_items.map(|least| format!("items >= {least}")));
        limits.extend(self.pattern.as_ref().map(|pattern| format!("matches {pattern}")));
        limits.extend(self.values.map(|values| {
            let whose = if self.tenant_list { " of the tenant's" } else { "" };
            if values.len() <= FEW {
                format!("one of {}", values.join(" "))
            } else {
                format!("one of {} values{whose}", values.len())
            }
        }));
        limits.extend(self.default.map(|default| format!("default {default}")));
        limits.join("; ")
    }
}

impl fmt::Display for Catalogue<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let date = self.date.as_deref().map_or_else(String::new, |date| format!(", {date}"));
        writeln!(f, "contract {} {}{date}: {} fields", self.contract, self.version, self.fields.len())?;
        for note in self.notes {
            writeln!(f, "note: {note}")?;
        }
        let path_width = self.fields.iter().map(|field| field.path.len()).max().unwrap_or(0);
        let type_width = self.fields.iter().map(|field| field.kind.len()).max().unwrap_or(0);
        let mut line = |path: &str, kind: &str, rest: &str| {
            let line = format!("{path:path_width$}  {kind:type_width$}  {rest}");
            write!(f, "\n{}", line.trim_end())
        };
        for field in &self.fields {
            let marks = field.marks();
            let (mut path, mut kind) = (field.path, field.kind);
            for variant in &field.variants {
                let when = (!variant.when.is_empty()).then(|| format!("[{}]", variant.when.join(", ")));
                let said = [when, Some(variant.limits()), (!path.is_empty()).then(|| marks.clone())];
                let said: Vec<String> = said.into_iter().flatten().filter(|text| !text.is_empty()).collect();
                line(path, kind, &said.join("; "))?;
                (path, kind) = ("", "");
            }
        }
        Ok(())
    }
}
