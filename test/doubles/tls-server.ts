// What the doubles share: an HTTPS server with a certificate of its own, and the requests that it saw.
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { makeCertificate } from './certificate.ts'

export interface Asked {
  readonly method: string
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly body: string
}
export interface Answer {
  readonly status: number
  /** JSON, or text as it is. */
  readonly body: unknown
}
export interface TlsServer {
  readonly url: string
  /** SHA-256 of its certificate. */
  readonly fingerprint: string
  /** PEM; its own authority. */
  readonly cert: string
  /** `METHOD /path` of every request, in order. */
  readonly log: readonly string[]
  close(): Promise<void>
}

/** Listens on an address of this machine, on any port. */
export async function startTlsServer(
  name: string,
  answer: (asked: Asked) => Answer,
  address = '127.0.0.1',
  certificate = makeCertificate(name, [address]),
): Promise<TlsServer> {
  const { key, cert, fingerprint } = certificate
  const log: string[] = []
  const server = createServer({ key, cert }, async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    const { method = '', url: path = '', headers } = request
    log.push(`${method} ${path}`)
    const answered = answer({ method, path, headers, body })
    const isText = typeof answered.body === 'string'
    response.writeHead(answered.status, { 'content-type': isText ? 'text/plain' : 'application/json' })
    response.end(isText ? answered.body : JSON.stringify(answered.body))
  })
  server.listen(0, address)
  await once(server, 'listening')
  return {
    url: `https://${address}:${(server.address() as AddressInfo).port}`,
    fingerprint,
    cert,
    log,
    close: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
