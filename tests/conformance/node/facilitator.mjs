// The facilitator clients of @x402/core and mppx against a running facilitator: they read every kind of answer.
import assert from 'node:assert/strict';
import { encodePaymentResponseHeader } from '@x402/core/http';
import { HTTPFacilitatorClient } from '@x402/core/server';
import { SettleError, VerifyError } from '@x402/core/types';
import {
  extractJWSHeader, extractPublicKeyFromKid, extractReceiptFromResponse, verifyReceiptMatchesOffer, verifyReceiptSignatureJWS,
} from '@x402/extensions/offer-receipt';
import { appendPaymentIdentifierToExtensions, declarePaymentIdentifierExtension } from '@x402/extensions/payment-identifier';
import { payload } from './payer.mjs';
import { captured, offer, payment, PRICE, rpc, run, seeing, until, world } from './world.mjs';

const { dev, signed, bare } = world;
// The package exports its facilitator client only inside its charges, which are paid on other chains.
const mppx = await import(new URL('x402/server/Facilitator.js', import.meta.resolve('mppx')));
const facilitator = new HTTPFacilitatorClient({ url: dev.facilitator });
const own = globalThis.fetch;
const kinds = async (version) => (await facilitator.getSupported()).kinds.filter((kind) => kind.x402Version === version);
const nobody = '00000000-0000-4000-8000-000000000000';

/** A version 1 payment: scheme and network beside the payload, and the amount under its old name. */
async function old(session, network) {
  const required = { ...offer({ network }), maxAmountRequired: PRICE, resource: 'https://shop.example/weather', description: '' };
  delete required.amount;
  return [{ x402Version: 1, scheme: 'session', network, payload: await payload(session, required) }, required];
}

/** The payment with an id of the standard's extension, which a merchant declared. */
async function identified(required, id, session = bare) {
  const extensions = { 'payment-identifier': declarePaymentIdentifierExtension(true) };
  appendPaymentIdentifierToExtensions(extensions, id);
  return payment(session, required, { payload: { sessionId: session.sessionId, amount: required.amount }, extensions });
}

