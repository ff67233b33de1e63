// Bad input and faults of every kind before the pivot, on the built program: each has its message, its place, a next step and its
// exit code, and leaves the host byte for byte as it was.
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openDesk, openSite, type Site } from '../../demo/site.ts'
import { generateKey } from '../support/embedded-host.ts'
import { type Ended, expectClean, leaksBelow, otherInventory, runRota, takePicture } from './desk-runs.ts'

const folder = mkdtempSync(join(tmpdir(), 'rota-faults-'))
const desk = join(folder, 'desk')
const rotation = 'playbooks/rotate-production-secrets.yml'
let site: Site
beforeAll(async () => {
  site = await openSite(desk)
}, 120_000)
afterAll(async () => {
  await site?.close()
  rmSync(folder, { recursive: true, force: true })
})

/** Runs rota, and holds it to the rules for every fault: the exit code, clean output, and nothing changed on the host. */
async function expectFault(code: number, args: readonly string[]): Promise<Ended> {
  const before = await takePicture(site)
  const ended = await runRota(site, args)
  expect(ended.code, ended.all).toBe(code)
  expectClean(ended, [site.panel.env()])
  const after = await takePicture(site)
  expect(after).toEqual({ ...before, files: expect.anything() })
  // A rotation that was refused in its backup phase leaves the backup.
  expect(after.files.filter(file => !file.includes('-backups/'))).toEqual(
    before.files.filter(file => !file.includes('-backups/')),
  )
  return ended
}

function playbook(name: string, text: string): string {
  const file = join(folder, name)
  writeFileSync(file, text)
  return file
}

/** The place is named, its line is shown, and the caret stands under the column. */
function expectPlace(output: string, file: string, line: number, col: number): void {
  const lines = output.split('\n').map(text => text.trimStart())
  const at = lines.indexOf(`${file}:${line}:${col}`)
  expect(at, output).toBeGreaterThan(-1)
  const text = readFileSync(file, 'utf8').split('\n')[line - 1]!
  expect(lines[at + 1]).toBe(`${line} | ${text}`)
  expect(lines[at + 2]).toBe(`| ${' '.repeat(col - 1)}^`)
}

const tasks = (...lines: string[]): string =>
  ['- hosts: all', '  gather_facts: false', '  tasks:', ...lines.map(line => `    ${line}`), ''].join('\n')

describe('a playbook that is wrong: exit 65, and no host is asked', () => {
  const cases: [name: string, text: string, at: [number, number], message: RegExp, hint: RegExp][] = [
    [
      'a module that there is not',
      tasks('- lineinfil: { path: /x, line: a }'),
      [4, 7],
      /ERROR! there is no module lineinfil.* \(E_MODULE\)/,
      /did you mean lineinfile\?/,
    ],
    [
      'a misspelt option',
      tasks('- copy: { dest: /x, contnet: a }'),
      [4, 25],
      /ERROR! Unsupported parameters for \(copy\) module: contnet.* \(E_PARAMS\)/,
      /did you mean content\?/,
    ],
    [
      'an option that is missing',
      tasks('- copy: { content: a }'),
      [4, 7],
      /ERROR! dest is required.* \(E_PARAMS\)/,
      /add dest/,
    ],
    [
      'a wrong type',
      tasks('- wait_for: { port: many }'),
      [4, 19],
      /ERROR! wait_for: port must be a whole number, not the text "many".* \(E_PARAMS\)/,
      /port: TCP port/,
    ],
    [
      'a misspelt keyword',
      tasks('- ping:', '  whn: true'),
      [5, 7],
      /ERROR! 'whn' is not a valid attribute for a Task.* \(E_PLAYBOOK\)/,
      /did you mean when\?/,
    ],
    [
      'broken YAML',
      tasks('- copy: { dest: /x, content: a', '- ping:'),
      [4, 13],
      /ERROR! the bracket \{ is not closed \(E_YAML\)/,
      /close it with \}/,
    ],
    [
      'an empty file',
      '',
      [1, 1],
      /ERROR! A playbook must contain at least one play.* \(E_PLAYBOOK\)/,
      /begin with `- hosts: all`/,
    ],
  ]
  it.each(cases)('%s', async (name, text, [line, col], message, hint) => {
    const file = playbook(`${name.replaceAll(' ', '-')}.yml`, text)
    const ended = await expectFault(65, ['run', file, '-i', site.desk.inventory])
    expect(ended.stderr).toMatch(message)
    expect(ended.stderr).toMatch(hint)
    expectPlace(ended.stderr, file, line, col)
    expect(ended.stdout).toBe('')
  })

  it('says a fault of the rotation playbook before anything is begun', async () => {
    const text = readFileSync(rotation, 'utf8').replace('env_file: {', 'env_fil: {')
    const ended = await expectFault(65, ['run', playbook('broken.yml', text), '-i', site.desk.inventory])
    expect(ended.stderr).toMatch(
      /ERROR! there is no module env_fil.* \(E_MODULE\)\n[\s\S]*→ did you mean env_file\?/,
    )
    expect(existsSync(site.desk.runs)).toBe(false)
  })
})

