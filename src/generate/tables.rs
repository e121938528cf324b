//! The 25 files of the extract: one struct a file, one field a column, in the order of the file.
//!
//! A column is named as its field, in capitals. Every account's records are gathered in [`Records`] before any is
//! written, so that balances can be summed and a defect can choose its victim.

use chrono::{NaiveDate, NaiveDateTime};

use super::cell::{Cell, Dial, Pence, Pounds};

/// One table of the extract: its records of one account.
pub(super) trait Table {
    /// The file, without `.csv`.
    const FILE: &'static str;
    /// The fields' names, in the order of the file.
    const FIELDS: &'static [&'static str];

    /// Puts the texts of this record's cells behind one another into `into`.
    fn cells(&self, into: &mut csv::StringRecord);
}

macro_rules! tables {
    ($($list:ident: $name:ident { $($field:ident: $kind:ty),+ $(,)? })+) => {
        $(
            #[derive(Clone, Debug)]
            pub(super) struct $name {
                $(pub(super) $field: $kind,)+
            }

            impl Table for $name {
                const FILE: &'static str = stringify!($list);
                const FIELDS: &'static [&'static str] = &[$(stringify!($field)),+];

                fn cells(&self, into: &mut csv::StringRecord) {
                    $(into.push_field(&self.$field.text());)+
                }
            }
        )+

        /// Every record of one account, by file.
        #[derive(Debug, Default)]
        pub(super) struct Records {
            $(pub(super) $list: Vec<$name>,)+
        }

        /// Every file: its name without `.csv` and its columns.
        pub(super) const FILES: &[(&str, &[&str])] = &[$((<$name>::FILE, <$name>::FIELDS)),+];

        impl Records {
            /// Calls `each` with the number of the file, the position of the record in [`Records`], and its cells.
            pub(super) fn visit<E>(
                &self,
                mut each: impl FnMut(usize, usize, &csv::StringRecord) -> Result<(), E>,
            ) -> Result<(), E> {
                let mut cells = csv::StringRecord::new();
                let mut file = 0;
                $(
                    for (position, record) in self.$list.iter().enumerate() {
                        cells.clear();
                        record.cells(&mut cells);
                        each(file, position, &cells)?;
                    }
                    file += 1;
                )+
                debug_assert_eq!(file, FILES.len());
                Ok(())
            }
        }
    };
}

