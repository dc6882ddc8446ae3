// The calls of the published client package `@dexterai/mpp` (charge and sessions), which no public registry has: written from
// its documentation, over the library that it is built with. The golden bytes say what it sends.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import {
  AccountRole, address, appendTransactionMessageInstructions, compileTransaction, createTransactionMessage, getBase58Decoder,
  getBase58Encoder, getBase64EncodedWireTransaction, getBase64Encoder, getTransactionDecoder, partiallySignTransaction, pipe,
  setTransactionMessageFeePayer, setTransactionMessageLifetimeUsingBlockhash, signBytes, verifySignature,
} from '@solana/kit';
import { tokenAccount } from './world.mjs';

const COMPUTE_BUDGET = address('ComputeBudget111111111111111111111111111111');
const MEMO = address('MemoSq4gqABAXKb96qnH8TysNcWxMyWCqXgDLGmfcHr');
/** It knows no other networks by a chain of their own. */
const DEVNET = 'solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1';
const MAINNET = 'solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp';
const ROUNDS = 3;
const VOUCHER_PREFIX = 'solana-mpp-session-voucher-v1:';

const utf8 = (text) => new TextEncoder().encode(text);

/** A request as the package makes it, and the body of the answer whatever its status says. */
async function send(url, body, headers = {}) {
  const content = { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) };
  const answer = await fetch(url, content);
  return { status: answer.status, body: await answer.json() };
}

function instruction(programAddress, bytes, accounts = []) {
  return { programAddress, accounts, data: bytes };
}

function transfer({ source, mint, destination, authority, amount, decimals, program }) {
  const data = Buffer.alloc(10, 12);
  data.writeBigUInt64LE(BigInt(amount), 1);
  data[9] = decimals;
  return instruction(program, data, [
    { address: source, role: AccountRole.WRITABLE }, { address: mint, role: AccountRole.READONLY },
    { address: destination, role: AccountRole.WRITABLE }, { address: authority, role: AccountRole.READONLY_SIGNER },
  ]);
}

/** The transaction that pays a challenge's request, signed by the buyer alone. */
export async function charge(wallet, request) {
  const { methodDetails: told } = request;
  const [mint, program] = [told.splToken, told.tokenProgram];
  const [source, destination] = await Promise.all(
    [wallet.address, request.recipient].map((owner) => tokenAccount(owner, mint, program)),
  );
  const price = Buffer.from([3, 1, 0, 0, 0, 0, 0, 0, 0]);
  const limit = Buffer.from([2, 0x50, 0xc3, 0, 0]);
  const { amount } = request;
  const instructions = [
    instruction(COMPUTE_BUDGET, price), instruction(COMPUTE_BUDGET, limit),
    transfer({ source, mint, destination, authority: wallet.address, amount, decimals: told.decimals, program }),
    ...(told.reference ? [instruction(MEMO, utf8(`mppx:${told.reference}`))] : []),
  ];
  const lifetime = { blockhash: told.recentBlockhash, lastValidBlockHeight: BigInt(told.lastValidBlockHeight) };
  const message = pipe(
    createTransactionMessage({ version: 0 }),
    (empty) => setTransactionMessageFeePayer(told.feePayerKey, empty),
    (paid) => setTransactionMessageLifetimeUsingBlockhash(lifetime, paid),
    (alive) => appendTransactionMessageInstructions(instructions, alive),
  );
  return partiallySignTransaction([wallet.keys], compileTransaction(message));
}

export const wire = getBase64EncodedWireTransaction;

/** The client of charges: what a seller's side of the package asks, and what a buyer's answers. */
export const charges = (apiUrl) => ({
  async prepare(network) {
    const { status, body } = await send(`${apiUrl}/mpp/prepare`, { network });
    assert.equal(status, 200, JSON.stringify(body));
    // Its schema asks for these.
    for (const member of ['feePayer', 'recentBlockhash', 'network', 'splToken', 'tokenProgram']) {
      assert.equal(typeof body[member], 'string', member);
    }
    assert.ok(Number.isInteger(body.decimals));
    return body;
  },
  settle: async (body) => (await send(`${apiUrl}/mpp/settle`, body)).body,
});

/** What a challenge asks for, of what was prepared. */
export function request(prepared, { amount, recipient, reference }) {
  const { network, splToken, decimals, tokenProgram, recentBlockhash, lastValidBlockHeight } = prepared;
  const methodDetails = {
    reference, network, splToken, decimals, tokenProgram, feePayer: true, feePayerKey: prepared.feePayer, recentBlockhash,
    lastValidBlockHeight,
  };
  return { amount, currency: 'USDC', recipient, methodDetails };
}

