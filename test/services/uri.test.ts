// uri against real servers on loopback: over a forwarded channel, from the operator, and by the target's curl.
import { execFile, execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Duplex } from 'node:stream'
import type { TLSSocket } from 'node:tls'
import { promisify } from 'node:util'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Target } from '../../src/core/module.ts'
import { parseNetrc } from '../../src/core/netrc.ts'
import { Secret } from '../../src/core/secret.ts'
import { toValue } from '../../src/core/value.ts'
import { uri } from '../../src/modules/uri.ts'
import { renderJson } from '../../src/modules/uri-body.ts'
import { answerChallenge } from '../../src/modules/uri-login.ts'
import { missing } from './postgres.ts'
import { makeTarget, runAction } from './target.ts'

const servers: Server[] = []
let base = ''
let other = ''

async function readAll(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = []
  for await (const part of request) parts.push(part)
  return Buffer.concat(parts)
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url!, 'http://x')
  const body = await readAll(request)
  const to = url.searchParams.get('to')
  if (url.pathname === '/silent') return
  if (url.pathname === '/cut') return void request.socket.destroy()
  if (to !== null) {
    response.writeHead(Number(url.searchParams.get('status') ?? 302), {
      location: to,
      'set-cookie': 'hop=1; Path=/',
    })
    return void response.end()
  }
  if (url.pathname === '/private' && request.headers.authorization !== `Basic ${btoa('me:pass word')}`) {
    response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' })
    return void response.end('who are you')
  }
  if (url.pathname === '/fresh' && request.headers['if-modified-since'])
    return void response.writeHead(304).end()
  if (url.pathname === '/digest' && !request.headers.authorization?.startsWith('Digest ')) {
    const challenge = `Digest realm="a \\"b\\"", nonce="n", ${url.searchParams.get('with')}`
    response.writeHead(401, { 'www-authenticate': `${challenge}, Basic realm="x"`, 'set-cookie': 'asked=1' })
    return void response.end()
  }
  const status = Number(url.searchParams.get('code') ?? 200)
  response.writeHead(status, {
    'content-type': 'application/json',
    'x-odd-name': 'yes',
    'set-cookie': ['a=1; HttpOnly', 'b=2'],
  })
  const echo = {
    method: request.method,
    path: request.url,
    headers: request.headers,
    body: body.toString('utf8'),
  }
  response.end(JSON.stringify(echo))
}

async function listen(server: Server, where: string | number): Promise<string> {
  servers.push(server)
  await new Promise<void>(resolve =>
    typeof where === 'string' ? server.listen(where, resolve) : server.listen(where, '127.0.0.1', resolve),
  )
  return typeof where === 'string' ? '' : `127.0.0.1:${(server.address() as AddressInfo).port}`
}

beforeAll(async () => {
  base = `http://${await listen(createServer(answer), 0)}`
  other = `http://${await listen(createServer(answer), 0)}`
})
afterAll(() => {
  for (const server of servers) {
    server.closeAllConnections()
    server.close()
  }
})

/** A target whose forwarded channels are plain Duplexes, as those of an SSH library are. */
function channelTarget(options = {}): Target {
  const t = makeTarget(options)
  return {
    ...t,
    async forward(to) {
      const socket = await t.forward(to)
      const channel = new Duplex({
        read: () => socket.resume(),
        write: (chunk, _encoding, done) => void socket.write(chunk, done),
        final: done => void socket.end(done),
        destroy: (error, done) => {
          socket.destroy()
          done(error)
        },
      })
      socket.on('data', chunk => channel.push(chunk) || socket.pause())
      socket.on('end', () => channel.push(null)).on('error', error => channel.destroy(error))
      return channel
    },
  }
}

const ways = ['a forwarded channel', 'the operator', 'curl on the target'] as const
const targetOf = (way: string): Target =>
  way === 'curl on the target' ? makeTarget({ noForward: true }) : channelTarget()
const json = (data: unknown) => toValue(data)
const plain = (value: any): any =>
  value instanceof Map
    ? Object.fromEntries([...value].map(([k, v]) => [k, plain(v)]))
    : Array.isArray(value)
      ? value.map(plain)
      : value