const reading = {
  async 'what is supported: version 2 first, its spellings and the name without a colon in version 1, extensions and signers'() {
    const supported = await facilitator.getSupported();
    assert.equal(supported.kinds[0].x402Version, 2);
    assert.ok(supported.kinds.every((kind) => kind.scheme === 'session' && kind.extra.facilitatorAddress === dev.spender));
    const spelled = (version) => supported.kinds.filter((kind) => kind.x402Version === version).map((kind) => kind.network);
    assert.deepEqual(spelled(1), [...spelled(2), 'solana-devnet']);
    assert.deepEqual(new Set(spelled(1)), new Set(signed.networks));
    assert.ok(spelled(2).every((network) => network.startsWith('solana:')));
    assert.ok(supported.extensions.includes('payment-identifier'));
    assert.ok(supported.signers['solana:*'].includes(dev.spender));
  },

  async 'a payment is verified and settled'() {
    for (const session of [signed, bare]) {
      const paid = await payment(session, offer());
      const verified = await facilitator.verify(paid, offer());
      assert.deepEqual([verified.isValid, verified.payer], [true, dev.payer]);
      const settled = await facilitator.settle(paid, offer());
      assert.deepEqual([settled.success, settled.network, settled.amount], [true, 'solana:localnet', PRICE]);
      assert.match(settled.transaction, /^[1-9A-HJ-NP-Za-km-z]{64,88}$/);
      assert.equal(settled.extensions.session.settlement, 'captured');
      assert.equal((await rpc('getSignatureStatuses', [settled.transaction])).value[0].err, null);
    }
  },

  async 'a refusal is an answer with its word, and nothing moves'() {
    const before = await captured();
    const refused = [
      ['session_not_found', { ...bare, sessionId: nobody }, offer()],
      ['recipient_mismatch', bare, offer({ payTo: dev.spender })],
      ['asset_mismatch', bare, offer({ asset: dev.spender })],
      ['per_call_limit_exceeded', bare, offer({ amount: '1000001' })],
      ['network_mismatch', bare, offer({ network: 'solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp' })],
      ['session_signature_required', { sessionId: signed.sessionId }, offer()],
    ];
    for (const [word, session, required] of refused) {
      const paid = await payment(session, required);
      const verified = await facilitator.verify(paid, required);
      assert.deepEqual([verified.isValid, verified.invalidReason], [false, word]);
      const settled = await facilitator.settle(paid, required);
      assert.deepEqual([settled.success, settled.errorReason, settled.transaction], [false, word, '']);
      assert.equal(settled.network, required.network);
    }
    assert.equal(await captured(), before);
  },

  async 'what is malformed is a typed error with status 400'() {
    const paid = await payment(bare, offer());
    const wrong = [
      [{ ...paid, payload: undefined }, offer()],
      [{ ...paid, payload: { ...paid.payload, nonce: 7 } }, offer()],
      [paid, { ...offer(), payTo: undefined }],
      [{ ...paid, accepted: offer({ maxTimeoutSeconds: 0 }) }, offer({ maxTimeoutSeconds: 0 })],
      [paid, offer({ extra: { settlement: 'later' } })],
      [{ ...paid, x402Version: 3 }, offer()],
    ];
    for (const [what, required] of wrong) {
      await assert.rejects(facilitator.verify(what, required), (fault) => {
        assert.ok(fault instanceof VerifyError, fault);
        assert.deepEqual([fault.statusCode, fault.invalidReason], [400, 'bad_request']);
        return true;
      });
      await assert.rejects(facilitator.settle(what, required), (fault) => {
        assert.ok(fault instanceof SettleError, fault);
        assert.deepEqual([fault.statusCode, fault.errorReason, fault.transaction], [400, 'bad_request', '']);
        assert.equal(fault.network, 'solana:localnet');
        return true;
      });
    }
  },

  async 'one nonce for two payments is a typed error with status 409'() {
    const paid = await payment(bare, offer());
    assert.equal((await facilitator.settle(paid, offer())).success, true);
    const other = offer({ amount: '20000' });
    const again = { ...paid, accepted: other, payload: { ...paid.payload, amount: '20000' } };
    await assert.rejects(facilitator.settle(again, other), (fault) => {
      assert.deepEqual([fault.statusCode, fault.errorReason], [409, 'nonce_conflict']);
      return fault instanceof SettleError;
    });
  },

  async 'who verifies too often is told so by a typed error with status 429'() {
    const paid = await payment(bare, offer());
    const fault = await until('a verification too many', async () => {
      const told = await Promise.allSettled(Array.from({ length: 16 }, () => facilitator.verify(paid, offer())));
      return told.find((one) => one.status === 'rejected')?.reason;
    });
    assert.ok(fault instanceof VerifyError, fault);
    assert.deepEqual([fault.statusCode, fault.invalidReason], [429, 'too_many_requests']);
    assert.equal((await facilitator.settle(paid, offer())).success, true, 'the payment is none the worse for it');
  },

  async 'what is supported is asked for again when it was asked for too often'() {
    const statuses = await until('a 429 for the package itself', async () => {
      let go = true;
      const crowd = Array.from({ length: 16 }, async () => {
        while (go) await (await own(`${dev.facilitator}/supported`)).text();
      });
      const seen = await seeing(async (answers) => {
        const supported = facilitator.getSupported();
        await until('an answer', () => answers.length > 0);
        go = false;
        assert.ok((await supported).kinds.length > 0);
      });
      await Promise.all(crowd);
      const told = seen.map(([, status]) => status);
      return told.includes(429) && told;
    });
    assert.equal(statuses.at(-1), 200);
  },
};

