// What the scripts beside this file share: what the test tells them, the golden bytes, wallets, and steps that are run in
// order. The first failure ends the process with a stack trace and a non-zero status.
import fs from 'node:fs';
import {
  createKeyPairFromPrivateKeyBytes, getAddressEncoder, getAddressFromPublicKey, getProgramDerivedAddress,
} from '@solana/kit';

/** What the test tells, each script its own. */
export const world = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));
/** `tests/vectors/mpp.json`. */
export const golden = JSON.parse(fs.readFileSync(world.vectors, 'utf8'));
// A server that does not answer is a failure.
setTimeout(() => { throw new Error('this took too long'); }, 180_000).unref();

export const TOKEN_PROGRAM = 'TokenkegQfeZyiNwAJbNbGKPFXCWuBvf9Ss623VQ5DA';
const ASSOCIATED_TOKEN_PROGRAM = 'ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL';

export const hex = (bytes) => Buffer.from(bytes).toString('hex');
export const bytesOf = (digits) => new Uint8Array(Buffer.from(digits, 'hex'));
/** The 32 bytes of an address. */
export const keyBytes = (address) => getAddressEncoder().encode(address);

/** A wallet as the packages take one: a pair of keys and its address. */
export async function wallet(seed) {
  const keys = await createKeyPairFromPrivateKeyBytes(seed);
  return { keys, address: await getAddressFromPublicKey(keys.publicKey) };
}

/** The wallet of this name in the golden bytes. */
export const known = (name) => wallet(new Uint8Array(32).fill(golden.keys[name].seed_byte));

/** The canonical token account of an owner. */
export async function tokenAccount(owner, mint, program = TOKEN_PROGRAM) {
  const seeds = [owner, program, mint].map(keyBytes);
  const [address] = await getProgramDerivedAddress({ programAddress: ASSOCIATED_TOKEN_PROGRAM, seeds });
  return address;
}

export async function run(steps) {
  for (const [name, step] of Object.entries(steps)) {
    try {
      await step();
    } catch (fault) {
      console.error(`not ok - ${name}`);
      throw fault;
    }
    console.log(`ok - ${name}`);
  }
  process.exit(0); // HTTP clients keep connections open for a while
}
