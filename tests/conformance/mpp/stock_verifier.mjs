// How long the Ed25519 of the published verifier (tweetnacl) takes for one voucher, for docs/BENCHMARKS.md:
// npm ci && node stock_verifier.mjs
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import nacl from 'tweetnacl';

const ROUNDS = 9;
const VERIFICATIONS_A_ROUND = 200;

const { vouchers } = JSON.parse(await readFile(new URL('../../vectors/mpp.json', import.meta.url)));
const text = Buffer.from(vouchers.cases[0].signed_text);
const { publicKey, secretKey } = nacl.sign.keyPair();
const signature = nacl.sign.detached(text, secretKey);

function microseconds() {
  const start = process.hrtime.bigint();
  for (let count = 0; count < VERIFICATIONS_A_ROUND; count += 1) {
    assert(nacl.sign.detached.verify(text, signature, publicKey));
  }
  return Number(process.hrtime.bigint() - start) / 1000 / VERIFICATIONS_A_ROUND;
}

microseconds();
const rounds = Array.from({ length: ROUNDS }, microseconds).sort((a, b) => a - b);
console.log(`tweetnacl: ${rounds[ROUNDS >> 1].toFixed(0)} µs a verification (${rounds[0].toFixed(0)} to ${rounds.at(-1).toFixed(0)})`);
