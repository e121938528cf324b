//! The lists there are, and one that is loaded.

use std::collections::HashMap;

use chrono::NaiveDate;
use rust_decimal::Decimal;

use crate::account::Digest;

/// What the cells of a column say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Any text.
    Text,
    /// `true`, `yes`, `y`, `1` or the contrary, in any case.
    Flag,
    /// `YYYY-MM-DD`.
    Date,
    /// Digits, perhaps with a point.
    Number,
    /// A regular expression that a whole text must match.
    Pattern,
}

/// A column that rules read; any other column is a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name in the header.
    pub name: &'static str,
    /// What its cells say; blank: not said.
    pub shape: Shape,
}

macro_rules! lists {
    ($($(#[doc = $holds:literal])+ $kind:ident $key:literal [$($part:literal),+] [$($column:literal $shape:ident),*])+) => {
        /// A list of the tenant's.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ListKind {
            $($(#[doc = $holds])+ $kind,)+
        }

        impl ListKind {
            /// All there are, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)+];

            /// Its key in `[reference]`.
            #[must_use]
            pub fn key(self) -> &'static str {
                match self { $(Self::$kind => $key,)+ }
            }

            /// What the first columns are, which together name an entry; in this order, under whatever header.
            #[must_use]
            pub fn named_by(self) -> &'static [&'static str] {
                match self { $(Self::$kind => &[$($part),+],)+ }
            }

            /// The further columns that rules read.
            #[must_use]
            pub fn columns(self) -> &'static [Column] {
                match self { $(Self::$kind => &[$(Column { name: $column, shape: Shape::$shape }),*],)+ }
            }
        }
    };
}

lists! {
    /// Import suppliers.
    ImportSuppliers "import_suppliers" ["code"] []
    /// Campaigns: their slugs and, for accounts that name them so, their names.
    Campaigns "campaigns" ["slug"] ["name" Text]
    /// Tariffs, each of one fuel and one product.
    Tariffs "tariffs" ["code"] ["supply_type" Text, "product" Text, "rates" Number, "prepay" Flag]
    /// Products.
    Products "products" ["code"] ["available_from" Date, "variable" Flag, "end_dated" Flag]
    /// The rates of each product; one without a price is dynamic.
    Rates "rates" ["product", "rate_band"] ["price" Number, "standing" Flag]
    /// Market participants, each of one fuel or of both.
    MarketParticipants "market_participants" ["code"] ["supply_type" Text]
    /// Time pattern regimes.
    Tprs "tprs" ["code"] []
    /// Standard settlement configurations.
    Sscs "sscs" ["code"] []
    /// Needs of customers, as the industry codes them.
    PsrCodes "psr_codes" ["code"] ["electricity" Flag, "gas" Flag, "temporary" Flag, "description" Text]
    /// Dunning paths.
    DunningPaths "dunning_paths" ["name"] []
    /// Teams of the tenant's operations.
    OperationsTeams "operations_teams" ["name"] []
    /// Files in the migration's store.
    DocumentPaths "document_paths" ["path"] []
    /// Types of billing ledgers.
    LedgerTypes "ledger_types" ["code"] ["billable" Flag]
    /// Agencies that collect debts.
    DebtAgencies "debt_agencies" ["name"] []
    /// Strategies of payment plans.
    PlanStrategies "plan_strategies" ["name"] []
    /// Namespaces of account references.
    ReferenceNamespaces "reference_namespaces" ["namespace"] []
    /// Organisations that earn commission.
    Affiliates "affiliates" ["name"] []
    /// Partner organisations.
    Partners "partners" ["number"] []
    /// Contribution schemes.
    ContributionSchemes "contribution_schemes" ["code"] []
    /// Types of complaints with their subtypes.
    ComplaintTypes "complaint_types" ["type", "subtype"] []
    /// Official bodies with the statuses of their cases.
    ComplaintOfficials "complaint_officials" ["entity", "status"] []
    /// Where complaints come from.
    ComplaintSources "complaint_sources" ["source"] []
    /// Details that a business may have.
    BusinessDetails "business_details" ["key"] ["type" Text, "pattern" Pattern]
    /// Details that a customer may have.
    UserDetails "user_details" ["namespace"] ["type" Text, "pattern" Pattern]
    /// Contracts with agents of electricity meters.
    AgentContracts "agent_contracts" ["contract", "service", "service_level", "active_from"] ["active_to" Date]
}

