import { problem } from '../core/error.ts'
import { defineAction, type Outcome, type Target } from '../core/module.ts'
import type { Args } from '../core/params.ts'
import { Secret } from '../core/secret.ts'
import { toValue } from '../core/value.ts'
import { mapText } from '../resources/secret-text.ts'
import { plainText } from './uri-body.ts'
import { NoAnswer } from './uri-channel.ts'
import { requestParams } from './uri-request.ts'
import { send } from './uri-send.ts'

const params = {
  url: { type: 'text', required: true, doc: 'The server: https://pve.example.com:8006' },
  auth: {
    type: 'secret',
    required: true,
    doc: 'The token that may do this, as `USER@REALM!ID=SECRET`. It needs User.Modify, and Permissions.Modify for `like`.',
  },
  token: { type: 'text', required: true, doc: 'The token that is meant, as `USER@REALM!ID`.' },
  state: {
    type: 'string',
    choices: ['present', 'absent'],
    default: 'present',
    doc: 'Whether it is to be there.',
  },
  like: {
    type: 'text',
    doc: 'A token of the same user: the new one is separated as it is and gets the same roles on the same paths.',
  },
  comment: {
    type: 'string',
    default: 'made by rota',
    doc: 'Kept with the token. One that is there with the same comment is made anew: nobody has its secret.',
  },
  ca_path: requestParams.ca_path,
  tls_fingerprint: requestParams.tls_fingerprint,
  timeout: requestParams.timeout,
  from: requestParams.from,
} as const
type TokenArgs = Args<typeof params>

interface TokenInfo {
  readonly tokenid: string
  readonly privsep?: number
  readonly comment?: string
}
interface AccessRule {
  readonly path: string
  readonly type: string
  readonly ugid: string
  readonly roleid: string
  readonly propagate?: number
}

const plainRequest = {
  body_format: 'form-urlencoded',
  decompress: true,
  remote_src: false,
  status_code: [],
  unredirected_headers: [],
  force_basic_auth: false,
  http_agent: 'rota',
  validate_certs: true,
  ciphers: [],
  use_proxy: false,
  use_netrc: false,
  follow_redirects: 'none',
} as const

/** One request of the API; what its `data` holds. Throws E_TASK for every answer but 200. */
async function ask(
  t: Target,
  args: TokenArgs,
  method: string,
  path: string,
  form?: Readonly<Record<string, string | number>>,
): Promise<unknown> {
  const { ca_path, tls_fingerprint, timeout, from } = args
  const header = mapText([args.auth], auth => `PVEAPIToken=${auth}`)
  try {
    const { response } = await send(t, {
      ...plainRequest,
      url: `${plainText(args.url).replace(/\/+$/, '')}/api2/json${path}`,
      method,
      headers: new Map([['authorization', header]]),
      ...(form && { body: toValue(form) }),
      ...{ timeout, from, ...(ca_path && { ca_path }), ...(tls_fingerprint && { tls_fingerprint }) },
    })
    if (response.status !== 200)
      throw problem('E_TASK', `Proxmox answers ${response.status} to ${method} ${path}`, {
        hint: 'check that the token of `auth` is right and has User.Modify (and Permissions.Modify for `like`)',
      })
    return (JSON.parse(response.body.toString('utf8')) as { readonly data?: unknown }).data
  } catch (error) {
    if (error instanceof NoAnswer) throw problem('E_TASK', `Proxmox does not answer: ${error.message}`)
    if (error instanceof SyntaxError)
      throw problem('E_TASK', 'Proxmox answers with something that is not JSON')
    throw error
  }
}

interface TokenName {
  readonly user: string
  readonly id: string
  readonly full: string
}

