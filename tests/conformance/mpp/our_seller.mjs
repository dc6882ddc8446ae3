// Stock mppx, in both lines, and the published client's calls buy from a seller of ours, in a test or in `sotto dev`: by charges,
// and by vouchers of a session.
import assert from 'node:assert/strict';
import { SessionClient } from './buyer.mjs';
import { buying, lines } from './lines.mjs';
import { bytesOf, run, wallet, world } from './world.mjs';

/** The least that may be granted. */
const GRANT = '1000000';
const { facilitator: apiUrl, network, seller, charged: weather, streamed: stream } = world;
const buyer = await wallet(bytesOf(world.buyer));

const charged = (name) => ({
  async [`${name} reads our seller's challenge, pays it once, and reads its receipt`]() {
    const { Challenge, Receipt } = lines[name].core;
    const { sent, pay } = buying(lines[name], buyer);
    const answer = await pay.fetch(weather.url);
    assert.deepEqual([answer.status, (await answer.text()).length > 0], [200, true]);
    const receipt = Receipt.fromResponse(answer);
    assert.deepEqual([receipt.method, receipt.status, sent.length], ['dexter', 'success', 1]);
    const again = await fetch(weather.url, { headers: { authorization: sent[0] } });
    const { request } = Challenge.fromResponse(again);
    assert.deepEqual([request.amount, request.recipient], [String(weather.price), seller]);
    assert.match((await again.json()).detail, /duplicate_settlement/);
  },
});

const streamed = {
  async 'a session is opened as our seller asks, and each of its vouchers is served once'() {
    const ask = (headers) => fetch(stream.url, { headers });
    const asking = await ask({});
    const told = await asking.json();
    assert.deepEqual(
      [asking.status, told.type, told.recipient, told.network, told.pricePerUnit, told.suggestedDeposit],
      [402, 'mpp-session', seller, network, String(stream.price), String(100 * stream.price)],
    );
    const client = new SessionClient({ wallet: buyer, apiUrl, network: told.network });
    const { swigAddress } = await client.onboard({ spendLimit: GRANT, ttlSeconds: 86_400 });
    const channel = await client.open({ swigAddress, seller: told.recipient, deposit: told.suggestedDeposit });
    let voucher;
    for (let count = 1; count <= 5; count += 1) {
      const answer = await client.pay(channel, String(count * stream.price), `nonce-${count}`);
      voucher = { 'x-mpp-voucher': JSON.stringify(answer) };
      const served = await ask(voucher);
      assert.deepEqual([served.status, (await served.text()).length > 0], [200, true]);
    }
    const again = await ask(voucher);
    assert.deepEqual([again.status, await again.json()], [402, { error: 'amount_not_monotonic' }]);
    const { settlement } = await client.close(channel);
    assert.deepEqual([settlement.amount_settled, settlement.voucher_count], [String(5 * stream.price), 5]);
  },
};

await run(Object.assign({}, ...Object.keys(lines).map(charged), streamed));
