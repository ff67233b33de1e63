import { problem, problemsOf, type RotaError } from '../core/error.ts'
import { defineAction, type Outcome, type Target } from '../core/module.ts'
import type { Secret } from '../core/secret.ts'
import { digestAgeFile, readAgeFile } from '../resources/age-file.ts'
import { listAgeFiles } from '../resources/age-file-script.ts'
import { type AgeHeader, openAgeHeader, parseAgeHeader } from '../resources/age-header.ts'
import { toSecrets } from './age-file.ts'

interface Found {
  readonly path: string
  readonly size: number
  readonly mtime: number
  /** Names of the given keys that open it. */
  readonly opens: readonly string[]
  /** How many keys it is sealed for. */
  readonly recipients: number
  readonly problem?: string
}
interface Listed {
  readonly path: string
  readonly size: number
  readonly mtime: number
  readonly header: AgeHeader | undefined
}

/** The script's lines: a file, then its header. */
function parseListing(text: string): readonly Listed[] {
  return text.split(/^F (?=\d+ -?\d+ \/)/m).flatMap(part => {
    const [, size, mtime, path, header = ''] = /^(\d+) (-?\d+) ([^\n]*)\n([\s\S]*)$/.exec(part) ?? []
    if (path === undefined) return []
    return [
      {
        path,
        size: Number(size),
        mtime: Number(mtime),
        header: parseAgeHeader(Buffer.from(header, 'latin1')),
      },
    ]
  })
}

async function list(t: Target, folder: string, patterns: readonly string[]): Promise<readonly Listed[]> {
  const ran = await t.run(listAgeFiles, { folder, patterns: patterns.join('\n') })
  if (ran.exit === 0) return parseListing(ran.stdout.toString('latin1'))
  throw problem('E_TASK', `age_find: ${folder} ${ran.values['problem'] ?? 'cannot be read'}`, {
    hint: 'check the path; become: true reads folders of root',
  })
}

function tryKeys({ path, size, mtime, header }: Listed, keys: ReadonlyMap<string, Secret>): Found {
  const base = { path: Buffer.from(path, 'latin1').toString('utf8'), size, mtime }
  if (!header)
    return { ...base, opens: [], recipients: 0, problem: 'is no age file, or its header is damaged' }
  const recipients = header.stanzas.length
  try {
    const opens = [...keys].filter(([, key]) => openAgeHeader(header, key, base.path)).map(([name]) => name)
    return {
      ...base,
      opens,
      recipients,
      ...(opens.length === 0 && { problem: 'opens with none of the keys' }),
    }
  } catch (error) {
    if ((error as RotaError).code !== 'E_TASK') throw error
    return { ...base, opens: [], recipients, problem: messageOf(error) }
  }
}

const messageOf = (error: unknown): string => problemsOf(error)[0]?.message ?? String(error)

/** Opens all of the file's data, which only its first good key does. */
async function prove(t: Target, found: Found, keys: ReadonlyMap<string, Secret>): Promise<Found> {
  const key = keys.get(found.opens[0] ?? '')
  if (!key) return found
  try {
    await digestAgeFile(t, found.path, await readAgeFile(t, found.path, [key]))
    return found
  } catch (error) {
    if ((error as RotaError).code !== 'E_TASK') throw error
    return { ...found, opens: [], problem: messageOf(error) }
  }
}

export const age_find = defineAction({
  name: 'age_find',
  summary:
    'Finds the files below a folder that are encrypted with age, and says which of your keys open each.',
  notes: [
    'Only headers come here: the data of a file stays on the host, unless `open: data` asks for the proof that all of it opens.',
    'The keys never leave your machine. Plain text of a file touches no disk.',
  ],
  params: {
    paths: {
      type: 'list',
      required: true,
      aliases: ['path'],
      doc: 'Folders of the target; those below are looked into too.',
    },
    patterns: {
      type: 'list',
      default: ['*.age'],
      aliases: ['pattern'],
      doc: 'Names to find: shell patterns.',
    },
    identities: { type: 'dict', required: true, doc: 'Keys to try, each under a name of your choice.' },
    open: {
      type: 'string',
      choices: ['header', 'data'],
      default: 'header',
      doc: 'What has to open: the header proves the key; data proves every byte, which then comes over the connection.',
    },
  },
  reads: true,
  returns: {
    files: {
      doc: 'path, size, mtime, opens (names of keys), recipients (how many keys it is sealed for), problem.',
    },
    matched: { doc: 'How many files were found.' },
    only: { doc: 'For each name of a key, the paths of the files that open with that key and no other.' },
    unreadable: { doc: 'Paths of the files that open with no key.' },
  },
  examples: `
- name: Every backup opens with the key in force
  age_find:
    paths: /opt/proxpanel-backups
    identities: { current: "{{ old.env.BACKUP_ENCRYPTION_KEY }}" }
  register: backups
  failed_when: backups.unreadable | length > 0
`,
  async run(t, { paths, patterns, identities, open }): Promise<Outcome> {
    const keys = new Map(
      [...identities].map(([name, value]) => [String(name), toSecrets(value, `identities.${name}`)[0]!]),
    )
    for (const key of keys.values()) t.redactor.add(key)
    const files: Found[] = []
    for (const folder of paths)
      for (const one of await list(t, folder, patterns)) {
        const found = tryKeys(one, keys)
        files.push(open === 'data' ? await prove(t, found, keys) : found)
      }
    const onlyBy = (name: string): readonly string[] =>
      files.filter(({ opens }) => opens.length === 1 && opens[0] === name).map(({ path }) => path)
    return {
      changed: false,
      values: {
        files,
        matched: files.length,
        only: Object.fromEntries([...keys.keys()].map(name => [name, onlyBy(name)])),
        unreadable: files.filter(({ opens }) => opens.length === 0).map(({ path }) => path),
      },
    }
  },
})
