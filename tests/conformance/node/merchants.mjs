// Merchants behind @x402/express, and sotto's own, paid by @x402/fetch; the facilitator is the one of `sotto dev`.
import assert from 'node:assert/strict';
import http from 'node:http';
import express from 'express';
import { paymentMiddleware } from '@x402/express';
import { HTTPFacilitatorClient, x402ResourceServer } from '@x402/core/server';
import { decodePaymentRequiredHeader, decodePaymentSignatureHeader } from '@x402/core/http';
import { declarePaymentIdentifierExtension } from '@x402/extensions/payment-identifier';
import { decodePaymentResponseHeader, wrapFetchWithPayment, x402Client } from '@x402/fetch';
import { SessionClient, SessionServer } from './scheme.mjs';
import { captured, PRICE, rpc, run, seeing, until, world } from './world.mjs';

const { dev, signed, bare } = world;
const listen = (handler) => new Promise((done) => {
  const server = http.createServer(handler).listen(0, '127.0.0.1', () => done(`http://127.0.0.1:${server.address().port}`));
});

/** A merchant's origin; `GET /weather` costs what `accepts` says, and `served` counts what was given away. */
async function merchant(accepts = {}, more = {}, flow = undefined) {
  const facilitator = new HTTPFacilitatorClient({ url: dev.facilitator });
  const offered = { scheme: 'session', network: 'solana:localnet', payTo: dev.recipient, price: '0.01', ...accepts };
  const server = new x402ResourceServer(facilitator).register('solana:*', new SessionServer(facilitator, flow));
  const app = express();
  app.use(paymentMiddleware({ 'GET /weather': { accepts: offered, description: 'The weather', ...more } }, server));
  const shop = { served: 0 };
  app.get('/weather', (_, answer) => answer.json({ weather: 'fine', served: (shop.served += 1) }));
  shop.url = `${await listen(app)}/weather`;
  return shop;
}

/** A fetch that pays up to the usual price, in the networks of either version. */
function paying(session, through = fetch) {
  const client = new SessionClient(session);
  const allowed = session.networks.map((network) => ({ network, asset: dev.mint, maxAmountPerPayment: PRICE }));
  const x402 = x402Client.fromConfig({ schemes: [{ network: 'solana:*', client }], spendControls: { allowedAssets: allowed } });
  session.networks.forEach((network) => x402.registerV1(network, client));
  return wrapFetchWithPayment(through, x402);
}

const receipt = (answer) => decodePaymentResponseHeader(answer.headers.get('payment-response'));

/** The word of a 402: from the receipt of a settlement, or from the offer that a failed verification is answered with. */
function word(answer) {
  assert.equal(answer.status, 402);
  if (answer.headers.has('payment-response')) return receipt(answer).errorReason;
  return decodePaymentRequiredHeader(answer.headers.get('payment-required')).error.split(':')[0];
}

/** Pays, and keeps the header that was sent. */
async function keeping(session, url) {
  let header;
  const answer = await paying(session, async (request) => {
    header = request.headers.get('payment-signature') ?? header;
    return fetch(request);
  })(url);
  return [answer, header];
}

/** What a fault of the network does to a payment: the calls of /settle that the merchant made, each [status, body]. */
async function settling(session, shop, onSettled) {
  let answer;
  const seen = await seeing(async (answers) => {
    const push = answers.push.bind(answers);
    answers.push = (one) => push(one) && one[0] === '/settle' && onSettled(answers);
    answer = await paying(session)(shop.url);
  });
  return [answer, seen.filter(([path]) => path === '/settle').map(([, , body]) => JSON.parse(body))];
}

