//! The suites that every adapter must pass: one module for each port, one function for each promise.
//!
//! An adapter's test file names what it makes and gets one test for each promise:
//!
//! ```ignore
//! async fn fresh() -> Option<(Arc<dyn Bus>, TempDir)> { ... } // none: not here, skipped
//! ports::conformance!(bus, fresh());
//! ```
//!
//! What is made must be fresh for each test: nobody else's messages or rows. A bus must have partitions 0 and 1 and the
//! channel `whatsapp`. The second value is kept until the test has ended. `views` takes a pair of the journal and the
//! views on it, `decisions` one of the journal and the parking, `reopening` one of the journal and the ledger. Nothing here measures time; what must come is awaited
//! with patience.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::disallowed_methods,
    clippy::print_stderr
)]

pub mod blobs;
pub mod buckets;
pub mod bus;
pub mod consents;
pub mod conservation;
pub mod cursors;
pub mod decisions;
pub mod directory;
pub mod journal;
pub mod journal_rest;
pub mod leases;
pub mod ledger;
pub mod mailboxes;
pub mod parking;
pub mod reopening;
pub mod samples;
pub mod shelves;
pub mod sign_ins;
pub mod templates;
pub mod views;
pub mod windows;

/// The address of a real server for tests (`scripts/servers.sh` starts them). None says that the test was skipped.
///
/// # Panics
/// Where servers are required (`AFLUENTE_TEST_REQUIRE_SERVERS=1`, as `make test` sets it) and this one is not given: a
/// suite that skips everything must not look like one that passed.
pub fn server(variable: &str) -> Option<String> {
    let found = std::env::var(variable).ok();
    if found.is_none() {
        let required = std::env::var("AFLUENTE_TEST_REQUIRE_SERVERS").is_ok_and(|value| value == "1");
        assert!(!required, "{variable} is not set, and AFLUENTE_TEST_REQUIRE_SERVERS says that servers are required");
        eprintln!("skipped: {variable} is not set");
    }
    found
}

