// Keeps the panel running, for hosts without containers: `node supervisor.mjs ENV_FILE`.
// HUP: stop the panel and start it again with the env file as it is now. USR2: stop it until HUP. TERM: stop both.
// panel.pid holds the panel's process id, supervisor.pid this one's; `panelctl restart` waits on them.
import { spawn } from 'node:child_process'
import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { parseEnv } from 'node:util'

const envFile = process.argv[2] ?? '.env.production'
let panel
let stopping = false
/** Grows by one with each panel started: tells an asked-for end from a crash. */
let generation = 0

// The log may lie on a disk that is full.
process.stderr.on('error', () => {})

/** A full disk is no reason to leave the panel without a supervisor. */
function writePid(name, pid) {
  try {
    writeFileSync(`${name}.tmp`, `${pid}\n`)
    renameSync(`${name}.tmp`, name)
  } catch (error) {
    process.stderr.write(`${name}: ${error.code}\n`)
  }
}

function start() {
  const mine = ++generation
  panel = spawn(process.execPath, ['server.mjs'], {
    env: { PATH: process.env.PATH, ...parseEnv(readFileSync(envFile, 'utf8')) },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  // Only a panel that listens counts as started: its first words say so.
  panel.stdout.once('data', () => writePid('panel.pid', panel.pid))
  panel.on('exit', () => {
    if (!stopping && mine === generation) setTimeout(() => mine === generation && start(), 500)
  })
}

function stop(then) {
  generation++
  const gone = () => {
    rmSync('panel.pid', { force: true })
    then()
  }
  if (panel.exitCode !== null || panel.signalCode !== null) return gone()
  panel.once('exit', gone)
  panel.kill('SIGTERM')
}

process.on('SIGHUP', () => stop(start))
process.on('SIGUSR2', () => stop(() => {}))
process.on('SIGTERM', () => {
  stopping = true
  stop(() => {
    rmSync('supervisor.pid', { force: true })
    process.exit(0)
  })
})
writePid('supervisor.pid', process.pid)
start()
