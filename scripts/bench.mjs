// `npm run bench`: rota and Debian's ansible-playbook side by side on one real sshd on loopback. Ratios, not seconds:
// both contenders alternate within one run, so that whatever else the machine does hits both.
import { spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { build, installDependencies, installTestPackages, root } from './setup.mjs'

const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 5)
const TASKS = 20
/** As many as one sshd listens on. */
const FLEET = 16
const addresses = Array.from({ length: FLEET }, (_, i) => `127.0.0.${i + 1}`)

installDependencies()
installTestPackages()
build()

const folder = mkdtempSync(join(tmpdir(), 'rota-bench-'))
const port = await freePort()
const sshd = await startSshd()
process.on('exit', () => {
  sshd.kill()
  rmSync(folder, { recursive: true, force: true })
})

writeFileSync(
  join(folder, 'ansible.cfg'),
  `[defaults]\nhost_key_checking = True\nforks = 50\ngathering = explicit\nretry_files_enabled = False\n[ssh_connection]\npipelining = True\nssh_args = -o ControlMaster=auto -o ControlPersist=60s -o UserKnownHostsFile=${join(folder, 'known_hosts')}\ncontrol_path_dir = ${join(folder, 'cp')}\n`,
)
const account = `ansible_port=${port} ansible_user=${userInfo().username} ansible_ssh_private_key_file=${join(folder, 'id')} ansible_python_interpreter=/usr/bin/python3 ansible_ssh_common_args='-o UserKnownHostsFile=${join(folder, 'known_hosts')}'`
const inventory = some => some.map(one => `host-${one} ansible_host=${one} ${account}\n`).join('')
writeFileSync(join(folder, 'hosts'), inventory(addresses.slice(0, 1)))
writeFileSync(join(folder, 'fleet'), inventory(addresses))
const loop = ['debug: msg={{ item }}', 'loop: "{{ range(1000) | list }}"'].join('\n      ')
for (const [name, ...tasks] of [
  ['one', 'command: /bin/true'],
  ['many', ...Array.from({ length: 1 + TASKS }, () => 'command: /bin/true')],
  ['five', ...Array.from({ length: 5 }, () => 'command: /bin/true')],
  ['loop', loop],
  ['copy', `copy: src=${join(folder, 'large')} dest=${join(folder, 'copied')}`],
])
  writeFileSync(join(folder, `${name}.yml`), playbook(tasks))

const contenders = {
  rota: (name, hosts) => [
    process.execPath,
    [join(root, 'dist/rota.mjs'), 'run', '-f', '50', '-i', hosts, `${name}.yml`],
  ],
  ansible: (name, hosts) => ['ansible-playbook', ['-f', '50', '-i', hosts, `${name}.yml`]],
}
const seconds = {}
for (let round = 0; round < ROUNDS; round++)
  for (const [who, command] of Object.entries(contenders))
    for (const name of ['one', 'many']) {
      const key = `${who} ${name}`
      seconds[key] = [...(seconds[key] ?? []), time(...command(name, 'hosts'))]
      endControlMasters()
    }
const startup = Array.from({ length: ROUNDS }, () =>
  time(process.execPath, [join(root, 'dist/rota.mjs'), '--version']),
)

const m = Object.fromEntries(Object.entries(seconds).map(([key, all]) => [key, median(all)]))
const more = who => (m[`${who} many`] - m[`${who} one`]) / TASKS
report('whole process, 1 host × 20 tasks', m['ansible many'], m['rota many'], 12)
report('whole process, 1 host × 1 task', m['ansible one'], m['rota one'])
report('each further task', more('ansible'), more('rota'), 100)
console.log(`rota --version: ${(median(startup) * 1000).toFixed(0)} ms`)
reportPlay(`${FLEET} hosts × 5 tasks`, 'five', 'fleet', () => {}, 10)
reportPlay('a loop of 1,000 items', 'loop', 'hosts', () => {})
writeFileSync(join(folder, 'large'), randomBytes(100e6))
reportPlay('a file of 100 MB', 'copy', 'hosts', () => rmSync(join(folder, 'copied'), { force: true }))
reportInventory()
process.exit(0)

function report(what, ansible, rota, target) {
  const ratio = ansible / rota
  const verdict = target ? ` (wanted ≥ ${target}×: ${ratio >= target ? 'met' : 'MISSED'})` : ''
  const ms = value => `${(value * 1000).toFixed(1)} ms`
  console.log(`${what}: ansible ${ms(ansible)}, rota ${ms(rota)} → ${ratio.toFixed(1)}×${verdict}`)
}

/** Whole processes, in turn; slow ones, so fewer of them. `reset` goes before each. */
function reportPlay(what, name, hosts, reset, target) {
  const found = { rota: [], ansible: [] }
  for (let round = 0; round < Math.min(ROUNDS, 3); round++)
    for (const [who, command] of Object.entries(contenders)) {
      reset()
      found[who].push(time(...command(name, hosts)))
      endControlMasters()
    }
  report(what, median(found.ansible), median(found.rota), target)
}

