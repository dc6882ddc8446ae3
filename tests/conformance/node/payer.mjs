// A payer with an open session, in the browser and in Node, without any package: what docs/openapi.json says of a payment
// (`SessionPayload`) and nothing else. The session is the file that `sotto session open` writes.

const ALPHABET = '123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz';
/** What PKCS #8 puts before the 32 bytes of an Ed25519 seed (RFC 8410). */
const PKCS8 = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];

const utf8 = (text) => new TextEncoder().encode(text);
const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');

/** Base58 of bytes, in Bitcoin's alphabet. */
export function base58(bytes) {
  let text = '';
  for (let n = BigInt(`0x${hex(bytes) || '0'}`); n > 0n; n /= 58n) text = ALPHABET[Number(n % 58n)] + text;
  const zeros = bytes.findIndex((byte) => byte !== 0);
  return '1'.repeat(zeros < 0 ? bytes.length : zeros) + text;
}

/** The 32 bytes of a key in base58. */
export function key(text) {
  const n = [...text].reduce((sum, letter) => sum * 58n + BigInt(ALPHABET.indexOf(letter)), 0n);
  return Uint8Array.from(n.toString(16).padStart(64, '0').match(/../g), (pair) => parseInt(pair, 16));
}

/** SHA-256 in lower-case hex. */
export async function sha256(text) {
  return hex(new Uint8Array(await crypto.subtle.digest('SHA-256', utf8(text))));
}

/** The session's key for signing; it cannot be read out again. */
export function signingKey(session) {
  const pkcs8 = Uint8Array.from([...PKCS8, ...key(session.sessionKey)]);
  return crypto.subtle.importKey('pkcs8', pkcs8, 'Ed25519', false, ['sign']);
}

/** `payload` of one payment of an offer. A session without a session key is paid from by its id alone. `url` is what is
 * bought; without one the payment may buy anything at that price. */
export async function payload(session, offer, { url, nonce = crypto.randomUUID(), seconds = 120 } = {}) {
  const amount = offer.amount ?? offer.maxAmountRequired;
  if (session.sessionKey === undefined) return { sessionId: session.sessionId, amount, nonce };
  const authorization = { nonce, expiresAt: Math.floor(Date.now() / 1000) + seconds };
  if (url !== undefined) authorization.resourceHash = await sha256(url);
  const stated = [session.intentHash, session.sessionId, amount, offer.payTo, nonce, authorization.expiresAt];
  const text = ['x402-session-pay', 1, ...stated, authorization.resourceHash ?? '-'].join(':');
  const signature = await crypto.subtle.sign('Ed25519', await signingKey(session), utf8(text));
  return { sessionId: session.sessionId, amount, authorization, signature: base58(new Uint8Array(signature)) };
}
