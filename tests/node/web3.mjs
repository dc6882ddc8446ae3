// @solana/web3.js against a local network whose RPC URL is the only argument. Every step asserts; the first failure
// ends the process with a stack trace and a non-zero status.
import assert from 'node:assert/strict';
import {
  Connection, Keypair, LAMPORTS_PER_SOL, PublicKey, SendTransactionError, SystemProgram, Transaction,
  TransactionMessage, VersionedTransaction,
} from '@solana/web3.js';

const [rpcUrl] = process.argv.slice(2);
// No websocket URL is given: the client derives it, one port above.
const connection = new Connection(rpcUrl, 'confirmed');
const payer = Keypair.generate();
const receiver = Keypair.generate().publicKey;

const pay = async (lamports) => {
  const latest = await connection.getLatestBlockhash();
  const tx = new Transaction({ feePayer: payer.publicKey, ...latest });
  tx.add(SystemProgram.transfer({ fromPubkey: payer.publicKey, toPubkey: receiver, lamports }));
  return { tx, latest };
};

const steps = {
  async 'the version says that this is no validator'() {
    assert.equal((await connection.getVersion())['solana-core'], '4.2.2+localnet');
  },

  async 'an airdrop is confirmed over the websocket'() {
    const latest = await connection.getLatestBlockhash();
    const signature = await connection.requestAirdrop(payer.publicKey, 2 * LAMPORTS_PER_SOL);
    const confirmed = await connection.confirmTransaction({ signature, ...latest });
    assert.equal(confirmed.value.err, null);
    assert.equal(await connection.getBalance(payer.publicKey), 2 * LAMPORTS_PER_SOL);
  },

  async 'a legacy transaction is simulated unsigned, with the accounts it would leave'() {
    const { tx } = await pay(LAMPORTS_PER_SOL);
    const { value } = await connection.simulateTransaction(tx, undefined, [receiver]);
    assert.equal(value.err, null);
    assert.equal(value.accounts[0].lamports, LAMPORTS_PER_SOL);
    assert.ok(value.logs.length > 0 && value.unitsConsumed > 0);
    assert.equal(await connection.getAccountInfo(receiver), null);
  },

  async 'a failing simulation tells its error'() {
    const { tx } = await pay(50 * LAMPORTS_PER_SOL);
    const { value } = await connection.simulateTransaction(tx, undefined, [receiver]);
    assert.deepEqual(value.err, { InstructionError: [0, { Custom: 1 }] });
    assert.deepEqual(value.accounts, [null]);
  },

  async 'a refused send throws with logs'() {
    const { tx } = await pay(50 * LAMPORTS_PER_SOL);
    await assert.rejects(connection.sendTransaction(tx, [payer]), (fault) => {
      assert.ok(fault instanceof SendTransactionError);
      assert.match(fault.message, /Simulation failed/);
      assert.ok(fault.logs.some((line) => line.includes('insufficient lamports')));
      return true;
    });
  },

  async 'a sent transaction is confirmed, and its account is pushed'() {
    const { tx, latest } = await pay(LAMPORTS_PER_SOL);
    let pushed;
    const subscription = connection.onAccountChange(receiver, (account) => { pushed = account; }, { commitment: 'confirmed' });
    const signature = await connection.sendTransaction(tx, [payer]);
    const confirmed = await connection.confirmTransaction({ signature, ...latest });
    assert.equal(confirmed.value.err, null);
    let balance = LAMPORTS_PER_SOL;
    // The client subscribes in its own time and does not say when: what landed before is not pushed.
    while (pushed === undefined) {
      const { tx, latest } = await pay(1);
      await connection.confirmTransaction({ signature: await connection.sendTransaction(tx, [payer]), ...latest });
      balance += 1;
    }
    assert.ok(pushed.lamports >= LAMPORTS_PER_SOL && pushed.lamports <= balance);
    await connection.removeAccountChangeListener(subscription);
    const account = await connection.getAccountInfo(receiver);
    assert.equal(account.lamports, balance);
    assert.ok(account.owner.equals(SystemProgram.programId));
    const { value } = await connection.getSignatureStatus(signature);
    assert.ok(['confirmed', 'finalized'].includes(value.confirmationStatus));
  },

  async 'a version 0 transaction lands and is told with its meta'() {
    const { blockhash, lastValidBlockHeight } = await connection.getLatestBlockhash();
    const instructions = [SystemProgram.transfer({ fromPubkey: payer.publicKey, toPubkey: receiver, lamports: 7 })];
    const message = new TransactionMessage({ payerKey: payer.publicKey, recentBlockhash: blockhash, instructions });
    const tx = new VersionedTransaction(message.compileToV0Message());
    tx.sign([payer]);
    const simulated = await connection.simulateTransaction(tx, { sigVerify: true });
    assert.equal(simulated.value.err, null);
    const signature = await connection.sendTransaction(tx);
    await connection.confirmTransaction({ signature, blockhash, lastValidBlockHeight });
    const told = await connection.getTransaction(signature, { maxSupportedTransactionVersion: 0 });
    assert.equal(told.version, 0);
    assert.equal(told.meta.fee, 5000);
    assert.equal(told.meta.err, null);
    const [newest] = await connection.getSignaturesForAddress(receiver);
    assert.equal(newest.signature, signature);
  },

  async 'slots, logs and chain questions are answered'() {
    const heard = await new Promise((resolve) => {
      const id = connection.onSlotChange((slot) => resolve({ id, slot }));
    });
    assert.equal(heard.slot.parent, heard.slot.slot - 1);
    await connection.removeSlotChangeListener(heard.id);
    assert.ok(await connection.getGenesisHash());
    assert.ok((await connection.getEpochInfo()).absoluteSlot > 0);
    assert.ok((await connection.getMinimumBalanceForRentExemption(0)) > 0);
    assert.ok(Array.isArray(await connection.getRecentPrioritizationFees()));
    assert.equal((await connection.getMultipleAccountsInfo([receiver, PublicKey.unique()])).length, 2);
    assert.ok(Array.isArray(await connection.getProgramAccounts(PublicKey.unique())));
    const { tx } = await pay(1);
    assert.equal((await connection.getFeeForMessage(tx.compileMessage())).value, 5000);
  },
};

for (const [name, step] of Object.entries(steps)) {
  await step();
  console.log(`ok - ${name}`);
}
process.exit(0); // the client keeps its websocket open for a while
