// The calls of the published client package, against the golden bytes and then against a facilitator that serves the embedded
// network: a charge, and a session with five vouchers.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { SessionClient, charge, charges, isSigned, request, signIn, wire } from './buyer.mjs';
import { bytesOf, golden, hex, known, run, wallet, world } from './world.mjs';

const PRICE = 10_000;
const DEPOSIT = '100000';
const { facilitator, network, seller } = world;
const buyer = await wallet(bytesOf(world.buyer));
const client = charges(facilitator);
const sessions = new SessionClient({ wallet: buyer, apiUrl: facilitator, network });

const bytes = {
  async 'a charge is the published client\'s byte for byte'() {
    const transaction = await charge(await known('buyer'), golden.challenges[0].challenge.request);
    assert.equal(hex(transaction.messageBytes), golden.charge.message_hex);
    assert.equal(wire(transaction), golden.charge.wire_base64);
  },

  async 'a sign-in is the published client\'s byte for byte'() {
    const { payload, header_sign_in_with_x: header } = golden.siwx[0];
    const { nonce, issuedAt, expirationTime } = payload;
    const more = { nonce, issuedAt, expirationTime };
    assert.equal(await signIn(await known('buyer'), 'http://localhost:4072', 'devnet', more), header);
  },

  async 'golden vouchers are signed by whom they name, and changed ones by nobody'() {
    const whole = golden.vouchers.cases.map(({ header_x_mpp_voucher: header }) => JSON.parse(header));
    for (const answer of whole) {
      assert.equal(await isSigned(answer), true);
      const voucher = { ...answer.voucher, cumulativeAmount: `${answer.voucher.cumulativeAmount}0` };
      assert.equal(await isSigned({ ...answer, voucher }), false);
    }
  },
};

let paid;

const charging = {
  async 'a charge is prepared, built, signed and settled, with a proof of what was asked for'() {
    const prepared = await client.prepare(network);
    assert.equal(prepared.network, network);
    const asked = request(prepared, { amount: String(PRICE), recipient: seller, reference: randomUUID() });
    const { amount, recipient, methodDetails } = asked;
    const transaction = wire(await charge(buyer, asked));
    paid = { transaction, recipient, amount, asset: methodDetails.splToken, network };
    const settled = await client.settle(paid);
    assert.equal(settled.success, true, JSON.stringify(settled));
    assert.ok(settled.signature);
    assert.equal(settled.payer, buyer.address);
    assert.deepEqual(
      settled.settlement, { recipient, amount, asset: paid.asset, feePayer: prepared.feePayer },
    );
  },

  async 'a charge is paid once'() {
    const again = await client.settle(paid);
    assert.deepEqual([again.success, again.errorCode], [false, 'duplicate_settlement']);
  },

  async 'a refusal is told by its word'() {
    const other = await client.settle({ ...paid, amount: '10001' });
    assert.equal(other.success, false);
    assert.ok(other.errorCode && other.detail);
  },
};

let swigAddress;
let channel;

const session = {
  async 'onboarding takes the rounds of its back end and tells what a session stands on'() {
    const ready = await sessions.onboard({ spendLimit: '1000000', ttlSeconds: 86_400 });
    assert.deepEqual(sessions.rounds, world.rounds);
    assert.deepEqual([ready.status, ready.roleId], ['ready', 1]);
    ({ swigAddress } = ready);
    assert.deepEqual(await sessions.onboard({ spendLimit: '1000000', ttlSeconds: 86_400 }), ready);
    assert.equal(sessions.rounds.length, world.rounds.length, 'nothing more to sign');
  },

  async 'a session opens by the address that the package was told, or by none'() {
    channel = await sessions.open({ swigAddress, seller, deposit: DEPOSIT });
    assert.deepEqual([channel.deposit_atomic, channel.network, channel.state], [DEPOSIT, network, 'open']);
    // As the example that is shipped with the package does it.
    const other = await sessions.open({ swigAddress: 'pending', seller, deposit: DEPOSIT });
    const closed = await sessions.close(other);
    assert.deepEqual([closed.close_tx_signature, closed.settlement.buyer_refund], [null, DEPOSIT]);
  },

  async 'five vouchers are drawn, each signed by the session\'s key'() {
    for (let count = 1; count <= 5; count += 1) {
      const amount = String(count * PRICE);
      const answer = await sessions.pay(channel, amount, `nonce-${count}`);
      const { voucher } = answer;
      assert.deepEqual([voucher.cumulativeAmount, voucher.sequence, voucher.serverNonce], [amount, count, `nonce-${count}`]);
      assert.deepEqual([voucher.payer, voucher.recipient], [buyer.address, seller]);
      assert.deepEqual([answer.signer, answer.signatureType], [channel.session_pubkey, 'ed25519']);
      assert.equal(await isSigned(answer), true);
    }
  },

  async 'the close pays the last voucher and gives the rest back, however often it is asked for'() {
    const closed = await sessions.close(channel);
    const { settlement } = closed;
    assert.deepEqual(
      [settlement.seller, settlement.amount_settled, settlement.buyer_refund, settlement.voucher_count],
      [seller, String(5 * PRICE), '50000', 5],
    );
    assert.ok(closed.close_tx_signature);
    assert.deepEqual(await sessions.close(channel), closed);
    await assert.rejects(sessions.pay(channel, '60000', 'late'), /session_not_open/);
  },
};

await run({ ...bytes, ...charging, ...session });
