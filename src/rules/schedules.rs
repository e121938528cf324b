//! What the fields of one payment schedule, plan or review say together.

use rust_decimal::Decimal;

use super::account_fields::rules;
use super::never::{
    Never,
    Test::{Absent, After, Future, Given, In, NotBefore, NotIn, Numbers, True},
    never,
};
use super::{Rule, error};

pub(super) const RULES: &[Rule] = rules! {
    "schedule-amount-nonzero": "A schedule that bills do not trigger has an amount." {
        "payment_schedules" "zero_payment_schedule_amount" "expected an amount other than nought" [Numbers(&["amount"], |n| n[0].is_zero()), NotIn("trigger", &["BILL"])]
        "payment_schedules" "zero_payment_schedule_amount" "expected an amount other than nought" [Numbers(&["amount"], |n| n[0].is_zero()), Absent("trigger")]
    }
    "schedule-amount-range": "The amount of a schedule is not negative." {
        "payment_schedules" "fixed_payment_schedule_amount_out_of_range" "expected an amount that is not negative" [Numbers(&["amount"], |n| n[0] < Decimal::ZERO)]
    }
    "schedule-frequency": "A regular schedule says how often." {
        "payment_schedules" "fixed_payment_schedule_missing_frequency" "expected how often it is paid" [Absent("frequency"), Absent("trigger")]
        "payment_schedules" "fixed_payment_schedule_missing_frequency" "expected how often it is paid" [Absent("frequency"), In("trigger", &["REGULAR"])]
    }
    "schedule-day-of-month": "A regular schedule says on which day." {
        "payment_schedules" "fixed_payment_schedule_missing_day_of_month" "expected the day of the month" [Absent("day_of_month"), In("trigger", &["REGULAR"])]
    }
    "schedule-threshold": "A schedule triggered by the balance says at which." {
        "payment_schedules" "balance_triggered_schedule_missing_threshold" "expected the balance that triggers a payment" [Absent("balance_threshold"), In("trigger", &["BALANCE"])]
    }
    "debt-element-end-date": "The part of a payment that repays a debt ends on some day." {
        "payment_schedules" "debt_repayment_missing_end_date" "expected the day on which the debt is repaid" [Absent("debt_repayment_end_date"), Given("debt_repayment_element")]
    }
    "debt-end-not-after-schedule": "A debt is not repaid after its schedule's end." {
        "payment_schedules" "debt_repayment_end_date_after_schedule_end_date" "expected a day up to the schedule's end" [After("debt_repayment_end_date", "end_date")]
    }
    "schedule-exempt-regular-only": "Only a regular schedule can be exempt from reviews." {
        "payment_schedules" "invalid_payment_schedule_to_exempt_from_payment_adequacy" "expected no exemption: the schedule is not a regular one" [True("exempt_from_payment_adequacy"), NotIn("trigger", &["REGULAR"])]
    }
    "schedule-plan-instalments": "A schedule triggered by a plan has instalments." {
        "payment_schedules" "payment_instalments_not_provided" "expected the instalments of the plan" [Absent("instalments"), In("trigger", &["PLAN"])]
    }
    "schedule-instalments-inside": "Instalments fall due while their schedule lasts." {
        "payment_schedules.instalments" "payment_instalments_date_outside_of_payment_schedule_active_period" "expected a day up to the schedule's end" [After("payment_date", "^end_date")]
        "payment_schedules.instalments" "payment_instalments_date_outside_of_payment_schedule_active_period" "expected a day from the schedule's start" [Given("payment_date"), After("^start_date", "payment_date")]
    }
    "schedule-delay": "Only payments that bills trigger are delayed, and by a number of days." {
        "payment_schedules" "payment_schedule_delay_must_have_bill_trigger" "expected no delay: bills do not trigger the payments" [Given("delay_strategy"), NotIn("trigger", &["BILL"])]
        "payment_schedules" "payment_schedule_delay_must_have_bill_trigger" "expected no delay: bills do not trigger the payments" [Given("delay_strategy"), Absent("trigger")]
        "payment_schedules" "payment_schedule_delay_must_have_bill_trigger" "expected no delay: bills do not trigger the payments" [Given("delay_days"), NotIn("trigger", &["BILL"])]
        "payment_schedules" "payment_schedule_delay_strategy_missing_delay_days" "expected the days of the delay" [Absent("delay_days"), Given("delay_strategy")]
    }
    "adequacy-created-before-applied": "A review's outcome is applied after the review." {
        "payment_adequacy_changes" "payment_adequacy_invalid_dates" "expected it to be applied after it was made" [NotBefore("created_at", "applied_at")]
    }
    "adequacy-applied-xor-reason": "A review's outcome is applied, or there is a reason why not." {
        "payment_adequacy_changes" "payment_adequacy_missing_reason" "expected the day it was applied or why it was not" [Absent("applied_at"), Absent("should_not_be_applied_reason")]
        "payment_adequacy_changes" "payment_adequacy_should_not_have_been_applied" "expected the day it was applied or why it was not, found both" [Given("applied_at"), Given("should_not_be_applied_reason")]
    }
    "adequacy-monthly-sum": "The monthly charge of a review is that of both fuels." {
        "payment_adequacy_changes" "payment_adequacy_monthly_charges_unequal" "expected the monthly charges of electricity and gas to come to the monthly charge"
            [Numbers(&["average_monthly_charge", "average_monthly_elec_charge", "average_monthly_gas_charge"], |n| n[0] != n[1] + n[2])]
    }
    "adequacy-adjustment": "The adjustment of a review brings the balance to its target in a year." {
        "payment_adequacy_changes" "payment_adequacy_balance_adjustment_mismatch" "expected a twelfth of what the balance lacks of its target, or nought"
            [Numbers(&["balance_adjustment", "target_balance", "current_balance"], |n| !n[0].is_zero() && ((n[1] - n[2]) / Decimal::from(12) - n[0]).abs() > Decimal::ONE)]
    }
    "adequacy-new-dd": "The new payment of a review lies between the one before and what the review asks for." {
        "payment_adequacy_changes" "payment_adequacy_new_direct_debit_amount_mismatch" "expected an amount between the payment before and the monthly charge with the adjustment"
            [Numbers(&["new_direct_debit", "existing_direct_debit_payment", "average_monthly_charge", "balance_adjustment"], |n| {
                let asked = n[2].saturating_add(n[3]);
                n[0] < n[1].min(asked) || n[0] > n[1].max(asked)
            })]
    }
    "adequacy-applied-not-future": "No review's outcome is applied after the run date." {
        "payment_adequacy_changes" "payment_adequacy_invalid_dates" "expected a day up to the run date" [Future("applied_at")]
    }
    "adequacy-created-not-future": "No review is made after the run date." {
        "payment_adequacy_changes" "payment_adequacy_invalid_dates" "expected a day up to the run date" [Future("created_at")]
    }
};
