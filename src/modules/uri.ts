import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { problem } from '../core/error.ts'
import { defineAction, type Outcome, type Target } from '../core/module.ts'
import { sh } from '../core/script.ts'
import { Secret } from '../core/secret.ts'
import { toValue, type Value } from '../core/value.ts'
import { refuseAll } from './refused.ts'
import { describe, NoAnswer } from './uri-channel.ts'
import type { HttpRequest, HttpResponse } from './uri-exchange.ts'
import { type Follow, follow, type Walked } from './uri-follow.ts'
import { credentialsOf, parseUrl, requestOf, routeOf, type UriArgs, uriParams } from './uri-request.ts'

const unzip = promisify(gunzip)

const unneeded = sh`
if [ -n "$p_creates" ] && [ -e "$p_creates" ]; then rt_set why "$p_creates exists"; fi
if [ -n "$p_removes" ] && ! [ -e "$p_removes" ]; then rt_set why "$p_removes does not exist"; fi
`
const download = sh`
dest=$p_dest
if [ -d "$dest" ]; then dest=$dest/$p_name; fi
temp=$(mktemp "$dest.XXXXXX") || exit 1
trap 'rm -f -- "$temp"' EXIT
cat >"$temp" || exit 1
rt_set path "$dest"
if cmp -s -- "$temp" "$dest"; then chmod -- "$p_mode" "$dest"; exit; fi
chmod -- "$p_mode" "$temp" && mv -f -- "$temp" "$dest" && rt_set changed 1
`

const follows: Readonly<Record<string, Follow>> = {
  safe: 'safe',
  all: 'all',
  yes: 'all',
  true: 'all',
  none: 'none',
  no: 'none',
  false: 'none',
  urllib2: 'urllib2',
}

/** The answer with its body taken out of gzip. Throws NoAnswer for what is none, and for more than 1 GiB. */
async function decompressed(walked: Walked): Promise<Walked> {
  const { response } = walked
  if (!/\bgzip\b/i.test(response.headers.get('content-encoding') ?? '') || response.body.length === 0)
    return walked
  try {
    const body = await unzip(response.body, { maxOutputLength: 2 ** 30 })
    return { ...walked, response: { ...response, body } }
  } catch (error) {
    throw new NoAnswer(`the body cannot be decompressed: ${describe(error)}`)
  }
}

/** As `walk`, with the body decompressed where that is wanted. */
export async function send(t: Target, args: UriArgs): Promise<Walked> {
  const walked = await walk(t, args)
  return args.decompress ? decompressed(walked) : walked
}

/** Sends it; with a password that need not be sent at once, a second time when the server asks for it. */
async function walk(t: Target, args: UriArgs): Promise<Walked> {
  const url = parseUrl(args.url)
  const credentials = credentialsOf(args, url)
  const how = follows[String(args.follow_redirects)]
  if (how === undefined)
    throw problem('E_PARAMS', `uri: follow_redirects: ${String(args.follow_redirects)} is not known`, {
      hint: 'use safe, all, none or urllib2',
    })
  const request = await requestOf(t, args, url)
  const route = await routeOf(t, args)
  const unredirected = args.unredirected_headers.map(name => name.toLowerCase())
  const signed = (): HttpRequest => ({
    ...request,
    headers: new Map([['authorization', credentials ?? ''], ...request.headers]),
  })
  const now = credentials !== undefined && args.force_basic_auth
  const walked = await follow(t, route, now ? signed() : request, how, unredirected)
  const asked = /\bbasic\b/i.test(walked.response.headers.get('www-authenticate') ?? '')
  if (walked.response.status !== 401 || credentials === undefined || now || !asked) return walked
  return follow(t, route, signed(), how, unredirected)
}

/** The body as JSON when its type says so; undefined for what is none. */
function parseJson(response: HttpResponse): Value | undefined {
  if (!/\bjson\b/.test(response.headers.get('content-type') ?? '')) return undefined
  try {
    return toValue(JSON.parse(response.body.toString('utf8')))
  } catch {
    return undefined
  }
}

/** What register gets of the answer: Ansible's members, headers with `_` for `-`. */
function renderAnswer(
  args: UriArgs,
  { response, url, redirected, cookies }: Walked,
): Record<string, unknown> {
  const headers = [...response.headers].map(([name, value]) => [name.replaceAll('-', '_'), value])
  const json = parseJson(response)
  const location = response.headers.get('location')
  return {
    ...Object.fromEntries(headers),
    ...(location === undefined || !URL.canParse(location, url.href)
      ? {}
      : { location: new URL(location, url).href }),
    status: response.status,
    url: args.url instanceof Secret ? new Secret(url.href, args.url.label) : url.href,
    redirected,
    cookies: Object.fromEntries(cookies),
    cookies_string: [...cookies]
      .map(([name, value]) => `${name}=${value}`)
      .reverse()
      .join('; '),
    ...(json === undefined ? {} : { json }),
    ...(args.return_content ? { content: response.body.toString('utf8') } : {}),
  }
}

