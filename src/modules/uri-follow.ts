import type { Target } from '../core/module.ts'
import type { Route } from './uri-channel.ts'
import { exchange, type HttpRequest, type HttpResponse } from './uri-exchange.ts'

export type Follow = 'all' | 'none' | 'safe' | 'urllib2'

/** What the whole walk over redirects came to. */
export interface Walked {
  readonly response: HttpResponse
  readonly url: URL
  readonly redirected: boolean
  /** Every cookie that was set on the way and is still there. */
  readonly cookies: ReadonlyMap<string, string>
}

/** Requests may be redirected this often, as in Python's urllib. */
const MOST_REDIRECTS = 10
/** Never sent to another origin than the one they were meant for. */
const CREDENTIALS = ['authorization', 'cookie', 'proxy-authorization']

const isRead = (method: string): boolean => method === 'GET' || method === 'HEAD'

/** May this answer be followed? `safe` is Ansible's default: only for requests that read. */
function wantFollow(follow: Follow, method: string, status: number): boolean {
  if (![301, 302, 303, 307, 308].includes(status) || follow === 'none') return false
  if (follow === 'all' || isRead(method)) return true
  return follow === 'urllib2' && method === 'POST' && status <= 303
}

/**
 * The request to send to the new place: RFC 9110 section 15.4, with the method changes that browsers made customary. Python's urllib2
 * only ever gets.
 */
function redirect(
  request: HttpRequest,
  how: Follow,
  status: number,
  url: URL,
  dropped: readonly string[],
): HttpRequest {
  const toGet =
    how === 'urllib2' ||
    (status === 303 && request.method !== 'HEAD') ||
    (status === 302 && !isRead(request.method)) ||
    (status === 301 && request.method === 'POST')
  const gone = [
    ...dropped,
    ...(url.origin === request.url.origin ? [] : CREDENTIALS),
    ...(toGet ? ['content-type', 'content-length'] : []),
  ]
  return {
    method: toGet ? 'GET' : request.method,
    url,
    headers: new Map([...request.headers].filter(([name]) => !gone.includes(name))),
    body: toGet ? undefined : request.body,
  }
}

/** Name and value of `NAME=value; Path=/; …`. */
function parseCookie(text: string): readonly [string, string] {
  const pair = text.split(';')[0]!
  const at = pair.indexOf('=')
  return at < 0 ? ['', pair.trim()] : [pair.slice(0, at).trim(), pair.slice(at + 1).trim()]
}

function withCookies(request: HttpRequest, cookies: ReadonlyMap<string, string>): HttpRequest {
  if (cookies.size === 0 || request.headers.has('cookie')) return request
  const text = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
  return { ...request, headers: new Map([...request.headers, ['cookie', text]]) }
}

/** The Authorization header that an answer of 401 asks for, where there is one to give. */
export type Login = (header: string, method: string, url: URL) => string | undefined

/** Sends the request and follows redirects. Only the first one's origin gets what `login` gives. Throws NoAnswer. */
export async function follow(
  t: Target,
  route: Route,
  first: HttpRequest,
  how: Follow,
  unredirected: readonly string[],
  login: Login,
): Promise<Walked> {
  const cookies = new Map<string, string>()
  const send = async (request: HttpRequest): Promise<HttpResponse> => {
    const own = request.url.origin === first.url.origin
    const response = await exchange(t, route, own ? withCookies(request, cookies) : request)
    for (const [name, value] of response.setCookies.map(parseCookie)) cookies.set(name, value)
    return response
  }
  let request = first
  for (let hop = 0; ; hop++) {
    let response = await send(request)
    const asked = response.status === 401 && request.url.origin === first.url.origin
    const answer = asked && login(response.headers.get('www-authenticate') ?? '', request.method, request.url)
    if (answer)
      response = await send({ ...request, headers: new Map([...request.headers, ['authorization', answer]]) })
    const location = response.headers.get('location')
    const next =
      location === undefined || !URL.canParse(location, request.url.href)
        ? undefined
        : new URL(location, request.url)
    const isHttp = next !== undefined && /^https?:$/.test(next.protocol)
    if (!isHttp || hop === MOST_REDIRECTS || !wantFollow(how, request.method, response.status))
      return { response, url: request.url, redirected: hop > 0, cookies }
    request = redirect(request, how, response.status, next, unredirected)
  }
}