describe('a command line that is wrong: nothing is read or begun', () => {
  const it64: [name: string, args: string[], code: number, message: RegExp, hint: RegExp][] = [
    ['no playbook', [], 64, /ERROR! missing required argument 'playbook'.* \(E_USAGE\)/, /→ rota --help/],
    [
      'a misspelt flag',
      ['PLAY', '--limt', 'x'],
      64,
      /ERROR! unknown option '--limt'.* \(E_USAGE\)/,
      /→ did you mean --limit\?/,
    ],
    [
      'a word for a number',
      ['PLAY', '--timeout', 'soon'],
      64,
      /ERROR! --timeout takes a number of seconds above 0, not "soon".* \(E_USAGE\)/,
      /→ write --timeout 10/,
    ],
    [
      'no forks',
      ['PLAY', '--forks', '0'],
      64,
      /ERROR! --forks takes a number.* \(E_USAGE\)/,
      /→ write --forks 10/,
    ],
    [
      'an output of no kind',
      ['PLAY', '--output', 'xml'],
      64,
      /ERROR! there is no --output "xml".* \(E_USAGE\)/,
      /→ use one of: text, jsonl/,
    ],
    [
      'a colour of no kind',
      ['PLAY', '--color', 'blue'],
      64,
      /ERROR! there is no --color "blue".* \(E_USAGE\)/,
      /→ use one of: auto, always, never/,
    ],
    [
      'a reason of no kind',
      ['PLAY', '--reason', 'because'],
      64,
      /ERROR! there is no reason "because".* \(E_USAGE\)/,
      /→ use one of: scheduled, incident/,
    ],
    [
      'extra variables that are none',
      ['PLAY', '-e', 'panel_tries'],
      65,
      /ERROR! --extra-vars does not understand "panel_tries".* \(E_VARS\)/,
      /→ write --extra-vars name=value/,
    ],
    [
      'extra variables that do not end',
      ['PLAY', '-e', '{a: '],
      65,
      /ERROR! .* \(E_YAML\)[\s\S]*--extra-vars:1:4/,
      /→ check quotes/,
    ],
    [
      'a file of extra variables that there is not',
      ['PLAY', '-e', '@none.yml'],
      65,
      /ERROR! cannot read .*none\.yml: there is no such file.* \(E_FILE\)/,
      /→ check the path/,
    ],
    [
      'a task to start at that there is not',
      ['PLAY', '--start-at-task', 'Nowhere'],
      64,
      /ERROR! there is no task "Nowhere" to start at.* \(E_USAGE\)/,
      /→ --list-tasks shows the names/,
    ],
    [
      'a recipient that is none',
      ['PLAY', '--recipient', 'age1x'],
      65,
      /ERROR! "age1x" is not.* \(E_SEAL\)/,
      /→ a recipi/,
    ],
    [
      'a secret that the rotation has not',
      ['PLAY', '--secret', 'JWT=@/dev/null'],
      64,
      /ERROR! --secret JWT: the rotation has no secret of that name.* \(E_USAGE\)/,
      /→ its secrets are JWT_SECRET/,
    ],
    [
      'a secret from a file that there is not',
      ['PLAY', '--secret', 'JWT_SECRET=@/none'],
      65,
      /ERROR! cannot read a secret from \/none.* \(E_FILE\)/,
      /→ check that it exists/,
    ],
    [
      'a secret from a descriptor that is closed',
      ['PLAY', '--secret', 'JWT_SECRET=fd:77'],
      65,
      /ERROR! cannot read a secret from fd 77.* \(E_FILE\)/,
      /→ check that/,
    ],
    [
      'a secret to be asked where nobody can answer',
      ['PLAY', '--secret', 'JWT_SECRET=-'],
      64,
      /ERROR! cannot ask for "new value of JWT_SECRET": there is no terminal.* \(E_USAGE\)/,
      /→ give --secret JWT_SECRET=@FILE/,
    ],
    [
      'a limit that nobody matches',
      ['PLAY', '--limit', 'elsewhere'],
      65,
      /ERROR! there is no host and no group elsewhere.* \(E_HOSTS\)/,
      /→ rota inventory --graph/,
    ],
    [
      'events that cannot be written',
      ['PLAY', '--events', '/none/e.jsonl'],
      65,
      /ERROR! cannot write events to \/none\/e\.jsonl.* \(E_FILE\)/,
      /→ check that the folder/,
    ],
  ]
  it.each(it64)('%s', async (_, args, code, message, hint) => {
    const given = args.map(arg => (arg === 'PLAY' ? rotation : arg))
    const ended = await expectFault(code, ['run', '-i', site.desk.inventory, ...given])
    expect(ended.stderr).toMatch(message)
    expect(ended.stderr).toMatch(hint)
    expect(ended.stdout).toBe('')
  })

  it.each(['JWT_SECRET=correct-horse-battery', 'correct-horse-battery', 'correct horse=battery'])(
    'never shows what was given as --secret %s',
    async flag => {
      const ended = await expectFault(64, ['run', rotation, '-i', site.desk.inventory, '--secret', flag])
      expect(ended.stderr).toMatch(
        /ERROR! --secret \w+=… does not say where.* \(E_USAGE\)[\s\S]*→ write --secret NAME=- to be/,
      )
      expect(ended.all).not.toMatch(/horse|battery/)
    },
  )

  it('refuses flags of a rotation where there is none', async () => {
    const file = playbook('plain.yml', tasks('- ping:'))
    for (const flags of [
      ['--reason', 'incident'],
      ['--secret', 'A=@/dev/null'],
    ]) {
      const ended = await expectFault(64, ['run', file, '-i', site.desk.inventory, ...flags])
      expect(ended.stderr).toContain(`ERROR! ${flags[0]} is for a play with rotation:`)
    }
  })

  it.each(['resume', 'rollback', 'finalise', 'status', 'evidence'])('%s of a run unknown', async command => {
    const ended = await expectFault(64, [command, '20991231'])
    expect(ended.stderr).toMatch(
      /ERROR! (there is no run in .* \(E_USAGE\)\n {2}→ rota run PLAYBOOK|no run begins with "20991231" \(E_USAGE\)\n {2}→ the newest are)/,
    )
  })
})