describe.each(ways)('by %s', way => {
  const skipped = way === 'curl on the target' && missing('curl')
  const ask = async (args: Record<string, unknown>) => {
    const outcome = await runAction(targetOf(way), uri, {
      ...(way === 'the operator' ? { from: 'operator' } : {}),
      ...args,
    })
    return { ...outcome, echo: plain(outcome.values['json']) }
  }

  it.skipIf(skipped)('returns what Ansible returns', async () => {
    const outcome = await ask({ url: `${base}/x?q=1`, return_content: true })
    expect(outcome).toMatchObject({
      changed: false,
      values: {
        status: 200,
        url: `${base}/x?q=1`,
        redirected: false,
        content_type: 'application/json',
        x_odd_name: 'yes',
        cookies: { a: '1', b: '2' },
        cookies_string: 'b=2; a=1',
      },
    })
    expect(outcome.echo).toMatchObject({ method: 'GET', path: '/x?q=1' })
    expect(JSON.parse(outcome.values['content'])).toEqual(outcome.echo)
  })

  it.skipIf(skipped)('encodes bodies with secrets anywhere in them', async () => {
    const secret = new Secret('p"ä\\ $x\n@', 'pw')
    const sent = async (args: object) => (await ask({ url: base, method: 'POST', ...args })).echo
    const asJson = await sent({
      body_format: 'json',
      body: json({ user: 'me', list: [1, secret, null, 2.5], 9: true }),
    })
    expect(JSON.parse(asJson.body)).toEqual({ user: 'me', list: [1, 'p"ä\\ $x\n@', null, 2.5], 9: true })
    expect(asJson.headers['content-type']).toBe('application/json')
    const form = await sent({
      body_format: 'form-urlencoded',
      body: json({ a: [1, 2], pw: secret, s: 'x y&z' }),
    })
    expect([...new URLSearchParams(form.body)]).toEqual([
      ['a', '1'],
      ['a', '2'],
      ['pw', 'p"ä\\ $x\n@'],
      ['s', 'x y&z'],
    ])
    const raw = await sent({
      body: new Secret('@/etc/passwd', 'raw'),
      headers: json({ 'Content-Type': 'text/x' }),
    })
    expect([raw.body, raw.headers['content-type']]).toEqual(['@/etc/passwd', 'text/x'])
    const ready = await sent({ body_format: 'json', body: '{"a": 1}' })
    expect(ready.body).toBe('{"a": 1}')
  })

  it.skipIf(skipped)('sends a form with files', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'rota-uri-'))
    writeFileSync(join(folder, 'a.txt'), 'from a file')
    const { echo } = await ask({
      url: base,
      method: 'POST',
      body_format: 'form-multipart',
      body: json({
        name: new Secret('sec', 's'),
        file: { filename: join(folder, 'a.txt'), mime_type: 'text/plain' },
      }),
    })
    const form = await new Response(echo.body, {
      headers: { 'content-type': echo.headers['content-type'] },
    }).formData()
    expect(form.get('name')).toBe('sec')
    const file = form.get('file') as File
    expect([file.name, file.type, await file.text()]).toEqual(['a.txt', 'text/plain', 'from a file'])
  })

  it.skipIf(skipped)('fails with the status, and with -1 when nobody answers', async () => {
    expect(await ask({ url: `${base}/?code=503` })).toMatchObject({ failed: true, values: { status: 503 } })
    expect((await ask({ url: `${base}/?code=401`, status_code: ['200', '401'] })).failed).toBeUndefined()
    const refused = await ask({ url: 'http://127.0.0.1:1/' })
    expect(refused).toMatchObject({ failed: true, values: { status: -1 } })
    expect(refused.msg).toMatch(/-1 and not \[200\]: Request failed: ./)
    expect(await ask({ url: `${base}/cut` })).toMatchObject({ failed: true, values: { status: -1 } })
    expect(await ask({ url: `${base}/silent`, timeout: 1 })).toMatchObject({
      failed: true,
      values: { status: -1 },
    })
  })

  it.skipIf(skipped)('logs in when asked, or at once', async () => {
    const login = { url: `${base}/private`, url_username: 'me', url_password: new Secret('pass word', 'pw') }
    expect((await ask(login)).values['status']).toBe(200)
    expect((await ask({ ...login, force_basic_auth: true })).values['status']).toBe(200)
    expect(await ask({ ...login, url_password: new Secret('x', 'pw') })).toMatchObject({
      failed: true,
      values: { status: 401 },
    })
    const inUrl = await ask({ url: new Secret(`${base.replace('//', '//me:pass%20word@')}/private`, 'URL') })
    expect(inUrl.values['status']).toBe(200)
    expect(inUrl.values['url']).toBeInstanceOf(Secret)
  })

  it.skipIf(skipped)(
    'follows redirects by Ansible’s rules and gives credentials to nobody else',
    async () => {
      const at = (to: string, status = 302) => `${base}/r?status=${status}&to=${encodeURIComponent(to)}`
      const got = await ask({ url: at('/end') })
      expect(got).toMatchObject({
        values: { status: 200, redirected: true, url: `${base}/end`, cookies: { hop: '1' } },
      })
      expect(got.echo.headers.cookie).toBe('hop=1')
      expect((await ask({ url: at('/end'), method: 'POST', body: 'x' })).values['status']).toBe(302)
      const kept = await ask({ url: `${base}/x?to=/end`, follow_redirects: false })
      expect(kept).toMatchObject({
        msg: 'Status code was 302 and not [200]: HTTP Error 302: Found',
        values: { location: `${base}/end` },
      })
      expect(
        (await ask({ url: at('/end'), follow_redirects: false, status_code: ['302'] })).failed,
      ).toBeUndefined()
      const posted = await ask({ url: at('/end', 307), method: 'POST', body: 'x', follow_redirects: 'all' })
      expect(posted.echo).toMatchObject({ method: 'POST', body: 'x' })
      const turned = await ask({ url: at('/end', 303), method: 'POST', body: 'x', follow_redirects: true })
      expect(turned.echo).toMatchObject({ method: 'GET', body: '' })
      const head = { url: at('/end', 301), method: 'HEAD', follow_redirects: 'urllib2' }
      expect((await ask(head)).echo).toMatchObject({ method: 'GET' })
      const headers = json({ Authorization: 'Bearer t', 'X-Keep': '1', 'X-Drop': '1' })
      const away = await ask({ url: at(`${other}/end`), headers, unredirected_headers: ['x-drop'] })
      expect(away.values['url']).toBe(`${other}/end`)
      expect(away.echo.headers).toMatchObject({ 'x-keep': '1' })
      for (const name of ['authorization', 'x-drop', 'cookie'])
        expect(away.echo.headers).not.toHaveProperty(name)
      expect((await ask({ url: at(at('/end')) })).values['url']).toBe(`${base}/end`)
    },
  )

  it.skipIf(skipped)('writes the body to a file of the target', async () => {
    const dest = mkdtempSync(join(tmpdir(), 'rota-uri-'))
    const first = await ask({ url: `${base}/file%20name`, dest, mode: '0640' })
    expect(first).toMatchObject({ changed: true, values: { path: join(dest, 'file name') } })
    expect(JSON.parse(readFileSync(join(dest, 'file name'), 'utf8')).path).toBe('/file%20name')
    expect(statSync(join(dest, 'file name')).mode & 0o777).toBe(0o640)
    expect(await ask({ url: `${base}/x`, creates: dest })).toMatchObject({
      changed: false,
      values: { stdout: `skipped, since '${dest}' exists` },
    })
    const again = { url: `${base}/fresh`, dest: join(dest, 'file name') }
    expect(await ask(again)).toMatchObject({ failed: true, values: { status: 304 } })
    expect(await ask({ ...again, status_code: ['304'] })).toMatchObject({ changed: false })
    await expect(ask({ url: base, dest: join(dest, 'no', 'file') })).rejects.toThrow('Could not replace file')
  })

  it.skipIf(skipped)('speaks to a unix socket', async () => {
    const socket = join(mkdtempSync(join(tmpdir(), 'rota-uri-')), 's')
    await listen(createServer(answer), socket)
    expect((await ask({ url: 'http://docker/info', unix_socket: socket })).echo).toMatchObject({
      path: '/info',
      headers: { host: 'docker' },
    })
  })
})

