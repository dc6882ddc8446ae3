use super::*;

/// Handle `n` stands for `n - 1`, handle 99 for nothing that anybody can know.
fn plaintext(handle: u128) -> Option<u128> {
    (handle != 99).then(|| handle.wrapping_sub(1))
}

fn value(operation: &Operation) -> Option<u128> {
    operation.evaluate(plaintext, |bytes| bytes.first().copied().map(u128::from)).unwrap()
}

fn binary(binary: Binary, left: u128, right: u128) -> Option<u128> {
    value(&Operation::Binary(binary, Operand::Clear(left), Operand::Handle(right.wrapping_add(1))))
}

#[test]
fn arithmetic_wraps_at_128_bits() {
    assert_eq!(binary(Binary::Add, u128::MAX, 1), Some(0));
    assert_eq!(binary(Binary::Sub, 0, 1), Some(u128::MAX));
    assert_eq!(binary(Binary::Mul, u128::MAX, 2), Some(u128::MAX - 1));
    assert_eq!(binary(Binary::Rem, 7, 4), Some(3));
    assert_eq!(binary(Binary::Rem, 7, 0), Some(0));
    assert_eq!(binary(Binary::And, 0b110, 0b011), Some(0b010));
    assert_eq!(binary(Binary::Or, 0b110, 0b011), Some(0b111));
    assert_eq!(binary(Binary::Shl, 1, 127), Some(1 << 127));
    assert_eq!(binary(Binary::Shl, 1, 129), Some(2));
    assert_eq!(binary(Binary::Shr, 8, 3), Some(1));
    assert_eq!(value(&Operation::Not(Operand::Clear(0))), Some(u128::MAX));
}

#[test]
fn comparisons_are_one_or_zero() {
    for (operation, less, equal, greater) in [
        (Binary::Ge, 0, 1, 1),
        (Binary::Gt, 0, 0, 1),
        (Binary::Le, 1, 1, 0),
        (Binary::Lt, 1, 0, 0),
        (Binary::Eq, 0, 1, 0),
    ] {
        let results = [binary(operation, 1, 2), binary(operation, 2, 2), binary(operation, 3, 2)];
        assert_eq!(results, [Some(less), Some(equal), Some(greater)], "{operation:?}");
    }
}

#[test]
fn an_unknown_operand_makes_arithmetic_unknown_and_comparisons_false() {
    let unknown = Operand::Handle(99);
    for (name, kind) in Kind::ALL {
        let Kind::Binary(operation) = kind else { continue };
        let expected = operation.is_comparison().then_some(0);
        assert_eq!(value(&Operation::Binary(*operation, unknown, Operand::Clear(0))), expected, "{name}");
        assert_eq!(value(&Operation::Binary(*operation, Operand::Clear(0), unknown)), expected, "{name}");
    }
}

#[test]
fn select_takes_the_second_branch_when_the_condition_is_false_or_unknown() {
    let select = |condition| Operation::Select { condition, yes: Operand::Handle(99), no: Operand::Clear(5) };
    assert_eq!(value(&select(Operand::Clear(0))), Some(5));
    assert_eq!(value(&select(Operand::Handle(99))), Some(5));
    assert_eq!(value(&select(Operand::Clear(1))), None);
}

#[test]
fn handle_zero_is_refused_as_an_operand() {
    let operation = Operation::Binary(Binary::Add, Operand::Handle(0), Operand::Clear(1));
    assert_eq!(operation.evaluate(plaintext, |_| None), Err(HANDLE_NOT_INITIALIZED));
}

#[test]
fn a_boolean_ciphertext_holds_nothing_but_zero_or_one() {
    assert_eq!(value(&Operation::NewBoolean(vec![1])), Some(1));
    assert_eq!(value(&Operation::NewBoolean(vec![2])), None);
    assert_eq!(value(&Operation::NewNumber(vec![2])), Some(2));
    assert_eq!(value(&Operation::NewNumber(vec![])), None);
}

#[test]
fn arguments_that_end_early_are_refused_whatever_the_operation() {
    for (name, kind) in Kind::ALL {
        assert!(Operation::read(*kind, &mut Arguments(&[])).is_err(), "{name}");
        assert!(Operation::read(*kind, &mut Arguments(&[0; 53])).is_ok(), "{name}");
    }
    let lying_length = [0xff, 0xff, 0xff, 0xff, 1, 0];
    assert!(Operation::read(Kind::NewNumber, &mut Arguments(&lying_length)).is_err());
}