describe('an inventory that is wrong', () => {
  it('is not there, is empty, or lacks the host', async () => {
    const none = await expectFault(65, ['run', rotation, '-i', '/none/inventory.yml'])
    expect(none.stderr).toMatch(
      /ERROR! cannot read \/none\/inventory\.yml: there is no such.* \(E_FILE\)[\s\S]*→ check/,
    )
    const empty = playbook('empty-inventory.yml', '')
    const nobody = await expectFault(65, ['run', rotation, '-i', empty])
    expect(nobody.stderr).toMatch(/ERROR! .* \(E_(HOSTS|INVENTORY)\)\n(.*\n)*? {2}→ /)
    const other = playbook('other.yml', 'all: { hosts: { web1: } }\n')
    const lacking = await expectFault(65, ['run', rotation, '-i', other])
    expect(lacking.stderr).toMatch(/ERROR! .*panel.* \(E_HOSTS\)[\s\S]*→ /)
    const broken = playbook('broken-inventory.yml', 'all:\n  hosts:\n    a:\n   b:\n')
    const yaml = await expectFault(65, ['run', rotation, '-i', broken])
    expect(yaml.stderr).toMatch(/ERROR! .* \(E_(YAML|INVENTORY)\)/)
    expectPlace(yaml.stderr, broken, 4, 4)
  })
})

