import type { Session } from '../compile/session.ts'

export const MOST_REDIRECTS = 10

/** How the web is reached from the operator's machine, from its environment as curl and Python read it. */
export interface Way {
  /** Proxies by the protocol that goes through them (`http:`). */
  readonly proxies: Readonly<Record<string, string>>
  /** Hosts, and domains with all that is in them, that are reached without; `*`: all. */
  readonly bypass: readonly string[]
}

/** By http_proxy, https_proxy and no_proxy, in small letters first. */
export function selectWay({ world }: Session): Way {
  const env = (name: string): string => world.env(name) ?? world.env(name.toUpperCase()) ?? ''
  const entries = ['http', 'https'].flatMap(name => {
    const proxy = env(`${name}_proxy`)
    return proxy === '' ? [] : [[`${name}:`, proxy.includes('://') ? proxy : `http://${proxy}`]]
  })
  const bypass = env('no_proxy').split(',')
  return {
    proxies: Object.fromEntries(entries),
    bypass: bypass.map(each => each.trim().replace(/^\./, '').toLowerCase()).filter(each => each !== ''),
  }
}

/**
 * Run by a second node, since a template cannot wait: reads what to get as JSON on stdin (headers and passwords are nobody else's to see)
 * and writes `{status, body}` or `{error}`. A login is not taken along to another host, port or protocol.
 */
export const fetcher = `
const http = require('node:http')
const https = require('node:https')
const tls = require('node:tls')
const asked = JSON.parse(require('node:fs').readFileSync(0, 'utf8'))
const answer = result => process.stdout.write(JSON.stringify(result))
const trust = { rejectUnauthorized: asked.isChecked, ca: asked.caFile && require('node:fs').readFileSync(asked.caFile), ciphers: asked.ciphers }
const isWithin = (host, domain) => domain === '*' || host === domain || host.endsWith('.' + domain)
const proxyOf = ({ protocol, hostname }) => {
  const proxy = asked.socket || asked.bypass.some(each => isWithin(hostname, each)) ? undefined : asked.proxies[protocol]
  return proxy && new URL(proxy)
}
const loginOf = ({ username, password }) =>
  username ? { 'Proxy-Authorization': 'Basic ' + Buffer.from(decodeURIComponent(username) + ':' + decodeURIComponent(password)).toString('base64') } : {}
const watch = request => {
  request.on('timeout', () => request.destroy(new Error('no answer within ' + asked.timeoutMs / 1000 + ' s')))
  request.on('error', ({ code, message }) => answer({ error: message || code, code }))
}
const get = (url, headers, left) => {
  const take = response => {
    const { statusCode: status, headers: { location } } = response
    if (asked.follows && status >= 300 && status < 400 && location && left > 0) {
      response.resume()
      const next = new URL(location, url)
      const { Authorization, ...others } = headers
      return get(next, next.origin === url.origin ? headers : others, left - 1)
    }
    const parts = []
    response.on('data', part => parts.push(part)).on('end', () => answer({ status, body: Buffer.concat(parts).toString('utf8') }))
  }
  const timeout = asked.timeoutMs
  const proxy = proxyOf(url)
  const isSealed = url.protocol === 'https:'
  if (!proxy) {
    const place = asked.socket ? { socketPath: asked.socket } : {}
    return watch((isSealed ? https : http).get(url, { headers, timeout, ...(isSealed && trust), ...place }, take))
  }
  const there = { host: proxy.hostname, port: proxy.port || 80, timeout }
  if (!isSealed)
    return watch(http.get({ ...there, path: url.href, headers: { ...headers, Host: url.host, ...loginOf(proxy) } }, take))
  const path = url.hostname + ':' + (url.port || 443)
  const tunnel = http.request({ ...there, method: 'CONNECT', path, headers: { Host: path, ...loginOf(proxy) } })
  watch(tunnel)
  tunnel.on('connect', ({ statusCode }, socket) => {
    if (statusCode !== 200) return socket.destroy(), answer({ error: 'Tunnel connection failed: ' + statusCode })
    const createConnection = () => tls.connect({ socket, servername: url.hostname, ...trust })
    watch(https.get(url, { headers, timeout, createConnection }, take))
  }).end()
}
get(new URL(asked.url), asked.headers, ${MOST_REDIRECTS})
`