tables! {
    accounts: AccountRow {
        account_no: String,
        acct_type_cd: &'static str,
        occupier_flag: bool,
        billing_name: String,
        bill_addr_1: String,
        bill_addr_2: String,
        bill_addr_3: String,
        bill_addr_4: String,
        bill_addr_5: String,
        bill_postcode: String,
        sales_channel_cd: &'static str,
        sales_subchannel: &'static str,
        transfer_balance: Pounds,
        last_billed_to: NaiveDate,
        dunning_path: Option<&'static str>,
        dunning_start: Option<NaiveDate>,
        last_pay_review: Option<NaiveDate>,
        next_bill_due: Option<NaiveDate>,
        smart_read_freq_cd: Option<&'static str>,
        smart_read_day: Option<i64>,
        comm_pref_cd: &'static str,
        doc_access_cd: &'static str,
    }
    customers: CustomerRow {
        customer_no: String,
        account_no: String,
        cust_seq: i64,
        title_cd: String,
        given_name: &'static str,
        family_name: &'static str,
        salutation: Option<String>,
        email: Option<String>,
        mobile: Option<String>,
        landline: Option<String>,
        dob: Option<NaiveDate>,
        pref_sms: bool,
        pref_recommended: bool,
        pref_updates: bool,
        pref_third_party: bool,
        pref_offers: bool,
        psr_consent: Option<bool>,
    }
    psr: PriorityNeedRow {
        customer_no: String,
        fuel: &'static str,
        industry_code: String,
        effective_from: NaiveDate,
        effective_to: Option<NaiveDate>,
    }
    supply_addresses: SupplyAddressRow {
        supply_addr_id: String,
        account_no: String,
        addr_1: String,
        addr_2: String,
        addr_3: String,
        addr_4: String,
        addr_5: String,
        postcode: String,
        is_landlord: bool,
        occupied_from: NaiveDate,
    }
    property_admins: PropertyAdminRow {
        admin_no: String,
        supply_addr_id: String,
        title_cd: String,
        given_name: &'static str,
        family_name: &'static str,
        salutation: Option<String>,
        email: Option<String>,
        mobile: Option<String>,
        landline: Option<String>,
        dob: Option<NaiveDate>,
    }
    meter_points: MeterPointRow {
        mpxn: String,
        fuel: &'static str,
        supply_addr_id: String,
        mpid: &'static str,
        shipper_mpid: &'static str,
        supply_start: NaiveDate,
        profile_class: Option<&'static str>,
        ssc: Option<&'static str>,
        et_flag: bool,
        dr_flag: bool,
    }
    agreements: AgreementRow {
        mpxn: String,
        tariff_cd: String,
        effective_from: NaiveDate,
        effective_to: Option<NaiveDate>,
    }
    smart_refusals: SmartRefusalRow {
        mpxn: String,
        interest_cd: &'static str,
        contact_date: NaiveDate,
        reason_cd: Option<String>,
        channel_cd: &'static str,
    }
    consumption: ConsumptionRow {
        mpxn: String,
        cons_type: &'static str,
        tpr: &'static str,
        effective_from: NaiveDate,
        effective_to: Option<NaiveDate>,
        kwh: i64,
        source_flow: &'static str,
    }
    meters: MeterRow {
        mpxn: String,
        meter_serial: String,
        installed_on: NaiveDate,
        removed_on: Option<NaiveDate>,
        smart_type_cd: Option<&'static str>,
        smart_commissioned: Option<NaiveDate>,
        gas_digits: Option<i64>,
        gas_units_cd: Option<&'static str>,
        is_prepay: Option<bool>,
        prepay_cust_ref: Option<String>,
    }
    prepay_details: PrepayDetailRow {
        mpxn: String,
        meter_serial: String,
        debt_balance: Pounds,
        credit_balance: Pounds,
        vend_read_date: NaiveDate,
        weekly_min: Option<Pounds>,
        weekly_max: Option<Pounds>,
    }
    registers: RegisterRow {
        mpxn: String,
        meter_serial: String,
        register_id: &'static str,
        tpr: &'static str,
        digits: i64,
        settlement_flag: Option<bool>,
    }
    readings: ReadingRow {
        reading_id: String,
        mpxn: String,
        meter_serial: String,
        register_id: &'static str,
        read_date: NaiveDate,
        read_value: Dial,
        read_type_cd: &'static str,
        billed_flag: bool,
        transfer_flag: bool,
    }
    ledgers: LedgerRow {
        ledger_id: String,
        account_no: String,
        ledger_code: Option<&'static str>,
        last_stmt_close: NaiveDate,
        last_stmt_issue: NaiveDate,
        last_stmt_balance: Pounds,
        ledger_balance: Pounds,
    }
    transactions: TransactionRow {
        txn_id: String,
        ledger_id: String,
        txn_date: NaiveDate,
        amount_p: Pence,
        txn_code: &'static str,
        pay_code: &'static str,
        stmt_flag: &'static str,
    }
    payment_schedules: PaymentScheduleRow {
        schedule_id: String,
        account_no: String,
        amount: Pounds,
        day_of_month: i64,
        freq_cd: &'static str,
        means_cd: &'static str,
        start_date: NaiveDate,
        end_date: Option<NaiveDate>,
        debt_plan_flag: Option<bool>,
        debt_element: Option<Pounds>,
        debt_end_date: Option<NaiveDate>,
    }
    references: ReferenceRow {
        account_no: String,
        ref_type_cd: &'static str,
        ref_value: String,
    }
    notes: NoteRow {
        note_id: String,
        account_no: String,
        created_at: NaiveDateTime,
        body: String,
    }
    note_documents: NoteDocumentRow {
        note_id: String,
        doc_seq: i64,
        doc_path: String,
    }
    statements: StatementRow {
        statement_id: String,
        account_no: String,
        period_from: NaiveDate,
        period_to: NaiveDate,
        pdf_path: String,
    }
    warm_home_discount: WarmHomeDiscountRow {
        account_no: String,
        tax_year: &'static str,
        acct_type_cd: &'static str,
        group_cd: &'static str,
    }
    debts: DebtRow {
        debt_id: String,
        account_no: String,
        agency_name: &'static str,
        start_date: NaiveDate,
        insolvent_flag: bool,
    }
    aged_debts: AgedDebtRow {
        debt_id: String,
        amount: Pounds,
        due_date: NaiveDate,
    }
    campaigns: CampaignRow {
        account_no: String,
        campaign_cd: &'static str,
        campaign_note: Option<&'static str>,
    }
    metadata: MetadatumRow {
        account_no: String,
        meta_key: &'static str,
        meta_field: &'static str,
        meta_value: &'static str,
    }
}

#[cfg(test)]
mod tests {
    use super::FILES;

    #[test]
    fn the_layout_has_25_files_of_known_width() {
        let width = |file: &str| FILES.iter().find(|(name, _)| *name == file).map(|(_, columns)| columns.len());
        assert_eq!(FILES.len(), 25);
        assert_eq!(width("accounts"), Some(22));
        assert_eq!(width("customers"), Some(17));
        assert_eq!(width("transactions"), Some(7));
    }
}
