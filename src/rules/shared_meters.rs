//! One serial number at several electricity points: import and export through one meter, twins, or a mistake.

use super::metering::METERS;
use super::place::{Rows, value_of};
use super::supply::POINTS;
use super::{Check, Rule, error, finding, warning};
use crate::assemble::view::{EntityId, FieldId, Row, Schema};
use crate::finding::Cell;

pub(super) const RULES: &[Rule] = &[
    error(
        "import-export-pair",
        &["import_meter_not_found_for_export_meter"],
        "A meter of an import and export point is at exactly one other point, which is not such a point itself.",
        import_and_export,
    ),
    warning(
        "twin-element-only-duplicates",
        &["unexpected_number_of_meter_points_found_for_meter"],
        "No meter's serial number is at several electricity points, unless one of two is an import and export point.",
        duplicates,
    ),
];

/// The electricity meters of an account.
struct Shared {
    points: Rows,
    fuel: FieldId,
    export: Option<FieldId>,
    list: EntityId,
    serial: FieldId,
}

/// A meter that is at some points.
#[derive(Clone, Copy)]
struct At<'a> {
    serial: &'a str,
    row: Row<'a>,
    /// The point's number among those of the account.
    point: usize,
    is_import_export: bool,
}

impl Shared {
    fn bind(schema: &Schema) -> Option<Self> {
        Some(Self {
            points: Rows::bind(schema, POINTS)?,
            fuel: schema.field("supply_addresses.meter_points.supply_type")?,
            export: schema.field("supply_addresses.meter_points.export_type"),
            list: schema.entity(METERS)?,
            serial: schema.field("supply_addresses.meter_points.meters.meter_serial_number")?,
        })
    }

    /// The meters by serial number; none if there are fewer than `least` electricity points.
    fn of<'a>(&self, account: Row<'a>, least: usize) -> Vec<At<'a>> {
        let is_electricity = |point: Row<'a>| point.value(self.fuel).text() == Some("ELECTRICITY");
        let mut count = 0;
        self.points.each(account, &mut |point| count += usize::from(is_electricity(point)));
        if count < least {
            return Vec::new();
        }
        let (mut meters, mut number) = (Vec::new(), 0);
        self.points.each(account, &mut |point| {
            number += 1;
            let is_import_export = value_of(point, self.export).text() == Some("IMPORT_EXPORT");
            if is_electricity(point) {
                meters.extend(point.children(self.list).filter_map(|row| {
                    let serial = row.value(self.serial).text().filter(|serial| !serial.is_empty())?;
                    Some(At { serial, row, point: number, is_import_export })
                }));
            }
        });
        meters.sort_by_key(|meter| (meter.serial, meter.point));
        meters
    }

    fn cells(&self, meters: &[At<'_>]) -> Vec<Cell> {
        meters.iter().flat_map(|meter| meter.row.cell(self.serial)).collect()
    }
}

/// At how many points, and at how many import and export points, a meter is.
fn count(meters: &[At<'_>]) -> (usize, usize) {
    let points = meters.chunk_by(|one, other| one.point == other.point);
    let export = points.clone().filter(|meters| meters[0].is_import_export).count();
    (points.count(), export)
}

fn import_and_export(schema: &Schema) -> Option<Check> {
    let shared = Shared::bind(schema)?;
    shared.export?;
    Some(Box::new(move |account, _, out| {
        let all = shared.of(account, 1);
        for meters in all.chunk_by(|one, other| one.serial == other.serial) {
            let Some(export) = meters.iter().find(|meter| meter.is_import_export) else { continue };
            if count(meters) != (2, 1) {
                let message = match count(meters) {
                    (1, _) => {
                        "expected the meter of an import and export point at its import point too; no other point has it"
                    }
                    _ => {
                        "expected the meter of an import and export point at one other point, which is for import alone"
                    }
                };
                let mut cells = export.row.cell(shared.serial);
                cells.extend(
                    shared.cells(meters).into_iter().filter(|cell| !export.row.cell(shared.serial).contains(cell)),
                );
                let path = export.row.path(Some(shared.serial));
                out.push(finding("import_meter_not_found_for_export_meter", path, message, cells));
            }
        }
    }))
}

fn duplicates(schema: &Schema) -> Option<Check> {
    let shared = Shared::bind(schema)?;
    Some(Box::new(move |account, _, out| {
        let all = shared.of(account, 2);
        for meters in all.chunk_by(|one, other| one.serial == other.serial) {
            let (points, export) = count(meters);
            if points > 1 && export == 0 {
                let message = format!(
                    "{points} electricity points have a meter of this number; the target takes that of twin-element meters alone"
                );
                let path = meters[1].row.path(Some(shared.serial));
                out.push(finding(
                    "unexpected_number_of_meter_points_found_for_meter",
                    path,
                    message,
                    shared.cells(meters),
                ));
            }
        }
    }))
}