/** Refusals of a rotation: exit 3, each host's state, and that no secret was changed. */
async function expectRefused(
  more: Readonly<Record<string, unknown>>,
  flags: readonly string[] = [],
): Promise<Ended> {
  const inventory = otherInventory(site, 'other', more)
  const ended = await expectFault(3, ['run', rotation, '-i', inventory, '-e', 'panel_tries=1', ...flags])
  expect(ended.stdout).toMatch(/^rotation: \[my\.votcloud\.com\] refused – /m)
  expect(ended.stdout).toMatch(/^refused: no secret was changed on any host; mend what is red above/m)
  expect(ended.stdout).toMatch(/^ +→ /m)
  return ended
}
const at = (line: RegExp): RegExp => new RegExp(`${line.source}[\\s\\S]*?\\n +\\S+\\.yml:\\d+:\\d+\\n`)

describe('a host that cannot be worked on: the rotation is refused with exit 3', () => {
  it('unreachable', async () => {
    const { stdout } = await expectRefused({ ansible_port: 1 })
    expect(stdout).toMatch(at(/E_UNREACHABLE my\.votcloud\.com: cannot connect to root@127\.0\.0\.1:1: conn/))
    expect(stdout).toMatch(/→ try: ssh -v -i \S+ -p 1 root@127\.0\.0\.1 true/)
  })

  it('with another host key than the known one', async () => {
    const known = join(folder, 'known_hosts')
    const port = site.variables['ansible_port']
    const key = generateKey().public.split(' ').slice(0, 2).join(' ')
    writeFileSync(known, `# first line\n[127.0.0.1]:${port} ${key}\n`)
    const args = { ansible_ssh_common_args: `-F none -o UserKnownHostsFile=${known}` }
    const { stdout } = await expectRefused(args)
    expect(stdout).toMatch(/E_HOST_KEY my\.votcloud\.com: the host key of \S+ has changed: .*in between/)
    expect(stdout).toMatch(
      /→ if the host was reinstalled: ssh-keygen -f '.*known_hosts' -R '\[127\.0\.0\.1\]/,
    )
    expectPlace(stdout, known, 2, 1)
    await expectRefused(args, ['--accept-new-host-keys'])
    writeFileSync(known, '')
    expect((await expectRefused(args)).stdout).toMatch(/E_HOST_KEY .*no key of .* is known/)
  })

  it('that does not take the key, or a key that cannot be read', async () => {
    const key = join(folder, 'id_other')
    writeFileSync(key, generateKey().private, { mode: 0o600 })
    const other = await expectRefused({ ansible_ssh_private_key_file: key })
    expect(other.stdout).toMatch(at(/E_AUTH .* refused the login: tried key \S+id_other; the server takes p/))
    const none = await expectRefused({ ansible_ssh_private_key_file: '/none/id' })
    expect(none.stdout).toMatch(
      /E_AUTH .*: nothing to offer; \/none\/id: ENOENT: no such file or directory$/m,
    )
    writeFileSync(key, 'not a key\n')
    const junk = await expectRefused({ ansible_ssh_private_key_file: key })
    expect(junk.stdout).toMatch(/E_AUTH .*: nothing to offer; \S+id_other: Unsupported key format$/m)
  })

  it('where sudo is refused', async () => {
    const { stdout } = await expectRefused({ panel_become: true, ansible_become_user: 'no-such-user' })
    expect(stdout).toMatch(at(/E_BECOME my\.votcloud\.com: .*sudo/))
  })
})

/** The panel's env file for the time of one test. */
async function withEnvFile(edit: (text: string) => string, work: () => Promise<void>): Promise<void> {
  const before = readFileSync(site.panel.envFile)
  writeFileSync(site.panel.envFile, edit(before.toString()))
  try {
    await work()
  } finally {
    writeFileSync(site.panel.envFile, before)
  }
}

