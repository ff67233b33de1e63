import { problem } from '../core/error.ts'
import type { Target } from '../core/module.ts'
import type { Args } from '../core/params.ts'
import { decodePercent } from '../core/percent.ts'
import { Secret } from '../core/secret.ts'
import { NoAnswer } from './uri-channel.ts'
import type { Walked } from './uri-follow.ts'
import { requestParams } from './uri-request.ts'
import { send } from './uri-send.ts'

/** Options of modules that fetch a file by HTTP. */
export const downloadParams = {
  headers: requestParams.headers,
  url_username: { ...requestParams.url_username, aliases: ['username'] },
  url_password: { ...requestParams.url_password, aliases: ['password'] },
  force_basic_auth: requestParams.force_basic_auth,
  http_agent: requestParams.http_agent,
  validate_certs: requestParams.validate_certs,
  client_cert: requestParams.client_cert,
  client_key: requestParams.client_key,
  ciphers: requestParams.ciphers,
  unredirected_headers: requestParams.unredirected_headers,
  decompress: requestParams.decompress,
  timeout: { type: 'int', default: 10, doc: 'Seconds for connecting, and for the server to say something.' },
  use_proxy: requestParams.use_proxy,
  use_netrc: requestParams.use_netrc,
  use_gssapi: requestParams.use_gssapi,
} as const
export type DownloadArgs = Args<typeof downloadParams>

/** A download of which nothing more is said. */
export const plainDownload: DownloadArgs = {
  force_basic_auth: false,
  http_agent: 'rota',
  validate_certs: true,
  ciphers: [],
  unredirected_headers: [],
  decompress: true,
  timeout: 30,
  use_proxy: true,
  use_netrc: true,
}

/** `uri` with the options that a download has no say in. */
const plainGet = {
  method: 'GET',
  body_format: 'raw',
  remote_src: false,
  status_code: ['200'],
  follow_redirects: 'urllib2',
  from: 'target',
} as const

export const isUrl = (text: string): boolean => /^(?:https?|file):\/\//i.test(text)

/** For messages: a secret by its label. */
const nameOf = (url: string | Secret): string => (url instanceof Secret ? String(url.toJSON()) : url)

/**
 * The file behind a URL, as the target sees the network: by a connection of its sshd, HTTP being spoken on the operator's machine.
 * `since`: an answer of 304 is one, too. Throws E_TASK when there is no answer, or another than 200: `register` gets its status.
 */
export async function download(
  t: Target,
  url: string | Secret,
  args: DownloadArgs,
  since?: Date,
): Promise<Walked> {
  const headers = since && new Map([['if-modified-since', since.toUTCString()], ...(args.headers ?? [])])
  try {
    const walked = await send(t, { ...plainGet, ...args, ...(headers && { headers }), url })
    const { status, reason } = walked.response
    if (status !== 200 && !(since && status === 304))
      throw problem('E_TASK', `Request failed: HTTP Error ${status}: ${reason} for ${nameOf(url)}`, {
        hint: status === 401 || status === 403 ? 'give url_username and url_password' : 'check the URL',
        values: { status_code: status, response: `HTTP Error ${status}: ${reason}`, url },
      })
    return walked
  } catch (error) {
    if (!(error instanceof NoAnswer)) throw error
    throw problem('E_TASK', `Request failed: no answer from ${nameOf(url)}: ${error.message}`, {
      hint: 'check that the host can reach it, or give a longer timeout',
      values: { status_code: -1, response: error.message, url },
    })
  }
}

/** The file's name by the server's Content-Disposition, else by the URL. */
export function downloadName({ response, url }: Pick<Walked, 'response' | 'url'>): string {
  const said = /filename="?([^";]+)"?/i.exec(response.headers.get('content-disposition') ?? '')?.[1]
  return nameOfPath(said ?? decodePercent(url.pathname))
}

/** The last part of a path; `index.html` when it has none. */
export function nameOfPath(path: string): string {
  return path.split('/').at(-1)?.trim() || 'index.html'
}
