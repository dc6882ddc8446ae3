//! What wallets may add while signing, and not a step further: compute budgets and Lighthouse assertions.

use super::{
    LIGHTHOUSE, Scene,
    attacks::{is_foreign, is_out_of_place, key},
    wallets::assertion,
};
use solana_compute_budget_interface::ComputeBudgetInstruction;
use solana_instruction::{AccountMeta, Instruction};
use sotto::chain::inspect::TransactionRefusal;

#[test]
fn compute_budgets_are_bounded_single_and_of_the_two_known_kinds() {
    use ComputeBudgetInstruction as Budget;
    let scene = Scene::new();
    for (once, what) in [
        (Budget::set_compute_unit_limit(1), "compute-unit limit"),
        (Budget::set_compute_unit_price(1), "compute-unit price"),
    ] {
        let mut instructions = vec![once.clone()];
        instructions.extend(scene.instructions.clone());
        assert!(scene.inspect(&instructions).is_ok());
        instructions.push(once);
        assert_eq!(scene.inspect(&instructions).unwrap_err(), TransactionRefusal::TooMany { index: 4, what });
    }
    for dear in [Budget::set_compute_unit_limit(400_001), Budget::set_compute_unit_price(50_001)] {
        scene.refuses_anywhere(&dear, |refusal| *refusal == TransactionRefusal::ComputeBudget);
    }
    for other in [Budget::request_heap_frame(1024), Budget::set_loaded_accounts_data_size_limit(1024)] {
        scene.refuses_anywhere(&other, is_foreign);
    }
    let mut longer = Budget::set_compute_unit_limit(1);
    longer.data.push(0);
    scene.refuses_anywhere(&longer, is_foreign);
    let mut with_account = Budget::set_compute_unit_limit(1);
    with_account.accounts.push(AccountMeta::new_readonly(scene.mint, false));
    scene.refuses_anywhere(&with_account, is_out_of_place);
}

#[test]
fn lighthouse_may_not_name_our_keys() {
    let scene = Scene::with_payer(6);
    for ours in scene.ours.clone() {
        scene.refuses_anywhere(&assertion(ours), |r| matches!(r, TransactionRefusal::LighthouseNamesUs { .. }));
    }
}

#[test]
fn lighthouse_may_only_assert() {
    let scene = Scene::new();
    for data in [vec![], vec![0, 1, 2], vec![1, 0, 0], vec![18], vec![255]] {
        let instruction = Instruction { data, ..assertion(scene.source()) };
        scene.refuses_anywhere(&instruction, |r| matches!(r, TransactionRefusal::LighthouseWrites { .. }));
    }
}

#[test]
fn lighthouse_raises_nobodys_rights_and_there_are_three_at_most() {
    let scene = Scene::new();
    let stranger = key(40);
    let writable = Instruction { accounts: vec![AccountMeta::new(stranger, false)], ..assertion(stranger) };
    assert_eq!(scene.inspect_with(3, writable).unwrap_err(), TransactionRefusal::AccountRights(stranger));
    let mint = Instruction { accounts: vec![AccountMeta::new(scene.mint, false)], ..assertion(stranger) };
    assert_eq!(scene.inspect_with(3, mint).unwrap_err(), TransactionRefusal::AccountRights(scene.mint));
    let signing = Instruction { accounts: vec![AccountMeta::new_readonly(stranger, true)], ..assertion(stranger) };
    assert_eq!(scene.inspect_with(3, signing).unwrap_err(), TransactionRefusal::Signers);
    let mut four = scene.instructions.clone();
    four.extend(vec![assertion(stranger); 4]);
    assert_eq!(scene.inspect(&four).unwrap_err(), TransactionRefusal::TooMany { index: 6, what: "Lighthouse" });
    let look_alike = Instruction { program_id: key(42), ..assertion(stranger) };
    assert!(is_foreign(&scene.inspect_with(3, look_alike).unwrap_err()));
    assert_eq!(LIGHTHOUSE, assertion(stranger).program_id);
}
