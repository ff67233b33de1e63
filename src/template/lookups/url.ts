import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { parseNetrc } from '../../core/netrc.ts'
import type { Runtime } from '../compile/runtime.ts'
import type { Session } from '../compile/session.ts'
import { runtimeFault } from '../fault.ts'
import { isDict, type Py, Undefined } from '../python/kinds.ts'
import type { Args } from '../python/signature.ts'
import { toText } from '../python/text.ts'
import { splitLines } from '../python/text-split.ts'
import { type LookupSet, termText } from './lookup.ts'
import { fetcher, MOST_REDIRECTS, selectWay } from './url-fetcher.ts'

const LONGEST_BODY = 64 * 1024 * 1024

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
        ...requestOf(url, options, session),
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

/** `user:password`, given or else of ~/.netrc (or the file that NETRC names). */
function loginOf(url: string, options: Args, { world }: Session): string | undefined {
  if (options.has('username'))
    return `${options.text('username')}:${options.has('password') ? options.text('password') : ''}`
  if (!options.flag('use_netrc')) return undefined
  const file = world.env('NETRC') ?? `${world.env('HOME') ?? ''}/.netrc`
  // Most people have none.
  const login = existsSync(file) && parseNetrc(readFileSync(file, 'utf8'), new URL(url).hostname)
  return login ? `${login.user}:${login.password}` : undefined
}

function requestOf(url: string, options: Args, session: Session): Record<string, unknown> {
  const given = options.raw('headers')
  const headers = new Map(
    isDict(given) ? [...given].map(([name, value]) => [toText(name), toText(value)]) : [],
  )
  if (!headers.has('User-Agent')) headers.set('User-Agent', options.text('http_agent'))
  if (options.flag('force')) headers.set('cache-control', 'no-cache')
  const login = loginOf(url, options, session)
  if (login !== undefined && !headers.has('Authorization'))
    headers.set('Authorization', `Basic ${Buffer.from(login).toString('base64')}`)
  const ciphers = options.has('ciphers')
    ? options.value('ciphers')
    : session.variable('ansible_lookup_url_ciphers')
  return {
    headers: Object.fromEntries(headers),
    isChecked: options.flag('validate_certs'),
    follows: !/^(?:no|none|false)$/i.test(options.text('follow_redirects')),
    caFile: options.has('ca_path') ? options.text('ca_path') : authorities(session),
    ...(options.flag('use_proxy') ? selectWay(session) : { proxies: {}, bypass: [] }),
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

/** What an address of the web answers, as the operator's machine gets it: over its proxies, with the logins of ~/.netrc. */
export const urlLookups: LookupSet = {
  url: {
    takes:
      "validate_certs=true, split_lines=true, username=null, password=null, headers={}, force=false, timeout=10, http_agent='ansible-httpget', follow_redirects='urllib2', unix_socket=null, ca_path=null, ciphers=null, use_netrc=true, use_proxy=true, force_basic_auth=false",
    run: (terms, options, runtime) => terms.flatMap(term => lookUp(term, options, runtime)),
  },
}