/** Throws E_PARAMS for what is no token id. */
function parseToken(given: string | Secret): TokenName {
  const full = plainText(given)
  const [, user, id] = /^([^!/]+@[^!/]+)!([A-Za-z][\w.-]+)$/.exec(full) ?? []
  if (user !== undefined && id !== undefined) return { user, id, full }
  throw problem('E_PARAMS', `proxmox_token: ${given instanceof Secret ? 'the token' : full} is no token id`, {
    hint: 'write USER@REALM!ID, without =SECRET',
  })
}

const tokensOf = (user: string): string => `/access/users/${encodeURIComponent(user)}/token`

async function listTokens(t: Target, args: TokenArgs, user: string): Promise<readonly TokenInfo[]> {
  return (await ask(t, args, 'GET', tokensOf(user))) as readonly TokenInfo[]
}

async function removeToken(t: Target, args: TokenArgs, { user, id }: TokenName): Promise<void> {
  await ask(t, args, 'DELETE', `${tokensOf(user)}/${id}`)
}

/** Gives the token every role that the other one has. */
async function copyRules(t: Target, args: TokenArgs, from: string, to: string): Promise<number> {
  const all = (await ask(t, args, 'GET', '/access/acl')) as readonly AccessRule[]
  const rules = all.filter(rule => rule.type === 'token' && rule.ugid === from)
  for (const { path, roleid, propagate = 1 } of rules)
    await ask(t, args, 'PUT', '/access/acl', { path, roles: roleid, tokens: to, propagate })
  return rules.length
}

async function make(t: Target, args: TokenArgs, token: TokenName): Promise<Outcome> {
  const known = await listTokens(t, args, token.user)
  const there = known.find(({ tokenid }) => tokenid === token.id)
  if (there !== undefined && there.comment !== args.comment)
    throw problem('E_TASK', `Proxmox has a token ${token.full} already, and its secret is shown only once`, {
      hint: 'give the new token another id',
    })
  const like = args.like === undefined ? undefined : parseToken(args.like)
  const model = known.find(({ tokenid }) => tokenid === like?.id)
  if (like && (like.user !== token.user || !model))
    throw problem('E_TASK', `Proxmox has no token ${like.full} of ${token.user}`, {
      hint: 'like wants a token of the same user',
    })
  if (there) await removeToken(t, args, token)
  const made = (await ask(t, args, 'POST', `${tokensOf(token.user)}/${token.id}`, {
    comment: args.comment,
    privsep: model?.privsep ?? 1,
  })) as { readonly value?: string } | undefined
  if (typeof made?.value !== 'string')
    throw problem('E_TASK', 'Proxmox made a token and did not say its secret')
  const value = new Secret(made.value, 'PROXMOX_TOKEN_SECRET')
  t.redactor.add(value)
  const rules = like ? await copyRules(t, args, like.full, token.full) : 0
  return { changed: true, msg: `made ${token.full}, ${rules} roles`, values: { token: token.full, value } }
}

export const proxmox_token = defineAction({
  name: 'proxmox_token',
  summary: 'Makes or deletes an API token of a Proxmox VE user.',
  notes: [
    'A token’s secret is shown once, when it is made: it is returned as a secret and nowhere else.',
    'The certificate has to be trusted by this machine or the host, or be named by ca_path or tls_fingerprint.',
  ],
  params,
  returns: {
    token: { doc: 'The full id.' },
    value: { doc: 'The secret of a token that was made.' },
  },
  examples: `
- name: A second token with the rights of the one in force
  proxmox_token:
    url: https://pve.example.com:8006
    auth: "{{ proxmox_admin_token }}"
    token: panel@pve!rota-20261123
    like: panel@pve!panel
  register: made
`,
  async run(t, args): Promise<Outcome> {
    const token = parseToken(args.token)
    if (args.state === 'present') return make(t, args, token)
    const known = await listTokens(t, args, token.user)
    if (!known.some(({ tokenid }) => tokenid === token.id))
      return { changed: false, msg: `there is no ${token.full}`, values: { token: token.full } }
    await removeToken(t, args, token)
    return { changed: true, msg: `deleted ${token.full}`, values: { token: token.full } }
  },
})
