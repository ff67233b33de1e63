import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import type { Runtime } from '../compile/runtime.ts'
import type { Session } from '../compile/session.ts'
import { runtimeFault } from '../fault.ts'
import { isDict, type Py, Undefined } from '../python/kinds.ts'
import type { Args } from '../python/signature.ts'
import { toText } from '../python/text.ts'
import { splitLines } from '../python/text-split.ts'
import { type LookupSet, termText } from './lookup.ts'

const LONGEST_BODY = 64 * 1024 * 1024
const MOST_REDIRECTS = 10

/**
 * Run by a second node, since a template cannot wait: reads what to get as JSON on stdin (headers and passwords are nobody else's to see)
 * and writes `{status, body}` or `{error}`.
 */
const fetcher = `
const asked = JSON.parse(require('node:fs').readFileSync(0, 'utf8'))
const answer = result => process.stdout.write(JSON.stringify(result))
const get = (url, left) => {
  const { protocol } = new URL(url)
  const client = protocol === 'https:' ? require('node:https') : require('node:http')
  const tls = protocol === 'https:' ? { rejectUnauthorized: asked.isChecked, ca: asked.caFile && require('node:fs').readFileSync(asked.caFile), ciphers: asked.ciphers } : {}
  const place = asked.socket ? { socketPath: asked.socket } : {}
  const request = client.get(url, { headers: asked.headers, timeout: asked.timeoutMs, ...tls, ...place }, response => {
    const { statusCode: status, headers } = response
    if (asked.follows && status >= 300 && status < 400 && headers.location && left > 0)
      return response.resume(), get(new URL(headers.location, url).href, left - 1)
    const parts = []
    response.on('data', part => parts.push(part)).on('end', () => answer({ status, body: Buffer.concat(parts).toString('utf8') }))
  })
  request.on('timeout', () => request.destroy(new Error('no answer within ' + asked.timeoutMs / 1000 + ' s')))
  request.on('error', ({ code, message }) => answer({ error: message || code, code }))
}
get(asked.url, ${MOST_REDIRECTS})
`

interface Answer {
  readonly status?: number
  readonly body?: string
  readonly error?: string
  readonly code?: string
}

function fetchUrl(url: string, options: Args, { session }: Runtime): string {
  if (!URL.canParse(url) || !/^https?:/.test(url))
    throw runtimeFault(`lookup url: '${url}' is no http address`)
  const timeoutMs = 1000 * options.number('timeout')
  const done = session.meter.outsideTheClock(() =>
    spawnSync(process.execPath, ['-e', fetcher], {
      encoding: 'utf8',
      maxBuffer: 2 * LONGEST_BODY,
      timeout: timeoutMs * (MOST_REDIRECTS + 1),
      input: JSON.stringify({
        url,
        timeoutMs,
        ...requestOf(options, session),
      }),
    }),
  )
  if (done.status !== 0) throw runtimeFault(`lookup url: no answer from ${url}`)
  const { error, code = '', status = 0, body = '' } = JSON.parse(done.stdout) as Answer
  if (/CERT|SIGNATURE|ISSUER|ALTNAME/.test(code))
    throw runtimeFault(`Error validating the server's certificate for ${url}: ${error}`)
  if (error !== undefined) throw runtimeFault(`Failed lookup url for ${url} : ${error}`)
  if (status >= 400) throw runtimeFault(`Received HTTP error for ${url} : HTTP Error ${status}`)
  return body
}

function requestOf(options: Args, session: Session): Record<string, unknown> {
  const given = options.raw('headers')
  const headers = new Map(
    isDict(given) ? [...given].map(([name, value]) => [toText(name), toText(value)]) : [],
  )
  if (!headers.has('User-Agent')) headers.set('User-Agent', options.text('http_agent'))
  if (options.flag('force')) headers.set('cache-control', 'no-cache')
  if (options.has('username')) {
    const login = `${options.text('username')}:${options.has('password') ? options.text('password') : ''}`
    headers.set('Authorization', `Basic ${Buffer.from(login).toString('base64')}`)
  }
  const ciphers = options.has('ciphers')
    ? options.value('ciphers')
    : session.variable('ansible_lookup_url_ciphers')
  return {
    headers: Object.fromEntries(headers),
    isChecked: options.flag('validate_certs'),
    follows: !/^(?:no|none|false)$/i.test(options.text('follow_redirects')),
    caFile: options.has('ca_path') ? options.text('ca_path') : authorities(session),
    ...(options.has('unix_socket') ? { socket: options.text('unix_socket') } : {}),
    ...(ciphers === undefined ? {} : { ciphers: ciphersText(ciphers) }),
  }
}

/** Certificates that this machine trusts; node has only its own list. */
function authorities({ world }: Session): string | undefined {
  const places = [
    world.env('SSL_CERT_FILE'),
    '/etc/ssl/certs/ca-certificates.crt',
    '/etc/pki/tls/certs/ca-bundle.crt',
    '/etc/ssl/cert.pem',
  ]
  return places.find(place => place !== undefined && existsSync(place))
}

function ciphersText(value: Py): string {
  if (value instanceof Undefined) value.fail()
  return Array.isArray(value) ? value.map(toText).join(':') : toText(value)
}

function lookUp(term: Py, options: Args, runtime: Runtime): readonly Py[] {
  const text = fetchUrl(termText(term), options, runtime)
  return options.flag('split_lines') ? splitLines(text) : [text]
}

/** What an address of the web answers, as the operator's machine gets it: over no proxy, and without ~/.netrc. */
export const urlLookups: LookupSet = {
  url: {
    takes:
      "validate_certs=true, split_lines=true, username=null, password=null, headers={}, force=false, timeout=10, http_agent='ansible-httpget', follow_redirects='urllib2', unix_socket=null, ca_path=null, ciphers=null, use_netrc=false, use_proxy=false, force_basic_auth=false",
    run: (terms, options, runtime) => terms.flatMap(term => lookUp(term, options, runtime)),
  },
}
