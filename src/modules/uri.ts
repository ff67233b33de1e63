import { problem, RotaError } from '../core/error.ts'
import { defineAction, type Outcome, type Target } from '../core/module.ts'
import { sh } from '../core/script.ts'
import { Secret } from '../core/secret.ts'
import { toValue, type Value } from '../core/value.ts'
import { readFile } from '../resources/file.ts'
import { resultOf } from '../resources/file-want.ts'
import { downloadName } from './download.ts'
import { readOptions } from './file-params.ts'
import { placeBytes } from './staged-file.ts'
import { NoAnswer } from './uri-channel.ts'
import type { HttpResponse } from './uri-exchange.ts'
import type { Walked } from './uri-follow.ts'
import { type UriArgs, uriParams } from './uri-request.ts'
import { send } from './uri-send.ts'

const unneeded = sh`
if [ -n "$p_creates" ] && [ -e "$p_creates" ]; then rt_set why "'$p_creates' exists"; fi
if [ -n "$p_removes" ] && ! [ -e "$p_removes" ]; then rt_set why "'$p_removes' does not exist"; fi
`
/** The body as text, in the charset that its type names. */
function textOf({ headers, body }: HttpResponse): string {
  const charset = /;\s*charset="?([\w.:-]+)/i.exec(headers.get('content-type') ?? '')?.[1] ?? 'utf-8'
  try {
    return new TextDecoder(charset, { ignoreBOM: true }).decode(body)
  } catch {
    return body.toString('utf8')
  }
}

/** The body as JSON when its type says so; undefined for what is none. */
function parseJson(response: HttpResponse): Value | undefined {
  if (!/^[^;]*[/+](?:json|javascript)\s*(?:;|$)/i.test(response.headers.get('content-type') ?? ''))
    return undefined
  try {
    return toValue(JSON.parse(textOf(response)))
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
    ...(args.return_content ? { content: textOf(response) } : {}),
  }
}

/** A 304 says that the file is good as it is. */
async function save(t: Target, args: UriArgs, { response, url }: Walked): Promise<Outcome> {
  const options = { ...readOptions(args), follow: true, digest: true, into: nameInFolder(response, url) }
  try {
    const before = await readFile(t, args.dest ?? '', options)
    if (response.status === 304) return { changed: false, values: { path: before.path } }
    const { after, changed } = await placeBytes(t, before, response.body, args)
    return { changed, values: { ...resultOf(after), path: after.path } }
  } catch (error) {
    if (!(error instanceof RotaError) || error.code !== 'E_TASK') throw error
    throw problem('E_TASK', `Could not replace file: ${error.message}`, {
      hint: 'check that its folder is there and that the user may write to it',
    })
  }
}

const nameInFolder = (response: HttpResponse, url: URL): string =>
  downloadName({ response, url }).replaceAll('/', '_')

/** When the file that is to be replaced was written: what is not newer on the server need not be sent. */
async function sinceOf(t: Target, args: UriArgs): Promise<Date | undefined> {
  if (args.dest === undefined) return undefined
  const { kind, modifiedAt } = await readFile(t, args.dest, { follow: true, times: true })
  return kind === 'file' && modifiedAt !== undefined ? new Date(modifiedAt * 1000) : undefined
}

async function whyUnneeded(t: Target, args: UriArgs): Promise<string | undefined> {
  if (args.creates === undefined && args.removes === undefined) return undefined
  const ran = await t.run(unneeded, { creates: args.creates ?? '', removes: args.removes ?? '' })
  return ran.values['why']
}

async function talk(t: Target, args: UriArgs, started: Date): Promise<Outcome> {
  const elapsed = (): number => Math.floor((t.operator.now().getTime() - started.getTime()) / 1000)
  try {
    const since = await sinceOf(t, args)
    const headers = since && new Map([['if-modified-since', since.toUTCString()], ...(args.headers ?? [])])
    const walked = await send(t, { ...args, ...(headers && { headers }) })
    const values = { ...renderAnswer(args, walked), elapsed: elapsed() }
    const { status, reason, headers: got } = walked.response
    const isOk = status < 300
    const msg = isOk
      ? `OK (${got.get('content-length') ?? 'unknown'} bytes)`
      : `HTTP Error ${status}: ${reason}`
    if (!args.status_code.map(Number).includes(status)) return failed(args, status, msg, values)
    if (args.dest === undefined) return { changed: false, msg, values }
    const saved = await save(t, args, walked)
    return { ...saved, msg, values: { ...values, ...saved.values } }
  } catch (error) {
    if (!(error instanceof NoAnswer)) throw error
    return failed(args, -1, `Request failed: ${error.message}`, {
      status: -1,
      url: args.url,
      redirected: false,
      elapsed: elapsed(),
      ...(args.return_content ? { content: '' } : {}),
    })
  }
}

function failed(
  args: UriArgs,
  status: number,
  why: string,
  values: Readonly<Record<string, unknown>>,
): Outcome {
  const msg = `Status code was ${status} and not [${args.status_code.join(', ')}]: ${why}`
  return { changed: false, failed: true, msg, values }
}

export const uri = defineAction({
  name: 'uri',
  summary: 'Sends an HTTP request and checks the answer.',
  notes: [
    'The connection is made by the target’s sshd (or by the operator’s machine with `from: operator`), HTTP and TLS are spoken on the operator’s machine: no secret of the request is on the host. Where sshd refuses forwarding, the host’s curl gets the whole request by its stdin.',
    'A server that cannot be reached gives status -1, so that `until: r.status == 200` can wait for it.',
    'GSSAPI is not supported. Credentials and cookies never follow a redirect to another origin.',
  ],
  params: uriParams,
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
    const why = await whyUnneeded(t, args)
    if (why !== undefined) return { changed: false, values: { stdout: `skipped, since ${why}` } }
    return talk(t, args, t.operator.now())
  },
})
