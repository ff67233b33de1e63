import { problem } from '../core/error.ts'
import type { Target } from '../core/module.ts'
import { parseNetrc } from '../core/netrc.ts'
import { decodePercent } from '../core/percent.ts'
import { sh } from '../core/script.ts'
import { Secret } from '../core/secret.ts'
import { environmentParams } from './environment.ts'
import { plainText } from './uri-body.ts'
import type { HttpProxy, Route } from './uri-channel.ts'
import { type Credentials, renderBasic } from './uri-login.ts'

/** What a request takes from around it: who the environment says is between, and the netrc's login for its host. */
export interface Surroundings {
  readonly proxyOf: NonNullable<Route['proxyOf']>
  readonly login: Credentials | undefined
}
interface Asked {
  readonly from: Route['from']
  readonly use_proxy: boolean
  readonly use_netrc: boolean
}

const look = sh`
for n in $p_environment; do eval "export \"$n=\$p_env_$n\""; done
rt_set http "\${http_proxy-\${HTTP_PROXY-}}"
rt_set https "\${https_proxy-\${HTTPS_PROXY-}}"
rt_set no "\${no_proxy-\${NO_PROXY-}}"
if [ "$p_netrc" = 1 ]; then cat -- "\${NETRC:-$HOME/.netrc}" 2>/dev/null || :; fi
`

/** Those of the task's `environment:`; from the target also those of its session, and the netrc there. */
export async function surroundingsOf(t: Target, asked: Asked, url: URL): Promise<Surroundings> {
  const proxyOf = (proxies: Readonly<Record<string, string>>): Surroundings['proxyOf'] =>
    asked.use_proxy ? target => selectProxy(proxies, target) : () => undefined
  if (asked.from === 'operator') {
    const get = (name: string): string =>
      plainText(t.environment[name] ?? t.environment[name.toUpperCase()] ?? '')
    const proxies = { http: get('http_proxy'), https: get('https_proxy'), no: get('no_proxy') }
    return { proxyOf: proxyOf(proxies), login: undefined }
  }
  if (!asked.use_proxy && !asked.use_netrc) return { proxyOf: proxyOf({}), login: undefined }
  const ran = await t.run(look, { ...environmentParams(t), netrc: asked.use_netrc })
  const found = parseNetrc(ran.stdout.toString('utf8'), url.hostname.replace(/^\[|\]$/g, ''))
  const login = found?.user && found.password ? found : undefined
  if (login) t.redactor.add(new Secret(login.password, 'netrc'))
  return { proxyOf: proxyOf(ran.values), login }
}

/** Whether `no_proxy` names the host, a domain of it, or all: as Python's urllib reads it. */
function isNear({ hostname, host }: URL, no: string): boolean {
  const names = no.split(',').map(name => name.trim().replace(/^\.+/, '').toLowerCase())
  return names.some(
    name =>
      name === '*' || (name !== '' && [hostname, host].some(own => own === name || own.endsWith(`.${name}`))),
  )
}

function parseProxy(text: string): HttpProxy {
  const written = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`
  const url = URL.canParse(written) ? new URL(written) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw problem('E_PARAMS', 'the proxy that the environment names is none that is spoken to by HTTP', {
      hint: 'write http_proxy: http://HOST:PORT, or use_proxy: false',
    })
  const credentials = { user: decodePercent(url.username), password: decodePercent(url.password) }
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(url.port) || (url.protocol === 'https:' ? 443 : 80),
    url: new Secret(url.href, 'proxy'),
    ...(url.username === '' ? {} : { authorization: renderBasic(credentials) }),
  }
}

function selectProxy(
  { http = '', https = '', no = '' }: Readonly<Record<string, string>>,
  url: URL,
): HttpProxy | undefined {
  const text = url.protocol === 'https:' ? https : http
  return text === '' || isNear(url, no) ? undefined : parseProxy(text)
}