const identifiers = {
  async 'an id of payment-identifier is one payment, and its success is told once'() {
    const [before, paid] = [await captured(), await identified(offer(), 'identifier-of-one-payment')];
    assert.equal((await facilitator.settle(paid, offer())).success, true);
    const again = await facilitator.settle(paid, offer());
    assert.deepEqual([again.success, again.errorReason], [false, 'duplicate_settlement']);
    assert.equal(await captured(), before + BigInt(PRICE));
  },

  async 'with extra.idempotent of the requirements it gives the recorded answer, byte for byte'() {
    const required = offer({ extra: { idempotent: true } });
    const [before, paid] = [await captured(), await identified(required, 'identifier-of-a-second-payment')];
    const seen = await seeing(async () => {
      for (let call = 0; call < 3; call += 1) assert.equal((await facilitator.settle(paid, required)).success, true);
    });
    assert.equal(new Set(seen.map(([, , body]) => body)).size, 1);
    assert.equal(await captured(), before + BigInt(PRICE));
  },

  async 'a payer cannot ask for it: neither by the extension nor by their copy of the offer'() {
    const paid = await identified(offer(), 'identifier-of-a-third-payment');
    paid.extensions['payment-identifier'].info.idempotent = true;
    paid.payload.idempotent = true;
    assert.equal((await facilitator.settle(paid, offer())).success, true);
    assert.equal((await facilitator.settle(paid, offer())).errorReason, 'duplicate_settlement');
    const accepted = offer({ extra: { idempotent: true } });
    const copied = { ...(await identified(offer(), 'identifier-of-a-fourth-payment')), accepted };
    assert.equal((await facilitator.settle(copied, offer())).success, true);
    assert.equal((await facilitator.settle(copied, offer())).errorReason, 'duplicate_settlement');
  },

  async 'the same id with other content is a conflict, and in another session another payment'() {
    const [id, other] = ['identifier-of-two-sessions', offer({ amount: '20000' })];
    assert.equal((await facilitator.settle(await identified(offer(), id), offer())).success, true);
    await assert.rejects(facilitator.settle(await identified(other, id), other), { statusCode: 409, errorReason: 'nonce_conflict' });
    const elsewhere = { ...(await payment(signed, offer())), extensions: { 'payment-identifier': { info: { required: true, id } } } };
    elsewhere.payload = await payload(signed, offer(), { nonce: id });
    assert.equal((await facilitator.settle(elsewhere, offer())).success, true);
  },

  async 'an id that is demanded and missing, or none, is malformed'() {
    for (const id of [undefined, 'too-short', 'sixteen letters!']) {
      const paid = await identified(offer(), 'an-identifier-to-replace');
      paid.extensions['payment-identifier'].info.id = id;
      await assert.rejects(facilitator.settle(paid, offer()), { statusCode: 400, errorReason: 'bad_request' });
    }
  },
};

const receipts = {
  async 'the receipt of a landed payment is verified by the published package, by the key it names and by the one of /supported'() {
    const url = 'https://shop.example/weather';
    const paid = await payment(signed, offer(), { payload: await payload(signed, offer(), { url }), resource: { url } });
    const settled = await facilitator.settle(paid, offer());
    assert.equal(settled.success, true);
    // As a merchant passes it on to the payer.
    const headers = { 'PAYMENT-RESPONSE': encodePaymentResponseHeader(settled) };
    const receipt = extractReceiptFromResponse(new Response('', { headers }));
    const told = (await kinds(2))[0].extra.receiptKeys.map(({ kid }) => kid);
    assert.deepEqual([told, extractJWSHeader(receipt.signature).kid], [[dev.receiptKey], dev.receiptKey]);
    const statement = await verifyReceiptSignatureJWS(receipt);
    assert.deepEqual(await verifyReceiptSignatureJWS(receipt, await extractPublicKeyFromKid(dev.receiptKey)), statement);
    const { issuedAt, ...stated } = statement;
    const { transaction, network } = settled;
    assert.deepEqual(stated, { version: 1, network, resourceUrl: url, payer: dev.payer, transaction });
    assert.ok(verifyReceiptMatchesOffer(receipt, { resourceUrl: url, network }, [dev.payer]), `issued at ${issuedAt}`);
    const [head, , signature] = receipt.signature.split('.');
    const forged = Buffer.from(JSON.stringify({ ...statement, resourceUrl: `${url}/gold` })).toString('base64url');
    await assert.rejects(verifyReceiptSignatureJWS({ ...receipt, signature: [head, forged, signature].join('.') }));
  },

  async 'what the session key did not bind to a URL has none'() {
    const settled = await facilitator.settle(await payment(signed, offer(), { resource: { url: 'https://shop.example/weather' } }), offer());
    assert.deepEqual([settled.success, settled.extensions['offer-receipt']], [true, undefined]);
  },
};

