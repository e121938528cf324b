//! The meters of an account with their points, as the rules about readings walk them.

use chrono::NaiveDate;

use super::place::{Rows, value_of};
use super::supply::{POINTS, on_supply};
use crate::assemble::view::{EntityId, FieldId, Row, Schema};

/// The meters of all meter points.
pub(super) struct Meters {
    points: Rows,
    fuel: FieldId,
    pub(super) supply_end: Option<FieldId>,
    list: EntityId,
    pub(super) removed: Option<FieldId>,
}

/// The path of meters.
pub(super) const METERS: &str = "supply_addresses.meter_points.meters";

/// One meter with what its point says about it.
#[derive(Clone, Copy)]
pub(super) struct Meter<'a> {
    pub(super) point: Row<'a>,
    pub(super) row: Row<'a>,
    pub(super) fuel: Fuel,
    /// It has not been removed, and the supply of its point has not ended.
    pub(super) active: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fuel {
    Electricity,
    Gas,
}

impl Meters {
    pub(super) fn bind(schema: &Schema) -> Option<Self> {
        Some(Self {
            points: Rows::bind(schema, POINTS)?,
            fuel: schema.field("supply_addresses.meter_points.supply_type")?,
            supply_end: schema.field("supply_addresses.meter_points.supply_end_date"),
            list: schema.entity(METERS)?,
            removed: schema.field("supply_addresses.meter_points.meters.removed_on"),
        })
    }

    /// Visits each meter whose point is an electricity or a gas one.
    pub(super) fn each<'a>(&self, account: Row<'a>, today: NaiveDate, visit: &mut dyn FnMut(Meter<'a>)) {
        self.points.each(account, &mut |point| {
            let fuel = match point.value(self.fuel).text() {
                Some("ELECTRICITY") => Fuel::Electricity,
                Some("GAS") => Fuel::Gas,
                _ => return,
            };
            let supplied = on_supply(&value_of(point, self.supply_end), today);
            for row in point.children(self.list) {
                let active = supplied && value_of(row, self.removed).is_absent();
                visit(Meter { point, row, fuel, active });
            }
        });
    }
}

/// One of a meter's two lists of readings.
#[derive(Clone, Copy)]
pub(super) struct Readings {
    pub(super) list: EntityId,
    pub(super) register: Option<FieldId>,
    pub(super) date: FieldId,
    pub(super) value: Option<FieldId>,
}

impl Readings {
    /// The readings that the move is billed by.
    pub(super) fn transfer(schema: &Schema) -> Option<Self> {
        Self::bind(schema, "supply_addresses.meter_points.meters.transfer_readings")
    }

    /// The readings before.
    pub(super) fn history(schema: &Schema) -> Option<Self> {
        Self::bind(schema, "supply_addresses.meter_points.meters.reading_history")
    }

    fn bind(schema: &Schema, path: &str) -> Option<Self> {
        Some(Self {
            list: schema.entity(path)?,
            register: schema.field(&format!("{path}.register_id")),
            date: schema.field(&format!("{path}.reading_date"))?,
            value: schema.field(&format!("{path}.reading_value")),
        })
    }
}

/// The registers of electricity meters.
pub(super) struct Registers {
    pub(super) list: EntityId,
    pub(super) id: FieldId,
    settlement: Option<FieldId>,
}

impl Registers {
    pub(super) fn bind(schema: &Schema) -> Option<Self> {
        Some(Self {
            list: schema.entity("supply_addresses.meter_points.meters.registers")?,
            id: schema.field("supply_addresses.meter_points.meters.registers.register_id")?,
            settlement: schema.field("supply_addresses.meter_points.meters.registers.is_settlement"),
        })
    }

    /// Whether settlement is by this register; absent means yes.
    pub(super) fn is_settlement(&self, register: Row<'_>) -> bool {
        value_of(register, self.settlement).bool() != Some(false)
    }
}
