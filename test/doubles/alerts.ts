// Doubles of what alerts go to: a webhook with its secret in the URL, the same as Slack answers it, and a mail server that wants
// TLS before a login (RFC 5321, RFC 3207, RFC 4954).
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { createSecureContext, TLSSocket } from 'node:tls'
import { type Certificate, makeCertificate } from './certificate.ts'
import { startTlsServer, type TlsServer } from './tls-server.ts'

/** `/hooks/KEY` and `/services/KEY` (which answers as Slack does), for the keys that are known. */
export function startHooks(
  keys: ReadonlySet<string>,
  address?: string,
  certificate?: Certificate,
): Promise<TlsServer> {
  return startTlsServer(
    'alerts double',
    ({ method, path, body }) => {
      const [, kind, key = ''] = /^\/(hooks|services)\/(\S+)$/.exec(path) ?? []
      if (method !== 'POST' || !keys.has(key)) return { status: 404, body: 'no_service' }
      const { text } = JSON.parse(body) as { text?: unknown }
      if (typeof text !== 'string') return { status: 400, body: 'invalid_payload' }
      return { status: 200, body: kind === 'services' ? 'ok' : { accepted: true } }
    },
    address,
    certificate,
  )
}

export interface MailServer {
  readonly host: string
  readonly port: number
  readonly fingerprint: string
  readonly cert: string
  close(): Promise<void>
}

/** Takes these passwords of `user`, by PLAIN or only by LOGIN, and only over TLS. */
export async function startMailServer(
  user: string,
  passwords: ReadonlySet<string>,
  {
    way = 'PLAIN',
    address = '127.0.0.1',
    certificate,
  }: { readonly way?: 'PLAIN' | 'LOGIN'; readonly address?: string; readonly certificate?: Certificate } = {},
): Promise<MailServer> {
  const { key, cert, fingerprint } = certificate ?? makeCertificate('mail double', [address])
  const open = new Set<Socket>()
  const text = (base64: string): string => Buffer.from(base64, 'base64').toString()
  const serve = (socket: Socket | TLSSocket, isSecure: boolean): void => {
    const wanted: ((line: string) => void)[] = []
    const say = (line: string): void => void socket.write(`${line}\r\n`)
    const decide = (name: string, password: string): void =>
      say(name === user && passwords.has(password) ? '235 2.7.0 Accepted' : '535 5.7.8 Bad credentials')
    const plain = (sent: string): void => {
      const [, name = '', password = ''] = text(sent).split('\0')
      decide(name, password)
    }
    const name = (sent: string): void => {
      wanted.push(password => decide(text(sent), text(password)))
      say('334 UGFzc3dvcmQ6')
    }
    const startTls = (): void => {
      say('220 Go ahead')
      socket.off('data', read)
      const tls = new TLSSocket(socket, { isServer: true, secureContext: createSecureContext({ key, cert }) })
      tls.on('error', () => {})
      serve(tls, true)
    }
    const answer = (line: string): void => {
      const next = wanted.shift()
      if (next) next(line)
      else if (/^EHLO /.test(line)) say(`250-double\r\n250 ${isSecure ? `AUTH ${way}` : 'STARTTLS'}`)
      else if (line === 'STARTTLS' && !isSecure) startTls()
      else if (line === `AUTH ${way}` && isSecure) {
        wanted.push(way === 'PLAIN' ? plain : name)
        say(way === 'PLAIN' ? '334 ' : '334 VXNlcm5hbWU6')
      } else say('503 5.5.1 Bad sequence')
    }
    let rest = ''
    const read = (chunk: Buffer): void => {
      const lines = (rest + chunk).split('\r\n')
      rest = lines.pop()!
      for (const line of lines) answer(line)
    }
    socket.on('data', read)
  }
  const server = createServer(socket => {
    open.add(socket)
    socket.on('error', () => {}).on('close', () => open.delete(socket))
    socket.write('220 double ESMTP\r\n')
    serve(socket, false)
  }).listen(0, address)
  await once(server, 'listening')
  return {
    host: address,
    port: (server.address() as AddressInfo).port,
    fingerprint,
    cert,
    close: async () => {
      for (const socket of open) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}
