// Makes a fresh clone ready: npm packages, the build, and for tests the Debian packages they need. Node's own modules only.
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
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
  mmdebstrap: 'mmdebstrap',
  'docker.io': '/usr/sbin/dockerd',
}

/**
 * What tests meet without installing it: a machine with dnf or OpenRC would be another kind of host. It lies unpacked in a folder, which
 * test/modules/sandbox.ts lays over a copy of the machine.
 */
export const unpackedPackages = { dnf: ['dnf', 'rpm', 'createrepo-c'], openrc: ['openrc'] }

/** The folder of such packages. */
export function unpackedFolder(name) {
  return join(process.env.ROTA_LAB ?? join(root, '.lab'), 'unpacked', name)
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

const debian = { env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } }

/** Fetches packages with all that they need and this machine lacks, and unpacks them, with the merged /usr of Debian. */
function unpack(name) {
  const folder = unpackedFolder(name)
  mkdirSync(join(folder, '..'), { recursive: true })
  const made = mkdtempSync(`${folder}.`)
  const [packages, tree] = [join(made, 'packages'), join(made, 'tree')]
  mkdirSync(join(packages, 'partial'), { recursive: true })
  const options = [
    '--download-only',
    '-o',
    `Dir::Cache::archives=${packages}`,
    '-o',
    'APT::Sandbox::User=root',
  ]
  run(
    'apt-get',
    ['install', '-y', '-qq', '--no-install-recommends', ...options, ...unpackedPackages[name]],
    debian,
  )
  for (const one of ['bin', 'sbin', 'lib', 'lib64']) {
    mkdirSync(join(tree, 'usr', one), { recursive: true })
    symlinkSync(`usr/${one}`, join(tree, one))
  }
  for (const file of readdirSync(packages).filter(one => one.endsWith('.deb'))) {
    const text = 'dpkg-deb --fsys-tarfile "$1" | tar x --keep-directory-symlink -C "$2"'
    run('sh', ['-c', text, 'sh', join(packages, file), tree])
  }
  if (!existsSync(folder)) renameSync(tree, folder)
  rmSync(made, { recursive: true })
}

/** Debian packages for the tests: there when they were missing and this is root on Debian; else said, and their tests skip. */
export function installTestPackages() {
  const missing = Object.entries(testPackages)
    .filter(([, program]) => !isThere(program))
    .map(([name]) => name)
  const packed = Object.keys(unpackedPackages).filter(name => !existsSync(unpackedFolder(name)))
  if (missing.length + packed.length === 0) return
  const names = [...missing, ...packed].join(' ')
  if (process.getuid?.() !== 0 || !isThere('apt-get')) {
    console.log(`setup: not root, so tests that need these Debian packages will skip: ${names}`)
    return
  }
  console.log(`setup: fetching Debian packages: ${names}`)
  run('apt-get', ['update', '-qq'], debian)
  if (missing.length > 0)
    run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...missing], debian)
  for (const name of packed) unpack(name)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  installDependencies()
  build()
}
