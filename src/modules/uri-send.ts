import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { problem } from '../core/error.ts'
import type { Target } from '../core/module.ts'
import { describe, NoAnswer } from './uri-channel.ts'
import type { HttpRequest } from './uri-exchange.ts'
import { type Follow, follow, type Walked } from './uri-follow.ts'
import { answerChallenge, renderBasic } from './uri-login.ts'
import { credentialsOf, parseUrl, type RequestArgs, requestOf, routeOf } from './uri-request.ts'
import { surroundingsOf } from './uri-surroundings.ts'

const unzip = promisify(gunzip)

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
export async function send(t: Target, args: RequestArgs): Promise<Walked> {
  const walked = await walk(t, args)
  return args.decompress ? decompressed(walked) : walked
}

/** Sends it; with a login that need not be sent at once, a second time when the server asks for it. */
async function walk(t: Target, args: RequestArgs): Promise<Walked> {
  if (args.use_gssapi)
    throw problem('E_PARAMS', 'use_gssapi: true is not supported', { hint: 'leave it out' })
  const url = parseUrl(args.url)
  const credentials = credentialsOf(args, url)
  const how = follows[String(args.follow_redirects)]
  if (how === undefined)
    throw problem('E_PARAMS', `uri: follow_redirects: ${String(args.follow_redirects)} is not known`, {
      hint: 'use safe, all, none or urllib2',
    })
  const request = await requestOf(t, args, url)
  const around = await surroundingsOf(t, { ...args, use_netrc: args.use_netrc && !credentials }, url)
  const route = { ...(await routeOf(t, args)), proxyOf: around.proxyOf }
  const unredirected = args.unredirected_headers.map(name => name.toLowerCase())
  const atOnce = around.login ?? (args.force_basic_auth ? credentials : undefined)
  const first: HttpRequest =
    atOnce === undefined
      ? request
      : { ...request, headers: new Map([...request.headers, ['authorization', renderBasic(atOnce)]]) }
  return follow(t, route, first, how, unredirected, (header, method, at) =>
    credentials && !atOnce ? answerChallenge(header, credentials, method, at) : undefined,
  )
}