const versions = {
  async 'bodies of version 1 are verified, settled and refused alike'() {
    for (const session of [signed, bare]) {
      const [paid, required] = await old(session, 'solana:localnet');
      assert.equal((await facilitator.verify(paid, required)).isValid, true);
      assert.equal((await facilitator.settle(paid, required)).success, true);
    }
    const [paid, required] = await old({ ...bare, sessionId: nobody }, 'solana:localnet');
    assert.equal((await facilitator.verify(paid, required)).invalidReason, 'session_not_found');
    assert.equal((await facilitator.settle(paid, required)).errorReason, 'session_not_found');
  },

  async 'version 1 outside with an accepted offer inside is read by its shape, as the first clients send it'() {
    const paid = { ...(await payment(bare, offer())), x402Version: 1, resource: {} };
    assert.equal((await facilitator.settle(paid, offer())).success, true);
  },

  async 'every spelling of the network pays, and is echoed as it was written'() {
    for (const { network } of await kinds(2)) {
      const settled = await facilitator.settle(await payment(signed, offer({ network })), offer({ network }));
      assert.deepEqual([settled.success, settled.network], [true, network]);
    }
    for (const { network } of await kinds(1)) {
      const [paid, required] = await old(signed, network);
      const settled = await facilitator.settle(paid, required);
      assert.deepEqual([settled.success, settled.network], [true, network]);
    }
  },

  async 'payer and merchant may spell it differently'() {
    const spellings = (await kinds(2)).map(({ network }) => network);
    for (const [at, network] of spellings.entries()) {
      const accepted = offer({ network: spellings[(at + 1) % spellings.length] });
      const settled = await facilitator.settle(await payment(bare, accepted), offer({ network }));
      assert.deepEqual([settled.success, settled.network], [true, network]);
    }
  },
};

// mppx reads no status, only bodies, and takes an answer's extensions to be of one form.
const others = {
  async 'mppx reads a verified and a settled payment'() {
    const client = mppx.http(dev.facilitator);
    const paid = await payment(bare, offer());
    assert.equal((await client.verify(paid, offer())).isValid, true);
    const settled = await client.settle(paid, offer());
    assert.deepEqual([settled.success, settled.payer, settled.amount], [true, dev.payer, PRICE]);
    assert.equal(settled.extensions.session.info.settlement, 'captured');
  },

  async 'mppx reads refusals, conflicts and what is malformed at any status'() {
    const client = mppx.http(dev.facilitator);
    const paid = await payment(bare, offer());
    assert.equal((await client.settle(paid, offer())).success, true);
    assert.equal((await client.settle(paid, offer())).errorReason, 'duplicate_settlement');
    const other = offer({ amount: '20000' });
    const conflict = { ...paid, accepted: other, payload: { ...paid.payload, amount: '20000' } };
    assert.equal((await client.settle(conflict, other)).errorReason, 'nonce_conflict');
    assert.equal((await client.verify({ ...paid, payload: 7 }, offer())).invalidReason, 'bad_request');
    assert.equal((await client.settle({ ...paid, payload: 7 }, offer())).errorReason, 'bad_request');
    const told = await until('a verification too many', async () => {
      const all = await Promise.all(Array.from({ length: 16 }, () => client.verify(paid, offer())));
      return all.find((one) => one.invalidReason === 'too_many_requests');
    });
    assert.equal(told.isValid, false);
  },
};

await run({ ...reading, ...identifiers, ...receipts, ...versions, ...others });