async function save(t: Target, args: UriArgs, { response, url }: Walked): Promise<Outcome> {
  const name = decodeURIComponent(url.pathname.split('/').at(-1) ?? '').replaceAll('/', '_') || 'index.html'
  const ran = await t.run(download, { dest: args.dest, name, mode: args.mode }, { stdin: response.body })
  if (ran.exit !== 0)
    throw problem(
      'E_FILE',
      `${t.name}: ${args.dest} cannot be written: ${t.redactor.clean(ran.stderr.toString('utf8').trim())}`,
    )
  return { changed: ran.values['changed'] === '1', values: { path: ran.values['path'] } }
}

async function whyUnneeded(t: Target, args: UriArgs): Promise<string | undefined> {
  if (args.creates === undefined && args.removes === undefined) return undefined
  const ran = await t.run(unneeded, { creates: args.creates ?? '', removes: args.removes ?? '' })
  return ran.values['why']
}

async function talk(t: Target, args: UriArgs, started: Date): Promise<Outcome> {
  const elapsed = (): number => Math.floor((t.operator.now().getTime() - started.getTime()) / 1000)
  try {
    const walked = await send(t, args)
    const values = { ...renderAnswer(args, walked), elapsed: elapsed() }
    const { status, reason, body } = walked.response
    if (!args.status_code.map(Number).includes(status))
      return {
        changed: false,
        failed: true,
        msg: `Status code was ${status} and not [${args.status_code.join(', ')}]: ${status < 300 ? `OK (${body.length} bytes)` : `HTTP Error ${status}: ${reason}`}`,
        values,
      }
    const msg = `HTTP ${status} (${body.length} bytes)`
    if (args.dest === undefined) return { changed: false, msg, values }
    const saved = await save(t, args, walked)
    return { ...saved, msg, values: { ...values, ...saved.values } }
  } catch (error) {
    if (!(error instanceof NoAnswer)) throw error
    return {
      changed: false,
      failed: true,
      msg: `Status code was -1 and not [${args.status_code.join(', ')}]: Request failed: ${error.message}`,
      values: {
        status: -1,
        url: args.url,
        redirected: false,
        elapsed: elapsed(),
        ...(args.return_content ? { content: '' } : {}),
      },
    }
  }
}

export const uri = defineAction({
  name: 'uri',
  summary: 'Sends an HTTP request and checks the answer.',
  notes: [
    'The connection is made by the target’s sshd (or by the operator’s machine with `from: operator`), HTTP and TLS are spoken on the operator’s machine: no secret of the request is on the host. Where sshd refuses forwarding, the host’s curl gets the whole request by its stdin.',
    'A server that cannot be reached gives status -1, so that `until: r.status == 200` can wait for it.',
    'Digest, GSSAPI, netrc and proxies are not supported. Credentials and cookies never follow a redirect to another origin.',
  ],
  params: uriParams,
  refused: refuseAll(
    'set them with the module file afterwards',
    'attr attributes group owner selevel serole setype seuser unsafe_writes',
  ),
  rules: { mutuallyExclusive: [['body', 'src']] },
  returns: {
    status: { doc: 'HTTP status; -1 when there was no answer.' },
    url: { doc: 'The URL that answered.' },
    redirected: { doc: 'Whether a redirect was followed.' },
    json: { doc: 'The body as data, when its type is JSON.' },
    content: { doc: 'The body as text, with return_content.' },
    cookies: { doc: 'Cookies by name.' },
    cookies_string: { doc: 'Cookies as one header.' },
    elapsed: { doc: 'Whole seconds.' },
    path: { doc: 'Where the body was written.' },
  },
  examples: `
- name: The panel is healthy
  ansible.builtin.uri:
    url: http://127.0.0.1:3000/api/health
  register: health
  until: health.status == 200
  retries: 10
  delay: 1
- name: Log in
  ansible.builtin.uri:
    url: http://127.0.0.1:3000/api/auth/login
    method: POST
    body_format: json
    body:
      email: admin@example.com
      password: "{{ secrets.ADMIN_PASSWORD }}"
`,
  async run(t, args) {
    for (const name of ['use_proxy', 'use_netrc', 'use_gssapi'] as const)
      if (args[name])
        throw problem('E_PARAMS', `uri: ${name}: true is not supported`, { hint: 'leave it out' })
    const why = await whyUnneeded(t, args)
    if (why !== undefined)
      return { changed: false, msg: `skipped, since ${why}`, values: { stdout: `skipped, since ${why}` } }
    return talk(t, args, t.operator.now())
  },
})
