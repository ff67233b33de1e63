// Doubles of the payment providers: what they sign and send, and of Paystack's API what a key is tried with. By their
// documentation; nothing of theirs is in it.
import { createHmac } from 'node:crypto'
import { startTlsServer, type TlsServer } from './tls-server.ts'

export interface Delivered {
  readonly status: number
}

/** A request as a provider makes it. The body is signed as it is sent, byte for byte. */
async function deliver(
  url: string,
  body: string,
  headers: Readonly<Record<string, string>>,
): Promise<Delivered> {
  const all = { 'content-type': 'application/json', connection: 'close', ...headers }
  const answer = await fetch(url, { method: 'POST', headers: all, body })
  await answer.arrayBuffer()
  return { status: answer.status }
}
const payment = (event: string): string =>
  JSON.stringify({ event, data: { id: 302_961, amount: 20_000, currency: 'NGN', note: 'naïve café' } })

/** Paystack signs the raw body with the secret key of its API: HMAC-SHA512 in hex, in x-paystack-signature. */
export function deliverPaystack(panelUrl: string, key: string, event = 'charge.success'): Promise<Delivered> {
  const body = payment(event)
  const signature = createHmac('sha512', key).update(body).digest('hex')
  return deliver(`${panelUrl}/api/webhooks/paystack`, body, { 'x-paystack-signature': signature })
}

/** Flutterwave v3 sends the secret hash itself; v4 signs the raw body with it: HMAC-SHA256 in base64. */
export function deliverFlutterwave(
  panelUrl: string,
  hash: string,
  version: 3 | 4,
  event = 'charge.completed',
): Promise<Delivered> {
  const body = payment(event)
  const headers: Record<string, string> =
    version === 3
      ? { 'verif-hash': hash }
      : { 'flutterwave-signature': createHmac('sha256', hash).update(body).digest('base64') }
  return deliver(`${panelUrl}/api/webhooks/flutterwave`, body, headers)
}

/** Paystack's API: `GET /balance` answers who has a key that is in `keys`. */
export function startPaystack(keys: ReadonlySet<string>, address?: string): Promise<TlsServer> {
  return startTlsServer(
    'paystack double',
    ({ path, headers }) => {
      if (path !== '/balance') return { status: 404, body: { status: false, message: 'Not found' } }
      const [, key = ''] = /^Bearer (\S+)$/.exec(headers.authorization ?? '') ?? []
      if (!keys.has(key)) return { status: 401, body: { status: false, message: 'Invalid key' } }
      return {
        status: 200,
        body: { status: true, message: 'Balances retrieved', data: [{ currency: 'NGN', balance: 0 }] },
      }
    },
    address,
  )
}