describe('https', () => {
  const folder = mkdtempSync(join(tmpdir(), 'rota-tls-'))
  const skipped = missing('openssl')
  let secure = ''
  beforeAll(async () => {
    if (skipped) return
    const run = (...args: string[]) => execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' })
    const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
    run('req', '-x509', ...ec, '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=our own CA', '-days', '2')
    for (const name of ['server', 'client']) {
      run('req', ...ec, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${name}`)
      writeFileSync(join(folder, 'ext'), 'subjectAltName=IP:127.0.0.1,DNS:localhost')
      run(
        'x509',
        '-req',
        '-in',
        `${name}.csr`,
        '-CA',
        'ca.pem',
        '-CAkey',
        'ca.key',
        '-CAcreateserial',
        '-out',
        `${name}.pem`,
        '-days',
        '2',
        '-extfile',
        'ext',
      )
    }
    const read = (name: string) => readFileSync(join(folder, name))
    const options = {
      key: read('server.key'),
      cert: read('server.pem'),
      ca: read('ca.pem'),
      requestCert: true,
      rejectUnauthorized: false,
    }
    const server = createTlsServer(options, (request, response) => {
      const peer = (request.socket as TLSSocket).getPeerCertificate()
      response.end(peer?.subject?.CN ?? 'nobody')
    })
    secure = `https://${await listen(server as unknown as Server, 0)}/`
  })

  it.skipIf(skipped).each(ways)('is verified, by %s', async way => {
    const ask = (args: object) =>
      runAction(targetOf(way), uri, {
        url: secure,
        return_content: true,
        ...(way === 'the operator' ? { from: 'operator' } : {}),
        ...args,
      })
    const untrusted = await ask({})
    expect(untrusted).toMatchObject({ failed: true, values: { status: -1 } })
    expect(untrusted.msg).toMatch(/certificate|verify/)
    expect((await ask({ validate_certs: false })).values['status']).toBe(200)
    const ca_path = join(folder, 'ca.pem')
    expect((await ask({ ca_path })).values['content']).toBe('nobody')
    const client = { client_cert: join(folder, 'client.pem'), client_key: join(folder, 'client.key') }
    expect((await ask({ ca_path, ...client })).values['content']).toBe('client')
  })
})

it('tells what is wrong with a request before sending it', async () => {
  const bad = [
    { url: 'ftp://x/' },
    { url: new Secret('nonsense', 'URL') },
    { url: base, use_gssapi: true },
    { url: base, follow_redirects: 'maybe' },
    { url: base, headers: json({ 'a b': 'x' }) },
    { url: base, headers: json({ a: 'x\r\nb: y' }) },
    { url: base, body: json([1]), body_format: 'form-urlencoded' },
    { url: base, body: json(['x']), body_format: 'form-multipart' },
    { url: base, body: json({ n: 1 }), body_format: 'form-multipart' },
  ]
  for (const args of bad)
    await expect(runAction(makeTarget(), uri, args)).rejects.toMatchObject({
      code: 'E_PARAMS',
      hint: expect.any(String),
    })
})

describe('Digest', () => {
  const skipped = missing('curl')
  // curl is the oracle: with its cnonce taken from it the header has to be the same.
  it
    .skipIf(skipped)
    .each([
      'qop="auth,auth-int", algorithm=MD5, opaque="o"',
      'qop="auth", algorithm=SHA-256',
      'qop="auth", algorithm=MD5-sess',
      'algorithm=MD5',
      'opaque="only"',
    ])('answers %s as curl does', async with_ => {
    const url = `${base}/digest?with=${encodeURIComponent(with_)}`
    const login = { url, url_username: 'm"e', url_password: new Secret('pass word', 'pw') }
    const { values } = await runAction(makeTarget(), uri, login)
    const { authorization, cookie } = plain(values['json']).headers
    expect(cookie).toBe('asked=1')
    const get = (text: string, name: string) =>
      new RegExp(`[ ,]${name}="?((?:[^"\\\\,]|\\\\.)*)`).exec(text)?.[1]
    const curled = await promisify(execFile)('curl', ['-sq', '--digest', '-u', 'm"e:pass word', url])
    const theirs: string = JSON.parse(curled.stdout).headers.authorization
    for (const name of ['username', 'realm', 'nonce', 'uri', 'qop', 'nc', 'opaque', 'algorithm'])
      expect([name, get(authorization, name)]).toEqual([name, get(theirs, name)])
    const header = 'Digest realm="a \\"b\\"", nonce="n", '
    const ours = answerChallenge(
      header + with_,
      { user: 'm"e', password: 'pass word' },
      'GET',
      new URL(url),
      get(theirs, 'cnonce'),
    )
    expect(get(ours!, 'response')).toBe(get(theirs, 'response'))
  })

  it('leaves what it does not know to Basic, and to the 401', () => {
    const answer = (header: string) =>
      answerChallenge(header, { user: 'u', password: 'p' }, 'GET', new URL('http://x/'))
    expect(answer('Digest realm="r", nonce="n", algorithm=ROT13, Basic realm="r"')).toBe(
      `Basic ${btoa('u:p')}`,
    )
    expect(answer('Digest realm="r", nonce="n", qop="auth-int"')).toBeUndefined()
    expect(answer('Bearer realm="basics"')).toBeUndefined()
  })
})

describe('what is around', () => {
  const folder = mkdtempSync(join(tmpdir(), 'rota-uri-'))
  const netrc = join(folder, 'netrc')
  const seen: string[] = []
  let proxy = ''
  beforeAll(async () => {
    const server = createServer((request, response) => {
      seen.push(`${request.url} ${request.headers['proxy-authorization']}`)
      response.end('by the proxy')
    })
    server.on('connect', (request, socket) => {
      seen.push(`CONNECT ${request.url} ${request.headers['proxy-authorization']}`)
      socket.end('HTTP/1.1 407 No\r\n\r\n')
    })
    proxy = await listen(server, 0)
    writeFileSync(
      netrc,
      '# mine\nmachine 127.0.0.1 login me\n  password "pass word"\nmacdef x\n y\n\ndefault login a password b\n',
    )
  })
  const ask = (args: Record<string, unknown>, environment: Target['environment'], noForward: boolean) =>
    runAction(makeTarget({ environment, noForward }), uri, { return_content: true, ...args })

  it.each([false, ...(missing('curl') ? [] : [true])])('is a proxy (by curl: %s)', async byCurl => {
    seen.length = 0
    const environment = { http_proxy: `http://u:p%40@${proxy}/`, HTTPS_PROXY: proxy, no_proxy: 'x, .near' }
    const got = await ask({ url: 'http://far.away/a?b' }, environment, byCurl)
    expect(got.values['content']).toBe('by the proxy')
    const refused = await ask({ url: 'https://far.away/' }, environment, byCurl)
    expect(refused).toMatchObject({ failed: true, values: { status: -1 } })
    expect(refused.msg).toContain('407')
    expect(seen).toEqual([`http://far.away/a?b Basic ${btoa('u:p@')}`, 'CONNECT far.away:443 undefined'])
    for (const url of ['http://a.near/', 'http://x:81/'])
      expect((await ask({ url, timeout: 2 }, environment, byCurl)).failed).toBe(true)
    expect((await ask({ url: base, use_proxy: false }, environment, byCurl)).values['status']).toBe(200)
    expect(seen).toHaveLength(2)
  })

  it('is the netrc, unless it is not wanted', async () => {
    const url = `${base}/private`
    const environment = { NETRC: netrc }
    expect((await ask({ url }, environment, false)).values['status']).toBe(200)
    expect((await ask({ url, use_netrc: false }, environment, false)).failed).toBe(true)
    expect((await ask({ url, url_username: 'other' }, environment, false)).failed).toBe(true)
    writeFileSync(netrc, 'machine 127.0.0.1 login me')
    const bearer = { url: base, headers: json({ Authorization: 'Bearer t' }) }
    const { values } = await ask(bearer, environment, false)
    expect(plain(values['json']).headers.authorization).toBe('Bearer t')
    expect(parseNetrc('default login a password b', 'elsewhere')).toEqual({ user: 'a', password: 'b' })
  })
})

it('says so when neither forwarding nor curl is there', async () => {
  const t = makeTarget({ noForward: true, shell: ['/bin/sh'] })
  const without = {
    ...t,
    run: async () => ({
      status: 'ran',
      exit: 1,
      stdout: Buffer.alloc(0),
      stderr: Buffer.alloc(0),
      values: {},
    }),
  }
  const outcome = await runAction(without as unknown as Target, uri, { url: base })
  expect(outcome).toMatchObject({ failed: true, values: { status: -1 } })
  expect(outcome.msg).toContain('prohibited')
})

it('a JSON body says what the value says, secrets in their places', () => {
  fc.assert(
    fc.property(fc.jsonValue(), data => {
      const hide = (value: any): any =>
        typeof value === 'string'
          ? new Secret(value, 's')
          : Array.isArray(value)
            ? value.map(hide)
            : value !== null && typeof value === 'object'
              ? Object.fromEntries(Object.entries(value).map(([key, member]) => [key, hide(member)]))
              : value
      expect(JSON.parse(renderJson(toValue(hide(data))))).toEqual(JSON.parse(JSON.stringify(data)))
    }),
  )
})
