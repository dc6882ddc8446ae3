// @inco/solana-sdk against the stand-ins of a local network whose RPC URL is the only argument. The published client
// has devnet's keys and endpoint built in; its exported constants are the only thing that is changed.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { createRequire } from 'node:module';
import {
  Connection, Keypair, LAMPORTS_PER_SOL, PublicKey, SystemProgram, Transaction, TransactionInstruction,
} from '@solana/web3.js';

// Its ES modules do not load in Node (no "type"), so this takes the CommonJS build.
const require = createRequire(import.meta.url);
const { ENCRYPTION_CONSTANTS } = require('@inco/solana-sdk/constants');
const { encryptValue } = require('@inco/solana-sdk/encryption');
const { decrypt, AttestedDecryptError } = require('@inco/solana-sdk/attested-decrypt');

const AMOUNT = 12_345_678n;
const [rpcUrl] = process.argv.slice(2);
const connection = new Connection(rpcUrl, 'confirmed');
const wallet = Keypair.generate();

const admin = async (method, ...params) => {
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: `localnet_${method}`, params });
  const response = await fetch(rpcUrl, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  const { result, error } = await response.json();
  assert.equal(error, undefined, JSON.stringify(error));
  return result;
};

const discriminator = (name) => crypto.createHash('sha256').update(`global:${name}`).digest().subarray(0, 8);

const transaction = async (...instructions) => {
  const latest = await connection.getLatestBlockhash();
  return { tx: new Transaction({ feePayer: wallet.publicKey, ...latest }).add(...instructions), latest };
};

const land = async (...instructions) => {
  const { tx, latest } = await transaction(...instructions);
  const signature = await connection.sendTransaction(tx, [wallet]);
  const { value } = await connection.confirmTransaction({ signature, ...latest });
  assert.equal(value.err, null);
};

const pkcs8 = Buffer.concat([
  Buffer.from('302e020100300506032b657004220420', 'hex'), Buffer.from(wallet.secretKey.subarray(0, 32)),
]);
const privateKey = crypto.createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });
const signMessage = async (message) => new Uint8Array(crypto.sign(null, message, privateKey));
const ask = (handle) => decrypt([handle], { address: wallet.publicKey.toBase58(), signMessage });

const network = await admin('describe');
assert.equal(network.standIns, true);
Object.assign(ENCRYPTION_CONSTANTS, {
  DEFAULT_SERVER_PUBLIC_KEY: network.encryptionKey,
  ATTESTED_DECRYPT_ENDPOINT: network.covalidatorUrl,
  COVALIDATOR_PUBLIC_KEY: network.attestationKey,
});
const lightning = new PublicKey(network.lightningProgram);
const signer = { pubkey: wallet.publicKey, isSigner: true, isWritable: true };

const latest = await connection.getLatestBlockhash();
const airdrop = await connection.requestAirdrop(wallet.publicKey, LAMPORTS_PER_SOL);
await connection.confirmTransaction({ signature: airdrop, ...latest });

const ciphertext = Buffer.from(await encryptValue(AMOUNT), 'hex');
const length = Buffer.alloc(4);
length.writeUInt32LE(ciphertext.length);
const encrypted = new TransactionInstruction({
  programId: lightning,
  keys: [signer],
  data: Buffer.concat([discriminator('new_euint128'), length, ciphertext, Buffer.from([0])]),
});
const { value: simulated } = await connection.simulateTransaction((await transaction(encrypted)).tx);
assert.equal(simulated.err, null);
const handleBytes = Buffer.from(simulated.returnData.data[0], 'base64');
const handle = BigInt(`0x${Buffer.from(handleBytes).reverse().toString('hex')}`).toString();
console.log('ok - the simulation tells the handle');

const [allowance] = PublicKey.findProgramAddressSync([handleBytes, wallet.publicKey.toBytes()], lightning);
const allow = new TransactionInstruction({
  programId: lightning,
  keys: [
    { pubkey: allowance, isSigner: false, isWritable: true },
    signer,
    { pubkey: wallet.publicKey, isSigner: false, isWritable: false },
    { pubkey: SystemProgram.programId, isSigner: false, isWritable: false },
  ],
  data: Buffer.concat([discriminator('allow'), handleBytes, Buffer.from([1]), wallet.publicKey.toBuffer()]),
});
await land(allow);
await assert.rejects(ask(handle), (fault) => {
  assert.ok(fault instanceof AttestedDecryptError);
  assert.match(fault.message, /ciphertext not found/);
  return true;
});
console.log('ok - what was only simulated cannot be decrypted');

await land(encrypted);
const answer = await ask(handle);
assert.deepEqual(answer.plaintexts, [AMOUNT.toString()]);
console.log('ok - what the published client encrypts, the Covalidator stand-in decrypts');

await land(...answer.ed25519Instructions);
console.log('ok - the chain accepts the attestation under the network\'s key');

await admin('setCovalidatorFaults', { lie: 'plaintext' });
const lie = await ask(handle);
assert.notDeepEqual(lie.plaintexts, answer.plaintexts);
await assert.rejects(land(...lie.ed25519Instructions), /custom program error: 0x2/);
await admin('setCovalidatorFaults');
console.log('ok - the chain refuses the attestation of a lie');

const stranger = decrypt([handle], { address: Keypair.generate().publicKey.toBase58(), signMessage });
await assert.rejects(stranger, /invalid signature/);
console.log('ok - another\'s signature is refused');

await admin('fund', wallet.publicKey.toBase58(), 5_000_000);
const token = new PublicKey(network.tokenProgram);
const owned = await connection.getProgramAccounts(token, {
  commitment: 'processed',
  filters: [{ dataSize: 221 }, { memcmp: { offset: 8 + 32, bytes: wallet.publicKey.toBase58() } }],
});
assert.equal(owned.length, 1);
const balance = owned[0].account.data.subarray(72, 88);
const balanceHandle = BigInt(`0x${Buffer.from(balance).reverse().toString('hex')}`).toString();
assert.deepEqual((await ask(balanceHandle)).plaintexts, ['5000000']);
console.log('ok - the faucet\'s tokens are found by a scan and read by their owner');
process.exit(0); // the client keeps its websocket open for a while