impl ListKind {
    /// The list whose key in `[reference]` is `key`.
    #[must_use]
    pub fn of_key(key: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.key() == key)
    }

    /// Whether a part of the name after the first may be blank.
    pub(super) fn may_be_blank(self, part: usize) -> bool {
        part > 0 && matches!(self, Self::ComplaintTypes | Self::ComplaintOfficials | Self::AgentContracts)
    }
}

/// A loaded list.
#[derive(Debug)]
pub struct List {
    /// Of the bytes it was read from.
    pub digest: Digest,
    /// For each column of [`ListKind::columns`], whether the file has it.
    pub(super) has: Vec<bool>,
    pub(super) kind: ListKind,
    pub(super) rows: Vec<Entry>,
    /// By the first part of the name.
    pub(super) by_code: HashMap<String, Vec<usize>>,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: Vec<String>,
    /// As many as the kind has columns.
    pub(super) cells: Vec<Cell>,
}

/// A cell of a column that rules read.
#[derive(Clone, Debug)]
pub(super) enum Cell {
    Blank,
    Text(String),
    Flag(bool),
    Date(NaiveDate),
    Number(Decimal),
    Pattern(regex::Regex),
}

/// One entry of a list.
#[derive(Clone, Copy, Debug)]
pub struct Row<'l> {
    list: &'l List,
    entry: &'l Entry,
}

impl List {
    /// Whether the file has the column `name`.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.place(name).is_some_and(|place| self.has[place])
    }

    /// Whether an entry's first name is `code`.
    #[must_use]
    pub fn contains(&self, code: &str) -> bool {
        self.by_code.contains_key(code)
    }

    /// The entry named `code`; the first of several that share the first part of their names.
    #[must_use]
    pub fn row(&self, code: &str) -> Option<Row<'_>> {
        self.rows_of(code).next()
    }

    /// The entries whose first name is `code`.
    pub fn rows_of(&self, code: &str) -> impl Iterator<Item = Row<'_>> {
        self.by_code.get(code).into_iter().flatten().map(|at| Row { list: self, entry: &self.rows[*at] })
    }

    /// All entries, in the order of the file.
    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().map(|entry| Row { list: self, entry })
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.kind.columns().iter().position(|column| column.name == name)
    }
}

impl<'l> Row<'l> {
    /// Part `at` of its name.
    #[must_use]
    pub fn name(self, at: usize) -> &'l str {
        self.entry.name.get(at).map_or("", String::as_str)
    }

    fn cell(self, column: &str) -> &'l Cell {
        self.list.place(column).map_or(&Cell::Blank, |place| &self.entry.cells[place])
    }

    /// The text of `column`, unless it is blank.
    #[must_use]
    pub fn text(self, column: &str) -> Option<&'l str> {
        if let Cell::Text(text) = self.cell(column) { Some(text) } else { None }
    }

    /// The flag of `column`, unless it is blank.
    #[must_use]
    pub fn flag(self, column: &str) -> Option<bool> {
        if let Cell::Flag(flag) = self.cell(column) { Some(*flag) } else { None }
    }

    /// The day of `column`, unless it is blank.
    #[must_use]
    pub fn date(self, column: &str) -> Option<NaiveDate> {
        if let Cell::Date(date) = self.cell(column) { Some(*date) } else { None }
    }

    /// The number of `column`, unless it is blank.
    #[must_use]
    pub fn number(self, column: &str) -> Option<Decimal> {
        if let Cell::Number(number) = self.cell(column) { Some(*number) } else { None }
    }

    /// The pattern of `column`, unless it is blank.
    #[must_use]
    pub fn pattern(self, column: &str) -> Option<&'l regex::Regex> {
        if let Cell::Pattern(pattern) = self.cell(column) { Some(pattern) } else { None }
    }
}
