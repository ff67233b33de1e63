// Webhooks of the payment providers: by which of our keys is a delivery signed? The provider's old key counts as well as the new
// one for as long as it is in the environment as *_PREVIOUS.
import { createHash, createHmac, timingSafeEqual } from 'node:crypto'

const digest = text => createHash('sha256').update(text).digest()
/** Takes the same time wherever two texts differ, and however long they are. */
const isSame = (a, b) => timingSafeEqual(digest(a), digest(b))
const sign = (hash, key, body, encoding) => createHmac(hash, key).update(body).digest(encoding)

const isSigned = {
  // The API's secret key signs the raw body: HMAC-SHA512, in hex.
  paystack: (headers, body, key) =>
    isSame(headers['x-paystack-signature'] ?? '', sign('sha512', key, body, 'hex')),
  // v4 signs the raw body with the secret hash (HMAC-SHA256, base64); v3 sends the hash itself.
  flutterwave: (headers, body, key) =>
    headers['flutterwave-signature'] === undefined
      ? isSame(headers['verif-hash'] ?? '', key)
      : isSame(headers['flutterwave-signature'], sign('sha256', key, body, 'base64')),
}
export const providers = Object.keys(isSigned)

/** `current`, `previous`, or undefined for a delivery that nobody we know has signed. A key that is not set signs nothing. */
export function keyOfDelivery(provider, keys, headers, body) {
  const [current, previous] = [keys.current, keys.previous].map(
    key => Boolean(key) && isSigned[provider](headers, body, key),
  )
  return current ? 'current' : previous ? 'previous' : undefined
}

/** What happened, as the providers name it. */
export function eventOf(body) {
  try {
    const { event, type } = Object(JSON.parse(body))
    return String(event ?? type ?? '')
  } catch {
    return ''
  }
}
