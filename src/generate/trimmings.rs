//! The lists that hang directly on an account: references, notes, statements, discounts, campaigns and metadata.

use chrono::NaiveDateTime;

use super::account::{Basics, Book, EXTRACT_DATE, date, shifted};
use super::draw::Draw;
use super::tables::{
    CampaignRow, MetadatumRow, NoteDocumentRow, NoteRow, Records, ReferenceRow, StatementRow, WarmHomeDiscountRow,
};
use super::words;

/// Days that a statement covers.
const STATEMENT_DAYS: i64 = 91;

/// Adds all of them.
pub(super) fn add(book: &mut Book, draw: &mut Draw, records: &mut Records, basics: &Basics) {
    references(draw, records, basics);
    for _ in 0..draw.between(0, 4) {
        note(book, draw, records, basics);
    }
    statements(book, draw, records, basics);
    if !basics.business && draw.chance(7) {
        discounts(draw, records, basics);
    }
    for &campaign_cd in &book.codes.campaigns {
        if draw.chance(3) {
            records.campaigns.push(CampaignRow {
                account_no: basics.number.clone(),
                campaign_cd,
                campaign_note: draw.chance(50).then(|| draw.pick(&["Since 2024", "See file, page 3", "By letter"])),
            });
        }
    }
    for &(meta_key, meta_field, values) in words::METADATA {
        if draw.chance(8) {
            let account_no = basics.number.clone();
            records.metadata.push(MetadatumRow { account_no, meta_key, meta_field, meta_value: draw.pick(values) });
        }
    }
}

fn references(draw: &mut Draw, records: &mut Records, basics: &Basics) {
    for (ref_type_cd, percent) in [("AP", 80), ("CR", 20), ("BE", 5)] {
        if draw.chance(percent) {
            let account_no = basics.number.clone();
            records.references.push(ReferenceRow { account_no, ref_type_cd, ref_value: draw.digits(10) });
        }
    }
}

/// Adds a note, written in office hours: never at a time that a change of clocks skips or repeats.
fn note(book: &mut Book, draw: &mut Draw, records: &mut Records, basics: &Basics) {
    let note_id = format!("N{}", book.ids.note.take());
    let mut body = draw.pick(words::NOTES).to_owned();
    for _ in 0..draw.between(0, 2) {
        body.push_str(draw.pick(words::NOTE_JOINTS));
        body.push_str(draw.pick(words::NOTES));
    }
    body.push('.');
    let day = draw.day(date(2016, 1, 1), shifted(EXTRACT_DATE, -1));
    let second = draw.between(8 * 3600, 20 * 3600 - 1);
    let created_at = NaiveDateTime::from(day) + chrono::TimeDelta::seconds(second);
    records.notes.push(NoteRow { note_id: note_id.clone(), account_no: basics.number.clone(), created_at, body });
    if draw.chance(15) {
        for doc_seq in 1..=draw.between(1, 2) {
            let doc_path = format!("/notes/{note_id}/scan-{doc_seq}.{}", draw.pick(&["jpg", "pdf"]));
            records.note_documents.push(NoteDocumentRow { note_id: note_id.clone(), doc_seq, doc_path });
        }
    }
}

/// Adds statements back to back, the last up to the day billed to.
fn statements(book: &mut Book, draw: &mut Draw, records: &mut Records, basics: &Basics) {
    for back in 0..draw.between(4, 12) {
        let period_to = shifted(basics.billed_to, -STATEMENT_DAYS * back);
        let period_from = shifted(period_to, -STATEMENT_DAYS);
        records.statements.push(StatementRow {
            statement_id: book.ids.statement.take().to_string(),
            account_no: basics.number.clone(),
            period_from,
            period_to,
            pdf_path: format!("/{}/{period_from}-to-{period_to}.pdf", basics.number),
        });
    }
}

fn discounts(draw: &mut Draw, records: &mut Records, basics: &Basics) {
    let years = ["2025/26", "2024/25", "2023/24"];
    for tax_year in &years[..=draw.index(years.len())] {
        records.warm_home_discount.push(WarmHomeDiscountRow {
            account_no: basics.number.clone(),
            tax_year,
            acct_type_cd: draw.weighted(&[("C", 80), ("P", 20)]),
            group_cd: draw.weighted(&[("C", 60), ("B", 40)]),
        });
    }
}
