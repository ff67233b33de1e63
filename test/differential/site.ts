// One sshd, one inventory, and for each program and case a fresh folder on the host.
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startSshd } from '../support/sshd.ts'

export const corpus = join(import.meta.dirname, 'corpus')

export interface Site {
  /** Beside the programs: their homes, inventory and accounts. */
  readonly folder: string
  /** Both programs' command line for a case, but for the program. */
  argv(program: string, name: string): readonly string[]
  /** The same text for both programs and every run. */
  neutral(program: string, name: string, text: string): string
  files(program: string, name: string): Record<string, string>
  close(): Promise<void>
}

/** Names of the playbooks. */
export const caseNames = readdirSync(corpus)
  .filter(name => name.endsWith('.yml'))
  .map(name => name.slice(0, -'.yml'.length))
  .sort()
const textOf = (name: string): string => readFileSync(join(corpus, `${name}.yml`), 'utf8')

/** Flags of a case: its first line may be `# args: --check -e x=1`. */
function flagsOf(name: string): readonly string[] {
  const [, flags] = /^# args: (.*)/.exec(textOf(name)) ?? []
  return flags?.split(' ') ?? []
}

export async function openSite(): Promise<Site> {
  const sshd = await startSshd({ config: ['Subsystem sftp internal-sftp'] })
  const folder = mkdtempSync(join(tmpdir(), 'rota-same-'))
  chmodSync(folder, 0o755)
  const inventory = join(folder, 'reached.yml')
  const reached = {
    ansible_host: sshd.host,
    ansible_port: sshd.port,
    ansible_user: 'alice',
    ansible_ssh_private_key_file: sshd.identity,
    ansible_ssh_common_args: `-F none -o UserKnownHostsFile=${sshd.knownHosts}`,
    ansible_python_interpreter: '/usr/bin/python3',
  }
  // JSON is YAML.
  writeFileSync(inventory, JSON.stringify({ all: { vars: reached } }))
  const dest = (program: string, name: string): string => join(folder, program, name)
  return {
    folder,
    argv: (program, name) => {
      makeFolder(dest(program, name), lstatSync(join(sshd.folder, 'home/alice')).uid)
      const own = ['-i', inventory, '-i', join(corpus, 'inventory'), '-e', `dest=${dest(program, name)}`]
      return [...own, ...flagsOf(name), `${name}.yml`]
    },
    neutral: (program, name, text) =>
      text
        .replaceAll(dest(program, name), '<dest>')
        .replaceAll(sshd.folder, '<sshd>')
        .replaceAll(folder, '<site>')
        .replaceAll(corpus, '<corpus>')
        .replaceAll(String(sshd.port), '22022'),
    files: (program, name) => Object.fromEntries(readTree(dest(program, name), '')),
    close: async () => {
      await sshd.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function makeFolder(path: string, owner: number): void {
  mkdirSync(path, { recursive: true })
  chownSync(path, owner, owner)
}

function readTree(root: string, under: string): [path: string, what: string][] {
  return readdirSync(join(root, under))
    .sort()
    .flatMap(name => {
      const path = join(under, name)
      const info = lstatSync(join(root, path))
      const mode = (info.mode & 0o7777).toString(8)
      if (info.isSymbolicLink()) return [[path, `link to ${readlinkSync(join(root, path))}`]]
      if (info.isDirectory()) return [[`${path}/`, `folder ${mode} ${info.uid}`], ...readTree(root, path)]
      if (!info.isFile()) return [[path, `special ${mode}`]]
      const links = statSync(join(root, path)).nlink
      return [[path, `file ${mode} ${info.uid} ${links}: ${readFileSync(join(root, path), 'latin1')}`]]
    })
}
