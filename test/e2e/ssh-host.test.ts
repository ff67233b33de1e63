// The demo's SSH host against a client that is not rota's.
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import ssh2, { type Client, type ClientChannel } from 'ssh2'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type SshHost, startSshHost } from '../../demo/ssh-host.ts'

const root = mkdtempSync(join(tmpdir(), 'rota-ssh-'))
const key = ssh2.utils.generateKeyPairSync('ed25519')
let host: SshHost
let client: Client
const connect = (privateKey: string): Promise<Client> =>
  new Promise((resolve, reject) => {
    const next = new ssh2.Client()
    next
      .on('ready', () => resolve(next))
      .on('error', reject)
      .connect({ host: '127.0.0.1', port: host.port, username: 'root', privateKey })
  })
beforeAll(async () => {
  host = await startSshHost({ root, authorizedKey: key.public })
  client = await connect(key.private)
})
afterAll(async () => {
  client?.end()
  await host?.close()
  rmSync(root, { recursive: true, force: true })
})

const text = async (channel: ClientChannel): Promise<string> => {
  let all = ''
  for await (const chunk of channel) all += chunk
  return all
}
const exec = (command: string, stdin = ''): Promise<{ code: number | null; out: string }> =>
  new Promise((resolve, reject) =>
    client.exec(command, (error, channel) => {
      if (error) return void reject(error)
      let code: number | null = null
      channel.on('exit', status => {
        code = status
      })
      channel.stderr.resume()
      channel.end(stdin)
      text(channel).then(out => resolve({ code, out }), reject)
    }),
  )

it('runs a real sh in its folder, with standard input and exit status', async () => {
  expect(await exec('cat; pwd; exit 7', 'in\n')).toEqual({ code: 7, out: `in\n${root}\n` })
  const big = 'x'.repeat(1 << 20)
  expect((await exec('cat', big)).out.length).toBe(big.length)
})

it('refuses another key', async () => {
  await expect(connect(ssh2.utils.generateKeyPairSync('ed25519').private)).rejects.toThrow(/authentication/)
})

it('ends the whole command when the connection goes', async () => {
  const other = await connect(key.private)
  await new Promise<void>((resolve, reject) =>
    other.exec('sleep 300 & echo $! >pid; echo up; wait', (error, channel) => {
      if (error) return reject(error)
      channel.once('data', () => resolve())
    }),
  )
  other.end()
  const pid = Number(readFileSync(join(root, 'pid'), 'utf8'))
  await expect.poll(() => isAlive(pid)).toBe(false)
})
/** A zombie, which nobody has asked for its exit status yet, has ended. */
const isAlive = (pid: number): boolean =>
  /^[^Z]/.test(spawnSync('ps', ['-o', 'stat=', '-p', String(pid)], { encoding: 'utf8' }).stdout)

it('forwards to a port and to a Unix socket, and says no where nobody listens', async () => {
  const server = createServer((_request, response) => response.end('hello')).listen(0, '127.0.0.1')
  const local = createServer((_request, response) => response.end('socket')).listen(join(root, 'sock'))
  for (const one of [server, local]) if (!one.listening) await once(one, 'listening')
  writeFileSync(join(root, 'request'), 'GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')
  const request = readFileSync(join(root, 'request'))
  const { port } = server.address() as AddressInfo
  const through = (open: (done: (error: Error | undefined, channel: ClientChannel) => void) => void) =>
    new Promise<string>((resolve, reject) =>
      open((error, channel) => {
        if (error) return reject(error)
        channel.end(request)
        text(channel).then(resolve, reject)
      }),
    )
  expect(await through(done => client.forwardOut('127.0.0.1', 0, '127.0.0.1', port, done))).toMatch(/hello$/)
  expect(await through(done => client.openssh_forwardOutStreamLocal(join(root, 'sock'), done))).toMatch(
    /socket$/,
  )
  for (const one of [server, local]) one.close()
  await expect(through(done => client.forwardOut('127.0.0.1', 0, '127.0.0.1', 1, done))).rejects.toThrow(
    /open/,
  )
})