/// The tests of one suite. See [`crate::conformance`].
#[macro_export]
macro_rules! conformance {
    (bus, $fresh:expr) => {
        $crate::conformance_tests!(
            bus,
            $fresh,
            [
                a_confirmed_publish_is_in_its_queue_alone,
                an_envelope_arrives_as_it_was,
                a_big_batch_arrives_whole_and_in_order,
                publishes_that_follow_each_other_keep_their_order,
                prefetch_bounds_what_is_in_hand,
                an_acknowledged_message_does_not_come_back,
                a_dropped_delivery_comes_back_in_its_place_and_counts,
                a_dropped_subscription_puts_everything_back_in_order,
                a_retried_message_comes_back_after_the_others,
                a_parked_message_lands_in_the_parked_queue_with_its_reason,
                a_queue_has_one_active_consumer_and_the_next_takes_over,
                a_fan_out_reaches_every_subscriber,
                a_fan_out_without_subscribers_is_no_error,
                depth_counts_ready_and_unsettled,
                partitions_do_not_mix,
                merged_subscriptions_bring_all_of_each,
            ]
        );
    };
    (journal, $fresh:expr) => {
        $crate::conformance_tests!(
            journal,
            $fresh,
            [
                a_commit_is_read_back_by_every_key,
                an_empty_commit_and_an_empty_lookup_are_nothing,
                a_commit_is_all_or_nothing,
                an_event_is_carried_out_once,
                a_message_is_the_mark_of_its_event,
                a_stale_conversation_refuses_the_commit,
                a_stale_message_refuses_the_commit,
                a_stale_seat_refuses_the_commit,
                a_stale_contact_refuses_the_commit,
                a_thread_has_at_most_one_open_conversation,
                a_place_in_a_conversation_is_taken_once,
                a_race_has_one_winner,
                a_big_commit_stands,
                organizations_do_not_see_each_other,
            ]
        );
        $crate::conformance_tests!(
            journal_rest,
            $fresh,
            [
                the_outbox_keeps_the_order_of_commits,
                relayed_rows_are_gone,
                events_are_numbered_densely_for_each_organization,
                events_are_dense_under_concurrent_commits,
                timers_come_due_move_and_are_taken_back,
                a_lease_is_exclusive_renewable_and_expires,
                held_receipts_are_answered_until_released,
                a_sweep_forgets_what_is_old,
                waiting_is_oldest_first_and_some_of_each_queue,
                free_seats_come_in_the_order_of_the_circle,
                contacts_are_found_by_id_in_their_organization,
                what_was_said_is_read_by_thread_from_a_time_on,
            ]
        );
    };
    (ledger, $fresh:expr) => {
        $crate::conformance_tests!(
            ledger,
            $fresh,
            [
                an_attempt_begins_once,
                a_finished_attempt_answers_its_outcome,
                surely_not_sent_may_begin_again,
                who_asks_again_under_its_own_claim_goes_on,
                what_an_earlier_try_learnt_changes_nothing_of_the_next,
                a_doubt_yields_to_what_is_known,
                of_many_only_one_begins,
            ]
        );
    };
    (windows, $fresh:expr) => {
        $crate::conformance_tests!(windows, $fresh, [a_window_only_moves_forward, answers_come_in_the_order_asked,]);
    };
    (consents, $fresh:expr) => {
        $crate::conformance_tests!(
            consents,
            $fresh,
            [the_last_entry_counts, the_same_cause_is_kept_once, history_is_oldest_first,]
        );
    };
    (buckets, $fresh:expr) => {
        $crate::conformance_tests!(buckets, $fresh, [a_burst_then_the_rate, buckets_are_apart,]);
    };
    (cursors, $fresh:expr) => {
        $crate::conformance_tests!(cursors, $fresh, [the_last_place_is_kept]);
    };
    (leases, $fresh:expr) => {
        $crate::conformance_tests!(leases, $fresh, [a_lease_is_exclusive_until_it_expires, of_many_one_claims,]);
    };
    (blobs, $fresh:expr) => {
        $crate::conformance_tests!(
            blobs,
            $fresh,
            [bytes_come_back_with_their_type, the_last_writing_stands, a_key_cannot_leave_the_store,]
        );
    };
    (mailboxes, $fresh:expr) => {
        $crate::conformance_tests!(
            mailboxes,
            $fresh,
            [places_are_dense_and_ids_kept_once, mailboxes_are_apart, concurrent_puts_get_places_of_their_own,]
        );
    };
    (directory, $fresh:expr) => {
        $crate::conformance_tests!(
            directory,
            $fresh,
            [
                what_is_saved_is_read_back,
                a_change_replaces,
                a_hook_and_an_email_belong_to_one,
                nothing_changes_its_organization,
            ]
        );
    };
    (sign_ins, $fresh:expr) => {
        $crate::conformance_tests!(sign_ins, $fresh, [a_sign_in_lives_until_it_ends_or_expires]);
    };
    (parking, $fresh:expr) => {
        $crate::conformance_tests!(
            parking,
            $fresh,
            [
                what_is_parked_is_listed_newest_first,
                parking_twice_keeps_one,
                a_redriven_message_leaves_the_list,
                what_is_requested_is_answered_until_it_is_done,
                a_message_that_is_parked_again_is_listed_again,
                a_refused_redrive_stays_listed_with_its_reason,
                entries_are_found_by_every_filter,
                entries_are_paged,
                causes_are_counted,
                a_request_to_redrive_is_kept_as_a_decision,
            ]
        );
    };
    (decisions, $fresh:expr) => {
        $crate::conformance_tests!(
            decisions,
            $fresh,
            [
                entries_are_loaded_in_their_organization,
                a_message_in_doubt_is_loaded_with_its_entry,
                a_decision_moves_its_message_and_is_kept,
                a_decision_on_what_has_moved_on_refuses_the_commit,
                a_message_that_settles_leaves_the_list,
                what_was_ended_and_is_parked_again_is_listed_again,
            ]
        );
    };
    (reopening, $fresh:expr) => {
        $crate::conformance_tests!(
            reopening,
            $fresh,
            [
                reopening_keeps_what_arrived,
                a_commit_that_does_not_stand_reopens_nothing,
                what_was_taken_is_answered,
                what_is_known_after_all_is_answered,
            ]
        );
    };
    (shelves, $fresh:expr) => {
        $crate::conformance_tests!(
            shelves,
            $fresh,
            [
                what_is_put_is_read_in_order_page_by_page,
                what_lies_there_is_put_once,
                what_is_removed_is_gone_and_later_ones_come_behind,
                whoever_takes_over_is_told_what_lies_there,
                a_former_owner_can_no_longer_write_or_read,
                of_a_race_the_new_owner_knows_all,
                shelves_are_apart,
            ]
        );
    };
    (templates, $fresh:expr) => {
        $crate::conformance_tests!(
            templates,
            $fresh,
            [
                a_list_takes_the_place_of_the_former,
                a_failed_reading_leaves_the_list,
                a_change_counts_at_once,
                nobody_reads_or_changes_anothers,
            ]
        );
    };
    (views, $fresh:expr) => {
        $crate::conformance_tests!(
            views,
            $fresh,
            [
                conversations_by_every_filter,
                the_newest_are_those_that_ended_last,
                search_finds_parts_whatever_the_case,
                counts_are_of_open_conversations,
                messages_are_paged_backwards,
                events_are_read_from_a_cursor,
                events_of_big_and_small_commits_follow_each_other,
                events_of_two_organizations_in_one_commit_keep_their_order,
                nothing_of_another_organization_is_shown,
                the_audit_accounts_for_everything,
                the_audit_names_what_was_lost_on_its_way_out,
                the_audit_sees_what_is_wrong,
                the_audit_compares_messages_with_their_conversation,
                the_audit_compares_seats_with_their_conversations,
            ]
        );
        $crate::conformance_tests!(
            conservation,
            $fresh,
            [what_was_accepted_is_set_beside_what_was_heard, what_was_submitted_is_counted_by_what_became_of_it,]
        );
    };
}

/// One test for each name. Used by [`crate::conformance!`].
#[macro_export]
macro_rules! conformance_tests {
    ($suite:ident, $fresh:expr, [$($name:ident),* $(,)?]) => {
        mod $suite {
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $name() {
                    let Some((port, _world)) = $fresh.await else { return };
                    $crate::conformance::$suite::$name(port).await;
                }
            )*
        }
    };
}
