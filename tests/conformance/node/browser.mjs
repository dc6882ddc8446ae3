// A page of another origin, in a real browser, pays a route of `sotto dev` with an open session: CORS, preflights and exposed
// headers of merchant and facilitator, and an Ed25519 key of WebCrypto. Leaves with 77 where there is no browser.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http from 'node:http';
import { chromium } from 'playwright-core';
import { PRICE, rpc, run, world } from './world.mjs';

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
if (!fs.existsSync(executablePath)) {
  console.error(`there is no browser at ${executablePath}`);
  process.exit(77);
}
const { dev, signed } = world;

const files = { '/': ['page.html', 'text/html'], '/page.mjs': ['page.mjs', 'text/javascript'], '/payer.mjs': ['payer.mjs', 'text/javascript'] };
const served = http.createServer((request, answer) => {
  const [file, type] = files[request.url] ?? [];
  answer.writeHead(file ? 200 : 404, { 'content-type': type ?? 'text/plain' });
  answer.end(file && fs.readFileSync(new URL(file, import.meta.url)));
});
await new Promise((done) => { served.listen(0, '127.0.0.1', done); });
const origin = `http://localhost:${served.address().port}`;

// The sandbox needs rights that a container's root does not have; nothing but this page is opened.
const browser = await chromium.launch({ executablePath, headless: true, chromiumSandbox: false, args: ['--disable-dev-shm-usage'] });
const page = await browser.newPage();
const [asked, faults] = [[], []];
page.on('request', (request) => asked.push(`${request.method()} ${new URL(request.url()).origin}`));
page.on('pageerror', (fault) => faults.push(String(fault)));
await page.goto(origin);

const steps = {
  async 'it is another origin, and its context is secure'() {
    assert.ok(![dev.merchant, dev.facilitator].includes(origin));
    assert.ok(await page.evaluate(() => isSecureContext));
    // Who allows nothing cannot be read: the browser does hold pages apart.
    const elsewhere = origin.replace('localhost', '127.0.0.1');
    await assert.rejects(page.evaluate((url) => fetch(url), elsewhere), /Failed to fetch/);
    asked.length = 0;
  },

  async 'it buys a call that is settled on chain'() {
    const told = await page.evaluate(([session, url]) => globalThis.sotto.buy(session, url), [signed, dev.paidRoute]);
    assert.deepEqual([told.asked, told.status, told.accepted.amount], [402, 200, PRICE]);
    assert.equal(told.body.paidBy, dev.payer, JSON.stringify(told.body));
    assert.deepEqual([told.receipt.success, told.receipt.payer, told.receipt.amount], [true, dev.payer, PRICE]);
    assert.equal((await rpc('getSignatureStatuses', [told.receipt.transaction])).value[0].err, null);
  },

  async 'it buys a call that is settled later'() {
    const told = await page.evaluate(([session, url]) => globalThis.sotto.buy(session, url), [signed, `${dev.paidRoute}/deferred`]);
    assert.deepEqual([told.status, told.receipt.transaction, told.receipt.extensions.session.settlement], [200, '', 'held']);
  },

  async 'it cannot pay without the key, and is told why'() {
    const { sessionKey: _, ...stolen } = signed;
    const told = await page.evaluate(([session, url]) => globalThis.sotto.buy(session, url), [stolen, dev.paidRoute]);
    assert.deepEqual([told.status, told.receipt?.errorReason ?? told.body.error], [402, 'session_signature_required']);
  },

  async 'it sees what was paid, at the facilitator, by a signed read'() {
    const told = await page.evaluate((session) => globalThis.sotto.show(session), signed);
    assert.equal(told.status, 200);
    assert.deepEqual([told.body.captured, told.body.spent], [PRICE, String(2 * Number(PRICE))]);
    assert.ok(told.requestId, 'the request id is exposed');
    assert.equal((await page.evaluate((url) => globalThis.sotto.supported(url), dev.facilitator)).kinds[0].scheme, 'session');
  },

  async 'it listens to the session'() {
    assert.equal(await page.evaluate((session) => globalThis.sotto.firstEvent(session, 'captured'), signed), 'captured');
  },

  async 'it asked nobody else, and nothing went wrong in it'() {
    const known = new Set([origin, dev.merchant, dev.facilitator]);
    assert.deepEqual(asked.filter((line) => !known.has(line.split(' ')[1])), []);
    assert.deepEqual(faults, []);
    await browser.close();
  },
};

await run(steps);
