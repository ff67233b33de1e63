// Loaded before the built program (`node --import`): counts every effect of the process and strikes at the chosen one.
//   ROTA_CRASH_AT     which point, from 1; 0: only count
//   ROTA_CRASH_FAULT  kill, cut, gone, stop, full-operator; shell, session, full-host are done on the host by its own scripts
//   ROTA_CRASH_HOST   process id of the host's first process
//   ROTA_CRASH_LOG    gets the names of the points
import child_process from 'node:child_process'
import fs from 'node:fs'
import promises from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import net from 'node:net'
import { promisify } from 'node:util'

// By Node's own names: what can change something, and what cannot. doors.test.ts fails when the source imports a name of neither list.
const { points } = JSON.parse(fs.readFileSync(new URL('doors.json', import.meta.url), 'utf8'))
const at = Number(process.env.ROTA_CRASH_AT)
const fault = process.env.ROTA_CRASH_FAULT
const log = process.env.ROTA_CRASH_LOG
const { spawnSync } = child_process
const write = fs.writeFileSync
const hostScripts = { shell: '/crash/end-shells', session: '/crash/end-sessions', 'full-host': '/crash/fill' }
const names = []
const sockets = new Set()
let isFull = false
let isGone = false

function onHost(script) {
  const spaces = ['-m', '-p', '-u', '-i', '-n', '-r', '-w']
  spawnSync('nsenter', ['-t', process.env.ROTA_CRASH_HOST, ...spaces, script], { stdio: 'ignore' })
}
function strike(name) {
  write(log, `${name}\n`)
  if (fault === 'kill') process.kill(process.pid, 'SIGKILL')
  if (fault === 'stop') process.kill(process.pid, 'SIGSTOP')
  if (fault === 'cut' || fault === 'gone') for (const socket of sockets) socket.resetAndDestroy()
  if (fault === 'gone') isGone = true
  if (fault === 'full-operator') isFull = true
  if (hostScripts[fault]) onHost(hostScripts[fault])
}
/** True where the fault struck. */
function pass(name) {
  names.push(name)
  if (names.length !== at) return
  strike(name)
}
process.on('exit', () => {
  if (at === 0 || names.length < at) write(log, `${names.join('\n')}\n`)
})

const noRoom = () => Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' })
const growing = /write|append|mkdir|mkdtemp|link|copy|cp$/i
function watch(owner, door, method) {
  const original = owner[method]
  if (typeof original !== 'function') return
  const watched = function (...args) {
    if (method === 'open' && !/[wa+]|^wx/.test(String(args[1] ?? 'r'))) return original.apply(this, args)
    pass(`${door}.${method}`)
    if (isFull && (growing.test(method) || method === 'open') && door !== 'child_process') {
      if (method.endsWith('Sync')) throw noRoom()
      if (method !== 'createWriteStream') return Promise.reject(noRoom())
    }
    const result = original.apply(this, args)
    if (typeof result?.then !== 'function' || door === 'child_process') return result
    return result.then(value => {
      pass(`${door}.${method}, done`)
      return value
    })
  }
  const promised = original[promisify.custom]
  if (promised)
    watched[promisify.custom] = (...args) => {
      pass(`${door}.${method}`)
      return promised(...args)
    }
  owner[method] = watched
}

const probe = await promises.open('/dev/null')
const handle = Object.getPrototypeOf(probe)
await probe.close()
// Methods of a file call one another inside Node; what is counted is what the program calls.
for (const method of points.FileHandle) watch(handle, 'file', method)
for (const method of points['node:fs/promises']) watch(promises, 'fs', method)
for (const method of points['node:fs']) watch(fs, 'fs', method)
for (const method of points['node:child_process']) watch(child_process, 'child_process', method)

const { write: send, push, connect } = net.Socket.prototype
const isStdio = socket => socket === process.stdout || socket === process.stderr || socket === process.stdin
net.Socket.prototype.connect = function (...args) {
  sockets.add(this)
  this.once('close', () => sockets.delete(this))
  if (isGone) {
    process.nextTick(() =>
      this.destroy(Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })),
    )
    return this
  }
  pass('net.connect')
  return connect.apply(this, args)
}
net.Socket.prototype.write = function (...args) {
  if (isStdio(this) || !sockets.has(this)) return send.apply(this, args)
  pass('net.send')
  const result = send.apply(this, args)
  pass('net.sent')
  return result
}
net.Socket.prototype.push = function (chunk, ...rest) {
  if (chunk !== null && !isStdio(this) && sockets.has(this)) pass('net.receive')
  return push.call(this, chunk, ...rest)
}
syncBuiltinESMExports()
