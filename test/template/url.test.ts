// lookup('url') through proxies and with the logins of netrc. The servers are a process of their own: a lookup does not yield.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { parseNetrc } from '../../src/core/netrc.ts'
import { Template } from '../../src/core/value.ts'
import { createTemplar } from '../../src/template/templar.ts'
import { makeCertificate } from '../doubles/certificate.ts'
import { here, options, scopeOf } from './engine.ts'

const servers = `
const { key, cert } = JSON.parse(process.argv[1])
const tell = by => (request, response) => {
  const { authorization = '-', 'proxy-authorization': proxied = '-', host } = request.headers
  if (request.url === '/away') return response.writeHead(302, { location: 'http://localhost:' + plain.address().port + '/there' }).end()
  response.end([by, request.url, authorization, proxied].join(' '))
}
const plain = require('node:http').createServer(tell('plain')).listen(0)
const sealed = require('node:https').createServer({ key, cert }, tell('sealed')).listen(0, '127.0.0.1')
const proxy = require('node:http').createServer(tell('proxy'))
proxy.on('connect', (request, socket) => {
  if (request.headers['proxy-authorization'] === undefined) return socket.end('HTTP/1.1 407 No\\r\\n\\r\\n')
  const onward = require('node:net').connect(sealed.address().port, '127.0.0.1', () => {
    socket.write('HTTP/1.1 200 OK\\r\\n\\r\\n')
    socket.pipe(onward).pipe(socket)
  })
  // Who does not trust the certificate hangs up in the middle of the handshake.
  for (const end of [socket, onward]) end.on('error', () => [socket, onward].forEach(each => each.destroy()))
})
proxy.listen(0, () => console.log([plain, sealed, proxy].map(each => each.address().port).join(' ')))
`
const folder = mkdtempSync(join(tmpdir(), 'rota-url-'))
const netrc = join(folder, 'netrc')
const ca = join(folder, 'ca.pem')
const { key, cert } = makeCertificate('here', ['127.0.0.1'])
const child = spawn(process.execPath, ['-e', servers, JSON.stringify({ key, cert })], {
  stdio: ['ignore', 'pipe', 'inherit'],
})
let ports: readonly string[] = []
beforeAll(async () => {
  const [said] = await once(child.stdout, 'data')
  ports = String(said).trim().split(' ')
  writeFileSync(
    netrc,
    '# mine\nmachine 127.0.0.1\n  login me password "p w"\nmachine x login no password no\n',
  )
  writeFileSync(ca, cert)
})
afterAll(() => {
  child.kill()
  rmSync(folder, { recursive: true })
})
const basic = (login: string) => `Basic ${Buffer.from(login).toString('base64')}`

function lookUp(url: string, env: Readonly<Record<string, string>>, more = ''): unknown {
  const templar = createTemplar({ ...options, env: name => env[name] })
  return templar.render(new Template(`{{ lookup('url', '${url}'${more}) }}`, here), scopeOf({}))
}

it('goes through the proxy of the environment, unless the host needs none or the task wants none', () => {
  const [plain, , proxy] = ports
  const env = { http_proxy: `http://u:p%40@localhost:${proxy}`, NO_PROXY: 'localhost,.example' }
  const url = `http://127.0.0.1:${plain}/x`
  expect(lookUp(url, env)).toBe(`proxy ${url} - ${basic('u:p@')}`)
  expect(lookUp(`http://localhost:${plain}/x`, env)).toBe('plain /x - -')
  expect(lookUp(url, env, ', use_proxy=false')).toBe('plain /x - -')
})

it('reaches https through a tunnel, and checks the certificate at its end', () => {
  const [, sealed, proxy] = ports
  const url = `https://127.0.0.1:${sealed}/x`
  const env = { https_proxy: `u:p@localhost:${proxy}`, NETRC: netrc }
  expect(lookUp(url, env, `, ca_path='${ca}'`)).toBe(`sealed /x ${basic('me:p w')} -`)
  expect(() => lookUp(url, env)).toThrow(/certificate/)
  expect(() => lookUp(url, { HTTPS_PROXY: `localhost:${proxy}` })).toThrow(/Tunnel connection failed: 407/)
})

it('takes a login from netrc, and not along to another host', () => {
  const [plain] = ports
  const url = `http://127.0.0.1:${plain}`
  expect(lookUp(`${url}/x`, { NETRC: netrc })).toBe(`plain /x ${basic('me:p w')} -`)
  expect(lookUp(`${url}/x`, { NETRC: netrc }, ', use_netrc=false')).toBe('plain /x - -')
  expect(lookUp(`${url}/x`, { NETRC: netrc }, ", username='a', password='b'")).toBe(
    `plain /x ${basic('a:b')} -`,
  )
  expect(lookUp(`${url}/away`, { NETRC: netrc })).toBe('plain /there - -')
})

it('reads netrc files', () => {
  const login = (text: string) => {
    const found = parseNetrc(text, 'a')
    return found && `${found.user}:${found.password}`
  }
  expect(login('machine b login x password y\ndefault login d password e')).toBe('d:e')
  expect(login('# mine\nmachine a login x account q password "a\\"b" machine a login z')).toBe('x:a"b')
  expect(login('macdef init\nmachine a login x\n\nmachine c login z password w')).toBeUndefined()
  expect(login('machine a login x password #1')).toBe('x:#1')
})