/** One variable of one of 10,000 hosts: the inventory is read as a whole. */
function reportInventory() {
  writeFileSync(join(folder, 'big'), bigInventory())
  const ask = ['-i', 'big', '--host', 'host-05000.example.com']
  const found = { rota: [], ansible: [] }
  for (let round = 0; round < ROUNDS; round++) {
    found.rota.push(time(process.execPath, [join(root, 'dist/rota.mjs'), 'inventory', ...ask]))
    found.ansible.push(time('ansible-inventory', ask))
  }
  report('inventory of 10,000 hosts', median(found.ansible), median(found.rota))
  const tell =
    'data:text/javascript,process.on("exit",()=>process.stderr.write(String(process.resourceUsage().maxRSS)))'
  const command = ['--import', tell, join(root, 'dist/rota.mjs'), 'inventory', ...ask]
  const mb = Number(spawnSync(process.execPath, command, { cwd: folder, encoding: 'utf8' }).stderr) / 1024
  const isMet = median(found.rota) < 1 && mb < 300
  console.log(
    `inventory of 10,000 hosts: ${mb.toFixed(0)} MB (wanted < 1 s and < 300 MB: ${isMet ? 'met' : 'MISSED'})`,
  )
}

function bigInventory() {
  const groups = Array.from({ length: 100 }, (_, g) => {
    const hosts = Array.from({ length: 100 }, (_, h) => {
      const name = `host-${String(g * 100 + h).padStart(5, '0')}.example.com`
      return `${name} ansible_host=127.${g}.${h}.1 rack=${h % 40} role=web`
    })
    return `[g${g}]\n${hosts.join('\n')}\n[g${g}:vars]\nzone=z${g % 5}\nntp=127.0.0.${g}\n`
  })
  const sites = Array.from({ length: 10 }, (_, s) => {
    const names = Array.from({ length: 10 }, (_, g) => `g${s * 10 + g}`)
    return `[site${s}:children]\n${names.join('\n')}\n`
  })
  return `[all:vars]\nansible_user=deploy\n${groups.join('')}${sites.join('')}`
}

function playbook(tasks) {
  const list = tasks.map((task, i) => `    - name: task ${i}\n      ${task}\n`)
  return `- hosts: all\n  gather_facts: false\n  tasks:\n${list.join('')}`
}

function time(command, args) {
  const start = process.hrtime.bigint()
  const env = {
    ...process.env,
    HOME: folder,
    ANSIBLE_CONFIG: join(folder, 'ansible.cfg'),
    XDG_STATE_HOME: join(folder, 'state'),
  }
  const done = spawnSync(command, args, { cwd: folder, encoding: 'utf8', env })
  if (done.status !== 0) throw new Error(`${command} ${args.join(' ')}: ${done.stdout}${done.stderr}`)
  return Number(process.hrtime.bigint() - start) / 1e9
}

/** ControlPersist masters would make the next run warm: every run here is cold, so they are told to end, and waited for. */
function endControlMasters() {
  const end = `cd "$1" 2>/dev/null || exit 0
    for s in *; do [ -S "$s" ] && ssh -o ControlPath="$1/$s" -O exit x; done
    n=0; while [ "$(ls | wc -l)" -gt 0 ] && [ $n -lt 200 ]; do sleep 0.05; n=$((n + 1)); done`
  spawnSync('sh', ['-c', end, 'sh', join(folder, 'cp')], { stdio: 'ignore' })
}

function median(all) {
  return all.toSorted((a, b) => a - b)[Math.floor(all.length / 2)]
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port: free } = server.address()
      server.close(() => resolve(free))
    })
  })
}

async function startSshd() {
  mkdirSync('/run/sshd', { recursive: true })
  const keygen = file => spawnSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(folder, file)])
  keygen('host')
  keygen('id')
  const { readFileSync } = await import('node:fs')
  const key = readFileSync(join(folder, 'host.pub'), 'utf8').split(' ').slice(0, 2).join(' ')
  writeFileSync(join(folder, 'known_hosts'), `[127.0.0.*]:${port} ${key}\n`)
  const listen = addresses.map(address => `ListenAddress ${address}\n`).join('')
  // The account's own shell files would count for both, for each login of the one and each task of the other.
  const home = `SetEnv HOME=${join(folder, 'home')}\n`
  mkdirSync(join(folder, 'home'))
  writeFileSync(
    join(folder, 'sshd_config'),
    `Port ${port}\n${listen}${home}HostKey ${join(folder, 'host')}\nAuthorizedKeysFile ${join(folder, 'id.pub')}\nStrictModes no\nUsePAM no\nPidFile none\nMaxStartups 100:30:200\nMaxSessions 100\nPermitRootLogin yes\n`,
  )
  const child = spawn('/usr/sbin/sshd', ['-D', '-e', '-f', join(folder, 'sshd_config')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  await new Promise((resolve, reject) => {
    child.once('exit', code => reject(new Error(`sshd ended with ${code}`)))
    let said = ''
    child.stderr.on('data', text => {
      said += text
      if (said.split('Server listening').length > FLEET) resolve()
    })
  })
  return child
}
