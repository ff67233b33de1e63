import type { Duplex } from 'node:stream'
import { RotaError } from '../core/error.ts'
import { defineAction, type Outcome, type Target } from '../core/module.ts'
import type { Args } from '../core/params.ts'
import { sh } from '../core/script.ts'
import { reveal } from '../core/secret.ts'
import { plainText } from './uri-body.ts'
import {
  describe,
  inTime,
  NoAnswer,
  openChannel,
  openSecure,
  type Place,
  type Route,
  secure,
} from './uri-channel.ts'
import { requestParams, routeOf } from './uri-request.ts'

const params = {
  host: { type: 'text', required: true, doc: 'The mail server.' },
  port: { type: 'int', default: 587, doc: 'Its port: 587 for submission, 465 with `secure: always`.' },
  secure: {
    type: 'string',
    choices: ['starttls', 'always', 'never'],
    default: 'starttls',
    doc: 'When TLS begins. `never` is for a server on the host itself: the password goes in the clear.',
  },
  username: { type: 'text', required: true, aliases: ['user'], doc: 'Who logs in.' },
  password: { type: 'secret', required: true, doc: 'The password to try.' },
  ca_path: requestParams.ca_path,
  tls_fingerprint: requestParams.tls_fingerprint,
  timeout: requestParams.timeout,
  from: requestParams.from,
} as const
type SmtpArgs = Args<typeof params>

interface Reply {
  readonly code: number
  readonly lines: readonly string[]
}

/** Replies of RFC 5321, section 4.2: `250-…` goes on, `250 …` ends. */
class Talk {
  private text = ''
  private readonly waiting: ((error?: Error) => void)[] = []
  private readonly channel: Duplex
  private readonly listen = (chunk: Buffer): void => {
    this.text += chunk.toString('utf8')
    this.waiting.shift()?.()
  }
  private readonly end = (): void => this.waiting.shift()?.(new NoAnswer('the server hung up'))

  constructor(channel: Duplex) {
    this.channel = channel
    channel.on('data', this.listen).on('close', this.end)
  }
  /** Leaves the channel to TLS. */
  release(): Duplex {
    return this.channel.off('data', this.listen).off('close', this.end)
  }
  async reply(): Promise<Reply> {
    for (;;) {
      const [whole] = /^(?:\d{3}-.*\r?\n)*\d{3}(?: .*)?\r?\n/.exec(this.text) ?? []
      if (whole !== undefined) {
        this.text = this.text.slice(whole.length)
        const lines = whole.trimEnd().split(/\r?\n/)
        return { code: Number(whole.slice(0, 3)), lines: lines.map(line => line.slice(4)) }
      }
      if (this.text.length > 65_536) throw new NoAnswer('this is no mail server')
      if (this.channel.destroyed) throw new NoAnswer('the server hung up')
      await new Promise<void>((resolve, reject) =>
        this.waiting.push(error => (error ? reject(error) : resolve())),
      )
    }
  }
  async ask(line: string): Promise<Reply> {
    this.channel.write(`${line}\r\n`)
    return this.reply()
  }
  async say(line: string, expected: number): Promise<Reply> {
    const reply = await this.ask(line)
    if (reply.code !== expected) throw new NoAnswer(`the server says ${reply.code} instead of ${expected}`)
    return reply
  }
}

const base64 = (text: string): string => Buffer.from(text).toString('base64')

/** RFC 4954 with PLAIN (RFC 4616), or LOGIN where that is all there is. Resolves with the server's code: 235 is in. */
async function login(talk: Talk, offers: readonly string[], args: SmtpArgs): Promise<number> {
  const [name, password] = [plainText(args.username), reveal(args.password)]
  const ways = offers.find(line => /^AUTH /i.test(line))?.toUpperCase() ?? ''
  if (/\bPLAIN\b/.test(ways)) {
    await talk.say('AUTH PLAIN', 334)
    return (await talk.ask(base64(`\0${name}\0${password}`))).code
  }
  if (!/\bLOGIN\b/.test(ways))
    throw new NoAnswer('the server offers no login by password (AUTH PLAIN or LOGIN)')
  await talk.say('AUTH LOGIN', 334)
  await talk.say(base64(name), 334)
  return (await talk.ask(base64(password))).code
}

/** From the greeting to the answer about the login. */
async function converse(channel: Duplex, args: SmtpArgs, route: Route, place: Place): Promise<number> {
  let talk = new Talk(channel)
  const greeting = await talk.reply()
  if (greeting.code !== 220) throw new NoAnswer(`the server greets with ${greeting.code}`)
  let offers = (await talk.say('EHLO rota', 250)).lines
  if (args.secure === 'starttls') {
    if (!offers.some(line => /^STARTTLS$/i.test(line))) throw new NoAnswer('the server offers no STARTTLS')
    await talk.say('STARTTLS', 220)
    talk = new Talk(await secure(talk.release(), place, route))
    offers = (await talk.say('EHLO rota', 250)).lines
  }
  return login(talk, offers, args)
}

const alive = sh`:`

async function tryLogin(t: Target, args: SmtpArgs): Promise<number> {
  const route = await routeOf(t, { ...args, validate_certs: true, ciphers: [] })
  const place: Place = { host: plainText(args.host), port: args.port }
  const plain = await inTime(route, openChannel(t, route, place)).catch(async (error: unknown) => {
    // Throws what is wrong with the link to the target, should it be that and not the server.
    if (route.from === 'target') await t.run(alive)
    throw new NoAnswer(describe(error))
  })
  const channel = args.secure === 'always' ? await openSecure(t, route, place, plain) : plain
  const timer = setTimeout(() => plain.destroy(), route.timeoutMs)
  try {
    return await converse(channel, args, route, place)
  } finally {
    clearTimeout(timer)
    plain.destroy()
  }
}

export const smtp_login = defineAction({
  name: 'smtp_login',
  summary: 'Tries whether a mail server takes a password. No mail is sent.',
  notes: [
    'The connection is made by the target’s sshd (or by the operator’s machine with `from: operator`), SMTP and TLS are spoken on the operator’s machine.',
    'The certificate has to be signed by somebody whom Node trusts (with `secure: always` also: whom the host trusts), or be named by ca_path or tls_fingerprint.',
  ],
  reads: true,
  params,
  returns: { code: { doc: 'The server’s answer to the password: 235 is in.' } },
  examples: `
- name: The new password opens the mail account
  smtp_login:
    host: smtp.example.com
    username: alerts@example.com
    password: "{{ pending.SMTP_PASSWORD }}"
`,
  async run(t, args): Promise<Outcome> {
    try {
      const code = await tryLogin(t, args)
      if (code === 235) return { changed: false, msg: 'logged in', values: { code } }
      return { changed: false, failed: true, msg: `the server refuses the login: ${code}`, values: { code } }
    } catch (error) {
      if (error instanceof RotaError) throw error
      return { changed: false, failed: true, msg: t.redactor.clean(describe(error)), values: { code: -1 } }
    }
  },
})