describe('a panel that cannot be rotated: refused with exit 3', () => {
  it('without its env file', async () => {
    const { stdout } = await expectRefused({ panel_env_file: '{{ panel_dir }}/.env.none' })
    expect(stdout).toMatch(at(/E_TASK \S+\/\.env\.none does not exist/))
    expect(stdout).toContain('→ check the path of the env file')
  })

  it('with a key twice, a key missing, or a quote that is not closed', async () => {
    await withEnvFile(
      text => `${text}JWT_SECRET=twice-twice-twice\n`,
      async () => {
        const { all } = await expectRefused({})
        expect(all).toMatch(
          at(/E_ENV_FILE \S+\.env\.production:\d+: JWT_SECRET is defined on line \d+ already/),
        )
        expect(all).toContain('→ remove the one that is not meant')
        expect(all).not.toContain('twice-twice')
      },
    )
    await withEnvFile(
      text => text.replace(/^JWT_SECRET=.*\n/m, ''),
      async () => {
        const { all } = await expectRefused({})
        expect(all).toMatch(at(/E_ENV_FILE \S+\.env\.production does not define JWT_SECRET/))
        expect(all).toContain('→ it defines NODE_ENV, PORT')
      },
    )
    await withEnvFile(
      text => text.replace(/^JWT_SECRET=/m, 'JWT_SECRET="'),
      async () => {
        const { all } = await expectRefused({})
        expect(all).toMatch(at(/E_ENV_FILE \S+\.env\.production:\d+: a quote is not closed/))
      },
    )
  })

  it('whose database refuses the password, or does not answer', async () => {
    await withEnvFile(
      text => text.replace(/^POSTGRES_PASSWORD=.*/m, 'POSTGRES_PASSWORD=not-the-password'),
      async () => {
        const { all } = await expectRefused({})
        expect(all).toMatch(at(/✘ .*\(the database at \S+ refuses the password of proxpanel: .*28P01/))
        expect(all).not.toContain('not-the-password')
      },
    )
    const { stdout } = await expectRefused({ database_port: 1 })
    expect(stdout).toMatch(at(/✘ .*\(the database at 127\.0\.0\.1:1 gives no answer about the password/))
  })

  it('that is not healthy, or has no room for backups', async () => {
    const sick = await expectRefused({ panel_health: '/none' })
    expect(sick.stdout).toMatch(at(/✘ .*The panel is healthy, several times in a row \(HTTP 404, not 200\)/))
    const full = await expectRefused({ free_mib: 999_999_999 })
    expect(full.stdout).toMatch(at(/✘ .*There is room for the backups \(.*free\.stdout \| int < free_mib/))
  })

  it('with a variable that is not defined', async () => {
    const { stdout } = await expectRefused({ panel_health: '{{ panel_helth }}' })
    expect(stdout).toMatch(/E_UNDEFINED .*'panel_helth' is undefined/)
    expect(stdout).toContain("→ did you mean 'panel_health'?")
  })
})

/** A file system of that size, or why there is none. */
function mountSmall(path: string, size: string): string | undefined {
  mkdirSync(path, { recursive: true })
  if (process.getuid?.() !== 0) return 'mounting needs root'
  const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', path], {
    encoding: 'utf8',
  })
  return status === 0 ? undefined : `cannot mount: ${stderr}`
}
const unmount = (path: string) => spawnSync('umount', ['-l', path])

describe('a disk that is full', () => {
  it('on the host, during the backup: refused, and no half backup is left', async context => {
    const disk = join(folder, 'host-disk')
    const why = mountSmall(disk, '8k')
    if (why) console.log(`skipped, a full disk on the host: ${why}`)
    if (why) return context.skip()
    try {
      const { stdout } = await expectRefused({ backup_root: join(disk, 'backups'), free_mib: 0 })
      expect(stdout).toMatch(at(/TASK \[Keep the application's files\][\s\S]*?E_TASK /))
      expect(stdout).toContain('→ look on the host: free space (df -h)')
      const left = readdirSync(disk, { recursive: true }).map(String)
      expect(left.filter(name => /app\.tar|\.part|tmp/.test(name))).toEqual([])
    } finally {
      unmount(disk)
    }
  })

  it('on the operator’s machine: before anything, and in the middle of a change', async context => {
    const state = join(folder, 'full', 'state')
    const why = mountSmall(state, '8k')
    if (why) console.log(`skipped, a full disk for the run folder: ${why}`)
    if (why) return context.skip()
    try {
      const full: Site = {
        ...site,
        desk: openDesk(join(folder, 'full'), { 'my.votcloud.com': site.variables }),
      }
      const { envFile } = site.panel
      const env = readFileSync(envFile)
      const before = await takePicture(site)
      const refused = await runRota(full, ['run', rotation, '-i', full.desk.inventory])
      expect(refused.stderr, refused.all).toMatch(/no space left on device|ENOSPC/)
      expect(refused.stderr).toMatch(/→ make room/)
      expectClean(refused, [site.panel.env()])
      expect((await takePicture(site)).verifier).toBe(before.verifier)
      rmSync(full.desk.runs, { recursive: true, force: true })
      spawnSync('mount', ['-o', 'remount,size=512k', state])
      const big = join(site.panel.folder, 'big.bin')
      writeFileSync(big, randomBytes(1 << 20))
      const unkept = await runRota(full, ['run', rotation, '-i', full.desk.inventory])
      rmSync(big)
      expect(unkept.code, unkept.all).toBe(3)
      expect(unkept.stdout).toMatch(
        /E_FILE ENOSPC: no space left on device[\s\S]*→ make room on the disk of this m/,
      )
      expect(readdirSync(full.desk.runs, { recursive: true }).join()).not.toContain('.part')
      spawnSync('mount', ['-o', 'remount,size=1m', state])
      const filler = join(state, 'filler')
      const stopped = await runRota(full, ['run', rotation, '-i', full.desk.inventory], stdout => {
        if (!stdout.includes('PHASE change') || existsSync(filler)) return
        try {
          writeFileSync(filler, Buffer.alloc(2 << 20))
        } catch {
          // full, as meant
        }
      })
      expect(stopped.code, stopped.all).toBe(5)
      expectClean(stopped, [site.panel.env()])
      expect(stopped.stdout).toMatch(
        /^rotation: \[my\.votcloud\.com\] held – (nothing was changed|changed; not)/m,
      )
      const [, run] =
        /ERROR! run (\S+) stopped half way and is open.* \(E_HELD\)\n {2}→ rota re/.exec(stopped.stderr) ?? []
      expect(run, stopped.stderr).toMatch(/^\d{8}T\d{6}Z-/)
      expect(stopped.stderr).toMatch(/ERROR! .*ENOSPC.* \(E_(JOURNAL|EVIDENCE)\)/)
      rmSync(filler)
      const back = await runRota(full, ['rollback', run!])
      expect(back.code, back.all).toBe(10)
      expect(readFileSync(envFile)).toEqual(env)
      expect((await takePicture(site)).verifier).toBe(before.verifier)
      expect(leaksBelow(join(full.desk.runs, '..'), [site.panel.env()])).toEqual([])
      spawnSync('mount', ['-o', 'remount,ro', state])
      const readOnly = await runRota(full, ['run', rotation, '-i', full.desk.inventory])
      expect(readOnly.code, readOnly.all).toBe(65)
      expect(readOnly.stderr).toMatch(
        /ERROR! cannot make the run folder \S+: EROFS.* \(E_FILE\)\n {2}→ mend the folder/,
      )
    } finally {
      unmount(state)
    }
  }, 120_000)

  it('a state folder that cannot be made is refused, and never waited for', async () => {
    const odd = join(folder, 'odd')
    mkdirSync(odd)
    writeFileSync(join(odd, 'state'), 'a file where the folder should be\n')
    const other: Site = { ...site, desk: openDesk(odd, { 'my.votcloud.com': site.variables }) }
    const ended = await runRota(other, ['run', rotation, '-i', other.desk.inventory])
    expect(ended.code, ended.all).toBe(65)
    expect(ended.stderr).toMatch(/ERROR! cannot read \S+: ENOTDIR.* \(E_FILE\)\n {2}→ mend the folder, or/)
  })
})

it('leaves no secret in any file on the operator’s machine, and no run open', async () => {
  expect(leaksBelow(desk, [site.panel.env()])).toEqual([])
  const ended = await runRota(site, ['status'])
  expect(ended.code, ended.all).toBe(0)
  expect(ended.stdout).toMatch(/ refused /)
  expect(ended.stdout).not.toMatch(/running|held|in_doubt|committed/)
})