const express5 = {
  async 'a session with a session key and one without pay by either flow'() {
    for (const flow of ['authorization', 'upfront']) {
      const shop = await merchant({}, {}, flow);
      for (const session of [signed, bare]) {
        const answer = await paying(session)(shop.url);
        assert.equal(answer.status, 200);
        const { success, transaction, payer, network, extensions } = receipt(answer);
        assert.deepEqual([success, payer, network], [true, dev.payer, 'solana:localnet']);
        assert.deepEqual([extensions.session.id, extensions.session.settlement], [session.sessionId, 'captured']);
        assert.equal((await rpc('getSignatureStatuses', [transaction])).value[0].err, null);
      }
      assert.equal(shop.served, 2);
    }
  },

  async 'every spelling of the network can be offered'() {
    for (const network of signed.networks.filter((name) => name.includes(':'))) {
      const answer = await paying(signed)((await merchant({ network })).url);
      assert.deepEqual([answer.status, receipt(answer).network], [200, network]);
    }
  },

  async 'a deferred payment is served when it is held'() {
    const answer = await paying(signed)((await merchant({ extra: { settlement: 'deferred' } })).url);
    assert.equal(answer.status, 200);
    const { success, transaction, extensions } = receipt(answer);
    assert.deepEqual([success, transaction, extensions.session.settlement], [true, '', 'held']);
  },

  async 'a header that is sent again is not served again'() {
    for (const flow of ['authorization', 'upfront']) {
      const [shop, before] = [await merchant({}, {}, flow), await captured()];
      const [first, header] = await keeping(bare, shop.url);
      const again = await fetch(shop.url, { headers: { 'payment-signature': header } });
      assert.deepEqual([first.status, word(again), shop.served], [200, 'duplicate_settlement', 1]);
      assert.equal(await captured(), before + BigInt(PRICE));
    }
  },

  async 'a refused payment is a 402 that tells the word, and the handler has not run'() {
    for (const flow of ['authorization', 'upfront']) {
      const shop = await merchant({ payTo: dev.spender }, {}, flow);
      assert.deepEqual([word(await paying(signed)(shop.url)), shop.served], ['recipient_mismatch', 0]);
    }
  },

  async 'an id of payment-identifier that the merchant declares and demands travels with the payment'() {
    const extensions = { 'payment-identifier': declarePaymentIdentifierExtension(false) };
    const shop = await merchant({}, { extensions });
    const [answer, header] = await keeping(bare, shop.url);
    assert.equal(answer.status, 200);
    assert.ok('payment-identifier' in decodePaymentSignatureHeader(header).extensions, 'a client echoes what was declared');
    const again = await fetch(shop.url, { headers: { 'payment-signature': header } });
    assert.equal(word(again), 'duplicate_settlement', 'a declaration is not the merchant asking for a repeat');
  },

  async 'a merchant that asks for extra.idempotent is given the recorded answer'() {
    const shop = await merchant({ extra: { idempotent: true } });
    const [first, header] = await keeping(bare, shop.url);
    const again = await fetch(shop.url, { headers: { 'payment-signature': header } });
    assert.deepEqual([first.status, again.status], [200, 200]);
    assert.deepEqual(receipt(again), receipt(first));
  },
};

// So long the first call waits in vain, and the second one may take.
const late = { maxTimeoutSeconds: 4 };

const pending = {
  async 'a pending settlement is asked for once more, and served when it has landed'() {
    for (const flow of ['authorization', 'upfront']) {
      const [shop, before] = [await merchant(late, {}, flow), await captured()];
      await rpc('localnet_setFaults', { dropSends: { next: 1_000 } });
      const [answer, told] = await settling(bare, shop, () => rpc('localnet_setFaults'));
      assert.deepEqual(told.map((one) => one.errorReason), ['settlement_pending', undefined]);
      assert.equal(told[0].transaction, told[1].transaction, 'nothing was sent twice');
      assert.deepEqual([answer.status, receipt(answer).success, shop.served], [200, true, 1]);
      assert.equal(await captured(), before + BigInt(PRICE));
    }
  },

  async 'one that is still pending then is not asked for a third time, and its money moves once'() {
    const [shop, before] = [await merchant(late, {}, 'upfront'), await captured()];
    await rpc('localnet_setFaults', { dropSends: { next: 1_000 } });
    const [answer, told] = await settling(bare, shop, () => {});
    await rpc('localnet_setFaults');
    assert.deepEqual(told.map((one) => one.errorReason), ['settlement_pending', 'settlement_pending']);
    assert.deepEqual([answer.status, receipt(answer).errorReason, shop.served], [402, 'settlement_pending', 0]);
    assert.equal(receipt(answer).transaction, told[0].transaction);
    await until('it lands', async () => (await captured()) === before + BigInt(PRICE));
    assert.equal((await paying(bare)((await merchant()).url)).status, 200, 'the session goes on');
    assert.equal(await captured(), before + 2n * BigInt(PRICE));
  },
};

const ours = {
  async 'the Rust merchant is paid by the offer in its header'() {
    const answer = await paying(signed)(dev.paidRoute);
    assert.equal(answer.status, 200);
    assert.equal(receipt(answer).success, true);
  },

  async 'the Rust merchant is paid by the offer in its body, as clients of version 1 read it'() {
    let sent;
    const answer = await paying(signed, async (request) => {
      sent = request.headers.get('x-payment') ?? sent;
      const { status, headers, body } = await fetch(request);
      const kept = new Headers(headers);
      if (status === 402) kept.delete('payment-required');
      return new Response(body, { status, headers: kept });
    })(dev.paidRoute);
    assert.equal(answer.status, 200);
    assert.equal(JSON.parse(Buffer.from(sent, 'base64')).x402Version, 1);
    assert.equal(decodePaymentResponseHeader(answer.headers.get('x-payment-response')).success, true);
  },

  async 'the Rust merchant is paid later where it offers that'() {
    const answer = await paying(signed)(`${dev.paidRoute}/deferred`);
    assert.deepEqual([answer.status, receipt(answer).transaction], [200, '']);
  },
};

await run({ ...express5, ...pending, ...ours });
