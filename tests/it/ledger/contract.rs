//! The contract, once per engine. Every case ends with an audit.

use super::{build, cases};
use crate::support::engine::each_engine;

macro_rules! contract {
    ($engine:ident, $value:expr, $($group:ident { $($case:ident,)* })*) => {
        mod $engine { $($(
            #[tokio::test]
            async fn $case() {
                let fixture = super::build::fixture($value).await;
                super::cases::$group::$case(fixture.ledger.as_ref()).await;
                fixture.ledger.audit().await.expect("the ledger is consistent afterwards");
            }
        )*)* }
    };
}

macro_rules! on {
    ($engine:ident, $value:expr,) => {
        contract! { $engine, $value,
            sessions {
                a_session_comes_back_as_it_was_written,
                a_bare_session_comes_back_as_it_was_written,
                a_session_without_a_readable_signature_comes_back_so,
                the_short_message_alone_opens_with_an_approve_and_a_session_key_or_not_at_all,
                what_the_short_message_opened_is_found_again_with_the_readable_signature,
                a_repeated_opening_finds_its_session,
                a_nonce_opens_one_session_per_user,
                a_session_is_opened_fresh,
                an_unbelievable_time_is_refused,
                opening_supersedes_only_what_lives,
                a_verified_cap_is_never_forgotten,
                an_ended_session_is_not_opened_again,
                only_an_unsure_session_is_rejected,
                revoking_ends_the_live_sessions_of_one_user_and_asset,
                sessions_expire_when_they_stop_accepting,
                live_and_opening_sessions_are_told_oldest_first,
                openings_are_counted_by_time_and_user,
                a_session_that_is_not_there_is_an_inconsistency,
            }
            approvals {
                sessions_one_after_the_other_take_no_more_than_was_approved,
                openings_that_come_together_are_judged_one_by_one,
                an_approve_opens_one_session_where_the_intent_names_no_total,
                a_newer_approve_takes_what_it_backs_and_the_oldest_end,
                what_is_held_stays_with_the_approve_that_backed_it,
                an_approve_of_an_unknown_amount_is_what_its_first_session_says,
                unverified_sessions_of_one_approval_share_one_limit,
                a_revoked_or_replaced_approval_admits_nothing,
                an_opening_whose_approve_others_have_used_up_is_rejected,
                what_may_have_been_used_before_is_known_by_name_time_and_handle,
                the_approvals_behind_sessions_are_told_at_once,
                the_handle_of_an_approve_is_remembered_once,
                what_changes_no_delegation_is_known,
            }
            bindings {
                a_capture_that_a_fork_takes_back_is_drawn_from_the_approve_that_stands,
                what_a_fork_takes_back_ends_the_session_that_it_no_longer_fits,
                promises_end_with_their_approve_where_transfers_lower_it_and_a_newer_one_does_not_cover_them,
                what_a_transfer_carries_counts_before_the_opening_that_brings_an_approve,
                what_was_drawn_from_an_approve_before_it_was_on_record_counts,
                an_approve_of_an_unknown_amount_takes_the_slot_beside_a_session_that_is_spent,
                what_was_examined_of_a_history_stays_examined,
            }
            holds {
                a_hold_comes_back_as_it_was_written,
                each_hold_tells_what_was_spent_right_after_it,
                a_repeat_is_told_its_own_hold_even_when_nothing_more_is_accepted,
                a_nonce_names_one_content,
                the_same_nonce_in_another_session_is_another_payment,
                without_a_nonce_every_request_is_a_payment,
                a_pending_answer_is_taken_over_once,
                what_was_captured_for_nobody_is_taken_over,
                a_payment_with_a_nonce_is_never_taken_over,
                a_told_payment_is_never_taken_over,
                the_cap_is_kept_to_the_unit,
                an_unverified_cap_bounds_what_is_spent,
                only_an_open_session_accepts,
                nothing_is_held_for_nothing,
                an_uncovered_hold_is_released_at_its_deadline,
                a_covered_hold_is_pending_at_its_deadline,
                a_decided_hold_is_told_at_its_deadline,
                success_is_claimed_once,
                a_success_is_recorded_with_what_it_was_told_to_or_never,
                abandoned_holds_are_released_by_age,
            }
            deferred {
                a_promise_is_told_with_its_row,
                a_promise_is_not_released_by_any_wait,
                promises_are_taken_along_and_go_alone_only_when_they_may,
                a_settlement_that_comes_to_nothing_keeps_its_promises,
                a_told_payment_that_a_fork_undid_is_a_promise_too,
                what_waits_by_promise_is_told_by_session,
                a_session_promises_up_to_its_limit,
                a_merchants_sessions_share_one_limit,
                a_payer_and_those_who_prove_nothing_leave_the_rest_to_others,
                a_promise_is_given_up_by_attempts_or_age_and_its_loss_is_booked,
                a_promise_is_not_given_up_for_what_passes_by_itself,
                a_promise_our_own_purse_delayed_is_tried_once_more_before_it_is_lost,
                an_old_promise_is_not_given_up_for_an_old_refusal,
                the_promises_of_a_revoked_session_are_given_up_whether_tried_or_not,
                a_promise_whose_settlement_found_the_delegation_gone_is_given_up,
                a_closing_session_closes_when_the_last_is_final,
                a_session_closes_at_once_when_nothing_is_left,
            }
            archive {
                what_is_archived_is_told_as_before,
                a_payment_of_an_archived_session_is_known_and_no_other_is_taken,
                what_lives_or_holds_or_is_recent_stays,
                many_payments_of_one_settlement_move_in_pieces,
            }
            history {
                everything_that_happens_is_told_in_its_order,
                a_listener_reads_on_from_any_position,
                the_end_is_after_everything,
                a_payments_times_are_those_of_its_settlement,
            }
            settlements {
                a_plan_takes_the_oldest_that_fit_and_at_least_one,
                nothing_waiting_is_no_plan,
                a_payment_lands_and_is_settled,
                a_refused_transfer_gives_everything_back_but_the_fee,
                an_abandoned_settlement_gives_everything_back,
                an_absent_attempt_is_followed_by_another,
                a_failed_attempt_costs_its_fee_and_is_followed_by_another,
                a_fork_takes_a_landing_back_and_it_lands_again,
                a_landing_that_is_gone_for_good_cost_nothing,
                a_landing_that_becomes_an_error_costs_its_fee,
                of_two_drivers_one_loses,
                events_that_cannot_follow_are_refused,
                a_finished_settlement_takes_no_event,
                an_attempt_is_the_next_of_its_settlement,
                one_signature_names_one_attempt,
                other_purposes_carry_no_holds,
                a_session_has_one_approve_that_may_have_an_effect,
                only_waiting_callers_of_the_settlement_are_told,
                what_moved_lately_is_told_with_what_was_bought,
                a_settlement_that_is_not_there_is_an_inconsistency,
            }
            subjects {
                a_purpose_serves_what_it_may_and_nothing_else,
                a_clients_bytes_are_co_signed_once,
            }
            budgets {
                a_signed_attempt_counts_until_it_is_proved_dead,
                what_a_budget_refuses_leaves_no_trace_and_may_be_signed_later,
                drivers_that_sign_together_never_pass_a_limit_together,
                each_scope_counts_its_own,
                rent_and_grants_have_limits_of_their_own,
                what_was_spent_counts_for_an_hour_and_no_longer,
                a_landing_that_is_taken_back_counts_in_full_again,
                a_rent_that_is_an_upper_bound_is_corrected_once,
                spending_is_told_by_hour_purpose_and_merchant,
                grants_to_a_user_count_from_their_signing_until_they_are_proved_dead,
                a_grant_that_nothing_proved_counts_whatever_is_proved_later,
            }
            credit {
                a_payer_without_a_proof_has_a_small_start,
                payers_without_credit_share_a_part_and_leave_the_rest_to_others,
                credit_is_earned_on_three_days_by_what_is_proved,
            }
            funding {
                a_proof_comes_back_as_it_was_written,
                everything_a_user_holds_is_claimed_from_one_balance,
                a_capture_after_the_proof_stays_claimed,
                a_transfer_in_flight_counts_by_the_slot_it_lands_in,
                what_landed_before_the_proof_was_written_counts_by_its_slot_too,
                a_failed_or_absent_transfer_is_not_claimed,
                a_fork_voids_the_proof_that_saw_what_it_takes_back,
                a_demand_is_decided_with_the_hold,
                a_short_payment_never_spends_what_a_proven_one_was_promised,
                a_proof_of_too_little_unproves_what_relied_on_an_older_one,
                a_void_proof_stays_void_until_a_newer_one,
                what_landed_before_a_debit_stays_proven_and_what_landed_after_does_not,
                a_newer_proof_leaves_unseen_landings_unproven,
                what_is_signed_as_proven_rides_on_a_look_up_to_what_one_is_worth,
                a_look_tells_of_the_proof_it_was_made_for_only,
                a_frozen_account_pays_nothing_until_it_is_thawed,
                accounts_with_open_sessions_are_watched_the_longest_unseen_first,
                signatures_of_ours_are_known,
            }
            single_payments {
                a_single_payment_comes_back_as_it_was_written,
                an_offer_is_used_once_and_before_its_end,
                a_nonce_and_a_ciphertext_pay_once_for_ever,
                a_payer_has_so_many_offers_and_those_whose_time_is_over_are_forgotten,
                whoever_fills_the_places_of_newcomers_loses_their_own,
                an_address_that_speaks_for_many_keeps_what_may_be_about_to_be_signed,
                a_single_payment_lands_once_and_its_success_is_told_once,
                a_success_that_its_request_never_heard_is_told_to_whoever_proves_to_know_the_payment,
                a_single_payment_that_comes_to_nothing_says_why,
                a_single_payment_is_claimed_from_the_payers_proof_until_it_comes_to_nothing,
                a_proof_counts_what_is_in_flight_and_what_landed_later,
                a_newer_proof_leaves_a_single_payment_unproven_that_nobody_looked_at,
                no_sum_of_a_payers_single_payments_passes_an_amount,
                a_budget_that_refuses_a_single_payment_leaves_its_offer,
                what_is_demanded_to_be_proved_is_decided_with_the_record,
            }
            charges {
                a_charge_comes_back_as_it_was_written,
                a_message_is_a_charge_once_for_ever,
                a_success_is_told_once_and_to_its_key_again,
                two_minutes_after_its_landing_a_success_is_for_anybody,
                what_came_to_nothing_says_why_and_may_be_found_after_all,
                a_fork_takes_a_landing_back_with_what_follows_from_it,
                what_is_in_flight_is_taken_from_its_source,
                each_cap_has_its_word_and_the_first_is_named,
                a_seller_is_counted_by_what_paid_them_and_a_fork_counts_nothing,
                what_a_stranger_costs_in_a_day_is_bounded_until_they_pay_a_known_seller,
                a_wallet_is_known_by_landings_on_three_days_the_first_three_days_ago,
                who_is_paid_on_many_days_is_no_known_seller,
                a_payer_whose_transactions_fail_is_not_sponsored_for_an_hour,
                a_budget_refuses_a_charge_and_leaves_nothing,
                an_account_backs_channels_or_pays_charges,
                preparations_are_counted_by_the_day,
                an_issuer_stays_unless_its_successor_knows_it,
            }
            revocations {
                a_revoke_comes_back_as_it_was_written,
                nothing_is_revoked_that_a_session_needs,
                nothing_opens_while_a_revoke_is_on_its_way,
                a_wallet_is_paid_one_revoke_a_day_and_none_that_cost_nothing,
                revokes_that_come_to_nothing_are_few_a_day,
                nothing_is_revoked_before_what_landed_is_final,
                a_revoke_that_is_final_late_takes_no_newer_approve_along,
                strangers_leave_places_to_wallets_with_credit,
                a_budget_that_strangers_used_up_pays_a_wallet_with_credit,
            }
            channel_grants {
                nothing_new_stands_on_a_grant_that_is_being_replaced,
                a_grant_that_a_fork_took_back_pays_nothing_and_keeps_no_channel_from_ending,
                no_more_moves_than_was_granted_whatever_the_account_has,
                what_is_held_takes_no_place_of_what_may_be_in_flight,
                a_fork_may_take_a_grant_back_while_the_next_is_on_its_way,
            }
            channel_settlements {
                a_fork_reopens_what_its_settlement_closed,
                a_channel_is_settled_in_between_and_once_at_a_time,
                what_is_available_is_divided_and_the_rest_written_off,
                a_settlement_that_fails_is_planned_anew_and_then_written_off,
                channels_are_due_by_idleness_by_their_end_and_by_what_they_owe,
                vouchers_are_forgotten_when_nothing_needs_them_but_the_last,
            }
            channels {
                a_channel_lives_from_its_anchor_to_its_settlement,
                a_channel_that_drew_nothing_closes_without_a_settlement,
                a_proof_opens_one_channel_and_a_window_as_many_as_it_has,
                a_deposit_fits_beside_what_is_reserved_or_is_refused,
                as_many_channels_live_as_there_may_be,
                a_grant_that_names_a_seller_opens_channels_to_nobody_else,
                vouchers_rise_and_are_given_again_to_the_last_member,
                what_one_account_owes_counts_over_all_its_channels,
                vouchers_are_counted_for_sellers_and_for_all_where_a_cap_asks,
                an_opening_is_refused_by_the_budget_that_its_anchor_would_pass,
                nothing_opens_while_its_wallet_leaves,
                nothing_opens_while_its_wallet_renews,
            }
            debts {
                a_debt_is_booked_and_no_budget_refuses_it,
                a_known_wallet_onboards_when_strangers_have_used_up_their_budget,
                what_is_planned_counts_once_it_is_signed,
                a_leave_gives_something_back_and_is_paid_for_a_few_times_a_day,
                the_rent_of_a_swig_is_lent_once,
                an_ended_channel_is_paid_in_part_a_few_times_and_with_no_dust,
            }
            delegations {
                a_delegation_comes_back_as_it_was_granted,
                issuing_voids_what_was_not_signed_and_is_a_generation_of_its_own,
                what_a_fork_takes_back_was_not_granted,
                a_leave_ends_a_delegation_and_its_proof_asks_once,
                a_swig_is_active_after_its_last_round,
                an_older_reading_tells_nothing,
                onboardings_are_counted_for_wallet_address_and_all,
                rents_of_a_day_are_bounded_and_strangers_take_half,
                a_window_opens_so_many_channels_to_where_it_was_given,
            }
            operator {
                what_is_held_is_so_until_its_next_event,
                an_operator_finds_a_transaction_and_its_payments_are_captured,
                an_operator_finds_what_had_been_proved_absent,
                an_operator_finds_nothing_and_it_goes_on_or_is_given_back,
                what_has_had_all_its_attempts_is_given_back_by_an_operators_word,
                a_landing_that_nobody_sees_any_more_is_resolved_too,
                an_attempt_keeps_its_witness_and_who_told_of_it,
                what_services_agree_on_stays_until_an_operator_changes_it,
            }
            queries {
                unfinished_work_is_told_oldest_first_with_what_may_be_sent,
                sessions_with_waiting_holds_are_told_oldest_first,
                a_recipients_account_is_created_once,
                a_settlement_has_so_many_attempts_and_no_more,
                open_holds_are_those_whose_fate_is_open,
                a_users_sessions_are_told_newest_first_and_page_by_page,
                totals_tell_what_moved_and_what_it_cost,
                sums_larger_than_an_amount_are_refused,
                the_ledger_answers_a_ping,
            }
        }
    };
}

each_engine!(on);
