// The panel: a health check, a login, pages that need one, and the webhooks of payment providers.
import { existsSync } from 'node:fs'
import { createServer } from 'node:http'
import { digestOf, isPassword, readToken, signToken } from './credentials.mjs'
import { isReachable, openDatabase } from './database.mjs'
import { proxmoxVersion } from './proxmox.mjs'
import { readSettings } from './settings.mjs'
import { eventOf, keyOfDelivery, providers } from './webhooks.mjs'

const settings = readSettings()
const database = openDatabase(settings.databaseUrl)
const accessLifetimeS = 15 * 60
const refreshLifetimeS = 7 * 24 * 3600

const json = (status, body) => ({ status, type: 'application/json', text: `${JSON.stringify(body)}\n` })
const refused = json(401, { error: 'unauthorized' })

/** Of the request's body at most 64 KiB, as it came. */
async function rawBodyOf(request) {
  const chunks = []
  let sizeBytes = 0
  for await (const chunk of request) {
    sizeBytes += chunk.length
    if (sizeBytes > 65536) return Buffer.alloc(0)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** Anything that is not a JSON object is an empty one. */
async function bodyOf(request) {
  try {
    return Object(JSON.parse((await rawBodyOf(request)).toString()))
  } catch {
    return {}
  }
}

async function health() {
  await isReachable(settings.databaseUrl)
  return json(200, { status: 'ok', database: 'ok' })
}

function tokensOf(session, user) {
  const claims = { sub: user, sid: session }
  return {
    accessToken: signToken({ ...claims, kind: 'access' }, settings.jwtSecret, accessLifetimeS),
    refreshToken: signToken({ ...claims, kind: 'refresh' }, settings.jwtRefreshSecret, refreshLifetimeS),
  }
}

async function login(request) {
  const { email, password } = await bodyOf(request)
  const user = await database.findUser(String(email))
  if (!user || !isPassword(String(password), user.passwordHash)) return refused
  const session = await database.openSession(user.id)
  const tokens = tokensOf(session, user.id)
  await database.keepRefreshToken(session, digestOf(tokens.refreshToken))
  await database.log(`login of ${user.email}`)
  return json(200, tokens)
}

async function refresh(request) {
  const { refreshToken } = await bodyOf(request)
  const claims = readToken(String(refreshToken), settings.jwtRefreshSecret, 'refresh')
  const session = claims && (await database.findSession(claims.sid))
  if (!session || session.refreshTokenHash !== digestOf(refreshToken)) return refused
  return json(200, { accessToken: tokensOf(claims.sid, claims.sub).accessToken })
}

async function sessionOf(request) {
  const token = request.headers.authorization?.match(/^Bearer (\S+)$/)?.[1]
  const keys = [settings.jwtSecret, settings.jwtSecretPrevious].filter(Boolean)
  const claims = token && keys.map(key => readToken(token, key, 'access')).find(Boolean)
  return claims ? database.findSession(claims.sid) : undefined
}

/** A payment provider tells of a payment. What is sent to try the signature alone is no delivery and is not counted. */
async function webhook(provider, request) {
  const body = await rawBodyOf(request)
  const key = keyOfDelivery(provider, settings.webhookKeys[provider], request.headers, body)
  if (!key) return refused
  const event = eventOf(body)
  if (event !== 'rota.verification') await database.keepDelivery(provider, key, event)
  return json(200, { received: true })
}

async function proxmoxPage() {
  if (!settings.proxmox) return '<h1>Proxmox</h1><p>not set up</p>'
  return `<h1>Proxmox</h1><p>version ${await proxmoxVersion(settings.proxmox)}</p>`
}

const pages = {
  '/rbac': session => `<h1>Roles</h1><p>${session.email} is ${session.role}</p>`,
  '/profile': session => `<h1>Profile</h1><p>${session.email}</p>`,
  '/system': () => `<h1>System</h1><p>up for ${Math.floor(process.uptime())} s</p>`,
  '/settings/proxmox': proxmoxPage,
  '/audit-logs': async () =>
    `<h1>Audit log</h1><ul>${(await database.recentLog()).map(({ what }) => `<li>${what}</li>`).join('')}</ul>`,
}

let healthChecks = 0
/** The other practice fault: while there is a file `fault.flaky`, every other health check fails. */
function isFaulty(route) {
  if (settings.broken) return true
  return route === 'GET /api/health' && existsSync('fault.flaky') && healthChecks++ % 2 === 1
}

async function answer(request) {
  const route = `${request.method} ${new URL(request.url, 'http://panel').pathname}`
  if (isFaulty(route)) return json(500, { error: 'internal' })
  if (route === 'GET /api/health') return health()
  if (route === 'POST /api/auth/login') return login(request)
  if (route === 'POST /api/auth/refresh') return refresh(request)
  const provider = providers.find(each => route === `POST /api/webhooks/${each}`)
  if (provider) return webhook(provider, request)
  if (route === 'GET /api/webhooks/deliveries')
    return (await sessionOf(request)) ? json(200, await database.countDeliveries()) : refused
  const page = route.startsWith('GET ') ? pages[route.slice(4)] : undefined
  if (!page) return json(404, { error: 'not found' })
  const session = await sessionOf(request)
  return session
    ? { status: 200, type: 'text/html', text: `<!doctype html>${await page(session)}\n` }
    : refused
}

/** Writes the answer; what goes wrong is told to the log by its code and to the client as 503. */
async function respond(request, response) {
  const { status, type, text } = await answer(request).catch(error => {
    process.stderr.write(`${request.method} ${request.url}: ${error.code ?? error.message}\n`)
    return json(503, { error: 'unavailable' })
  })
  response.writeHead(status, { 'content-type': type }).end(text)
}

const server = createServer((request, response) => void respond(request, response))
server.listen(settings.port, settings.host, () => process.stdout.write(`listening on ${settings.port}\n`))

for (const signal of ['SIGTERM', 'SIGINT'])
  process.once(signal, () => {
    server.close(() => database.close().then(() => process.exit(0)))
    server.closeIdleConnections()
  })
