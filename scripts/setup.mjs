// Makes a fresh clone ready: npm packages, the build, and for tests the Debian packages they need. Node's own modules only.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('..', import.meta.url))
const stamp = join(root, 'node_modules', '.rota-lock')

/** What the tests use of Debian, with a program of each package that tells whether it is there. */
export const testPackages = {
  'openssh-server': '/usr/sbin/sshd',
  'openssh-client': 'ssh-keygen',
  sudo: 'sudo',
  shellcheck: 'shellcheck',
  'busybox-static': 'busybox',
  'dropbear-bin': 'dropbear',
  age: 'age',
  'ansible-core': 'ansible-playbook',
  'python3-jinja2': '/usr/lib/python3/dist-packages/jinja2/__init__.py',
  rsync: 'rsync',
  gpg: 'gpg',
  'python3-venv': '/usr/share/doc/python3-venv',
  'mariadb-server-core': '/usr/sbin/mariadbd',
  'mariadb-client': 'mariadb-dump',
  'redis-tools': 'redis-cli',
  iptables: '/usr/sbin/iptables',
}

/** Runs a program with its output shown; ends this process with its status when it fails. */
export function run(command, args, options = {}) {
  const done = spawnSync(command, args, { stdio: 'inherit', cwd: root, ...options })
  if (done.error) throw done.error
  if (done.status !== 0) process.exit(done.status ?? 1)
}

/** npm packages from the lock file, once for each lock file. */
export function installDependencies() {
  const lock = createHash('sha256')
    .update(readFileSync(join(root, 'package-lock.json')))
    .digest('hex')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return
  console.log('setup: installing npm packages (npm ci)')
  run(process.platform === 'win32' ? 'npm.cmd' : 'npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'])
  writeFileSync(stamp, lock)
}

export function build() {
  run(process.execPath, ['scripts/build.mjs'])
}

function isThere(program) {
  if (program.startsWith('/')) return existsSync(program)
  return (process.env.PATH ?? '').split(':').some(folder => existsSync(join(folder, program)))
}

/** Debian packages for the tests: installed when they are missing and this is root on Debian; else said, and their tests skip. */
export function installTestPackages() {
  const missing = Object.entries(testPackages)
    .filter(([, program]) => !isThere(program))
    .map(([name]) => name)
  if (missing.length === 0) return
  if (process.getuid?.() !== 0 || !isThere('apt-get')) {
    console.log(`setup: not root, so tests that need these Debian packages will skip: ${missing.join(' ')}`)
    return
  }
  console.log(`setup: installing Debian packages: ${missing.join(' ')}`)
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  run('apt-get', ['update', '-qq'], { env })
  run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...missing], { env })
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  installDependencies()
  build()
}
