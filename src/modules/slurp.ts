import { problem, RotaError } from '../core/error.ts'
import { defineAction, type Target } from '../core/module.ts'
import { type FileState, readFile } from '../resources/file.ts'

const params = {
  src: {
    type: 'path',
    required: true,
    aliases: ['path'],
    doc: 'The file on the target. A link is followed.',
  },
} as const

/** What cannot be read is said in the words of Ansible's module, which playbooks look for. */
async function readSource(t: Target, src: string): Promise<FileState> {
  try {
    return await readFile(t, src, { follow: true, content: 'plain' })
  } catch (error) {
    if (!(error instanceof RotaError) || error.code !== 'E_TASK') throw error
    const words = error.message.startsWith('file is not readable') ? '' : 'unable to slurp file: '
    throw problem('E_TASK', `${words}${error.message}`, { hint: error.hint, cause: error })
  }
}

export const slurp = defineAction({
  name: 'slurp',
  summary: 'Read a file of the target into a variable, as base64.',
  notes: ['For a file that holds secrets use env_read, or no_log.', 'At most 16 MiB.'],
  params,
  reads: true,
  returns: {
    content: { doc: 'The bytes as base64.' },
    encoding: { doc: '`base64`.' },
    source: { doc: 'The path.' },
  },
  examples: `
- slurp: { src: /etc/hostname }
  register: name
- debug: { msg: "{{ name.content | b64decode }}" }
`,
  async run(t, { src }) {
    const file = await readSource(t, src)
    if (file.kind === 'absent') throw problem('E_TASK', `file not found: ${src}`)
    if (file.kind !== 'file') throw problem('E_TASK', `source is a ${file.kind} and must be a file: ${src}`)
    const bytes = Buffer.from(String(file.content), file.encoding ?? 'utf8')
    return {
      changed: false,
      values: { content: bytes.toString('base64'), encoding: 'base64', source: file.path },
    }
  },
})