export function signInText({ domain, address, uri, chainId, nonce, issuedAt, expirationTime }) {
  return [
    `${domain} wants you to sign in with your Solana account:`, address, '', `URI: ${uri}`, 'Version: 1',
    `Chain ID: ${chainId.slice('solana:'.length)}`, `Nonce: ${nonce}`, `Issued At: ${issuedAt}`,
    `Expiration Time: ${expirationTime}`,
  ].join('\n');
}

/** The header `SIGN-IN-WITH-X`; `more` replaces members, for what is golden. */
export async function signIn(wallet, apiUrl, network, more = {}) {
  const [now, domain] = [Date.now(), new URL(apiUrl).hostname];
  const payload = {
    domain, address: wallet.address, uri: `https://${domain}/api/sessions/onboard`, version: '1',
    chainId: network === 'devnet' ? DEVNET : MAINNET, type: 'ed25519', nonce: randomBytes(16).toString('hex'),
    issuedAt: new Date(now).toISOString(), expirationTime: new Date(now + 300_000).toISOString(), signatureScheme: 'siws',
    ...more,
  };
  const signature = getBase58Decoder().decode(await signBytes(wallet.keys.privateKey, utf8(signInText(payload))));
  return Buffer.from(JSON.stringify({ ...payload, signature })).toString('base64');
}

/** The text that a voucher's signature is over: members in the order of their names, none left out. */
function voucherText(voucher) {
  return VOUCHER_PREFIX + JSON.stringify(Object.fromEntries(Object.entries(voucher).sort(([a], [b]) => (a < b ? -1 : 1))));
}

/** Whether this key signed the voucher of an answer. */
export async function isSigned({ voucher, signature, signer }) {
  const { subtle } = globalThis.crypto;
  const key = await subtle.importKey('raw', getBase58Encoder().encode(signer), 'Ed25519', true, ['verify']);
  return verifySignature(key, Buffer.from(signature, 'base64'), utf8(voucherText(voucher)));
}

/** The client of sessions. */
export class SessionClient {
  constructor({ wallet, apiUrl, network }) {
    Object.assign(this, { wallet, apiUrl, network, rounds: [] });
  }

  /** Up to three rounds, all of them by one sign-in, each of which signs whatever it is given. */
  async onboard({ spendLimit, ttlSeconds }) {
    const headers = { 'SIGN-IN-WITH-X': await signIn(this.wallet, this.apiUrl, this.network) };
    const ask = async (path, body) => {
      const answer = await send(`${this.apiUrl}${path}`, { buyer_wallet: this.wallet.address, ...body }, headers);
      assert.equal(answer.status, 200, JSON.stringify(answer.body));
      return answer.body;
    };
    for (let round = 0; round < ROUNDS; round += 1) {
      const next = await ask('/api/sessions/onboard', { spend_limit_atomic: spendLimit, ttl_seconds: ttlSeconds });
      if (next.status === 'ready') return { swigAddress: next.swig_address, roleId: next.role_id, status: 'ready' };
      assert.equal(next.status, 'transactions_required', JSON.stringify(next));
      const signed = [];
      for (const { type, tx } of next.transactions) {
        this.rounds.push(type);
        const transaction = getTransactionDecoder().decode(getBase64Encoder().encode(tx));
        signed.push(wire(await partiallySignTransaction([this.wallet.keys], transaction)));
      }
      const done = await ask('/api/sessions/onboard/confirm', { signed_transactions: signed });
      if (done.status === 'ready') return { swigAddress: done.swig_address, roleId: done.role_id ?? 0, status: 'ready' };
      assert.equal(done.status, 'pending', JSON.stringify(done));
    }
    throw new Error('onboard_incomplete');
  }

  /** A call whose status the package does not look at. */
  async call(path, body) {
    const { body: answer } = await send(`${this.apiUrl}${path}`, body);
    if (!answer.success) throw new Error(answer.error);
    return answer;
  }

  open({ swigAddress, seller, deposit }) {
    return this.call('/mpp/session/open', {
      buyer_wallet: this.wallet.address, buyer_swig_address: swigAddress, seller_wallet: seller, deposit_atomic: deposit,
      network: this.network,
    });
  }

  pay(channel, amount, serverNonce) {
    return this.call('/mpp/session/voucher', { channel_id: channel.channel_id, amount, serverNonce });
  }

  close(channel) {
    return this.call('/mpp/session/close', { channel_id: channel.channel_id });
  }
}
